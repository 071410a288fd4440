"""Errors that a user can act on."""

from __future__ import annotations

from taipan.clean_text import clean


class TaipanError(ValueError):
    """Bad input or a failed check, with a message that names it; shown without a traceback.

    The message may quote a file of anyone's: passwords of URLs and control characters in it are
    replaced.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(clean(str(message)))


class BadFileError(TaipanError):
    """An input file that is truncated or damaged; `skim.on_bad_file` decides what follows."""


class ChecksumError(TaipanError):
    """A file whose content is not that of the catalogue; never skipped, always an error."""


class UnreachableError(TaipanError):
    """A remote file that no mirror delivered in the time allowed; always ends the job."""
