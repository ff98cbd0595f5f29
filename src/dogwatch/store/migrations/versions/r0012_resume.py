"""Where a connector goes on with what it looks up in turn."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Words

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column."""
    op.add_column("sources", sa.Column("resume", Words))


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
