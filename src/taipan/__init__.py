"""Taipan: LHC Open Data to a fitted signal strength, with machine learning in the middle."""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m taipan...` is looking for its module: off with the working directory, before
    # anything is imported from it, even __future__
    del sys.path[0]

__version__ = "0.1.0"
