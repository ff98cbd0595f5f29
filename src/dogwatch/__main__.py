"""The entry point. ``--version`` is answered before anything heavy is imported."""

import sys

from dogwatch import __version__


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"dogwatch {__version__}")  # noqa: T201  # the entry point is a surface
        return
    from dogwatch.cli import dogwatch

    dogwatch(prog_name="dogwatch")


if __name__ == "__main__":
    main()
