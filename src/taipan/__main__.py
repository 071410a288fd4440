"""The command ``taipan``, and ``python -m taipan``: keeps the working directory off the path."""

import sys

if __name__ == "__main__" and not __package__ and not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file, which was run as a script: its modules are no others

from taipan.import_path import drop_folder


def main() -> int:
    """Run the command; nothing of the working directory is imported, whatever its files are called.

    Returns
    -------
    int
        Exit status.
    """
    drop_folder()
    from taipan.cli.main import main as run  # only now: it imports libraries

    return run()


if __name__ == "__main__":
    sys.exit(main())
