"""``python -m taipan.cli``: the command ``taipan``."""

import sys

from taipan.import_path import drop_folder

if __name__ == "__main__":
    drop_folder()
    from taipan.cli.main import main

    sys.exit(main())
