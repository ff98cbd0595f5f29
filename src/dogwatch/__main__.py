"""The entry point. ``--version`` is answered before anything heavy is imported."""

import gc
import sys

from dogwatch import __version__


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"dogwatch {__version__}")  # noqa: T201  # the entry point is a surface
        return
    gc.set_threshold(25_000)  # a start makes many objects and no garbage; it is not worth looking for
    from dogwatch.cli import dogwatch

    try:
        dogwatch(prog_name="dogwatch")
    finally:
        gc.freeze()  # memory is given back as a whole; to look for garbage once more would take 100 ms


if __name__ == "__main__":
    main()
