"""What lasts. SQLite by default; sync, reached from async rooms through one worker thread."""

from dogwatch.store.base import Store, open_store
from dogwatch.store.worker import StoreThread

__all__ = ["Store", "StoreThread", "open_store"]
