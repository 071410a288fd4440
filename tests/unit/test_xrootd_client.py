"""XRootD has no wheels for macOS: there, only who reads such files needs it."""

from __future__ import annotations

import sys

import pytest

from taipan.errors import TaipanError
from taipan.remote.readers import open_reader


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "XRootD", None)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with pytest.raises(TaipanError, match="need the package 'xrootd', which is not installed"):
        open_reader("root://example.org//file.root", 1.0, 1.0)
