"""``python -m taipan.cli``: the command ``taipan``."""

import sys

if __name__ == "__main__":
    from taipan.__main__ import main

    sys.exit(main())
