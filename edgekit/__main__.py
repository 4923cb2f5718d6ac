"""The command `edgekit`, also as `python -m edgekit`."""

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line. Ctrl-C while it is still being loaded ends it as it does later."""
    try:
        from edgekit.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
