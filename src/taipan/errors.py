"""Errors that a user can act on."""

from __future__ import annotations

import errno

from taipan.clean_text import clean

_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_OF_THE_SYSTEM = {
    *_OF_WRITING,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
}
"""Errors of files that are no bugs: no room, no permission, no such name, a disk that fails."""


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


def explain_system_error(error: BaseException) -> str | None:
    """Say in one line what the system refused; None if the error may be a bug.

    Parameters
    ----------
    error
        Any error.

    Returns
    -------
    str or None
        File and reason (full disk, no permission, no memory), without credentials and control
        characters.
    """
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if not isinstance(error, OSError) or error.errno not in _OF_THE_SYSTEM:
        return None
    reason = (error.strerror or str(error)).splitlines()[0]
    if error.filename:
        return clean(f"cannot use {error.filename}: {reason}")
    return f"cannot {'write' if error.errno in _OF_WRITING else 'read or write a file'}: {reason}"
