"""Styles of matplotlib that a user gives: a file of one's own, or one that matplotlib has."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

from taipan.errors import TaipanError
from taipan.suggestions import nearest


def read_style(style: Path | str) -> str:
    """Give the text of a style, after a look at each of its lines.

    Parameters
    ----------
    style
        File with lines such as ``font.size: 14``, or the name of a style of matplotlib, such as
        ``ggplot``.

    Raises
    ------
    TaipanError
        If there is neither such a file nor such a style, or a line is no setting.
    """
    path = _find_style(style)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaipanError(f"{style}: cannot be read as a style of matplotlib ({error})") from error
    parse_style(text, str(style))
    return text


def _find_style(style: Path | str) -> Path:
    path = Path(style)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    import matplotlib as mpl  # which takes long to load

    folder = Path(mpl.get_data_path()) / "stylelib"
    known = sorted(item.stem for item in folder.glob("[!_]*.mplstyle"))
    if str(style) not in known:
        raise TaipanError(
            f"{style}: neither a file nor a style of matplotlib{nearest(str(style), known)} "
            f"({', '.join(known)})"
        )
    return folder / f"{style}.mplstyle"


def parse_style(text: str, name: str) -> dict[str, Any]:
    """Give the settings of a style; matplotlib only warns of what it does not know.

    Parameters
    ----------
    text
        Content of the file.
    name
        What it is called in errors.

    Raises
    ------
    TaipanError
        If a line is no setting; names the line.
    """
    import matplotlib as mpl

    with tempfile.NamedTemporaryFile("w", suffix=".mplstyle", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            settings = mpl.rc_params_from_file(file.name, use_default_template=False)
        messages = [str(item.message).replace(file.name, name) for item in found]
    for number, line in enumerate(text.splitlines(), start=1):
        key = line.partition("#")[0].partition(":")[0].strip()
        if key and key not in settings:
            hint = nearest(key, mpl.rcParams)
            raise TaipanError(
                f"{name}, line {number}: '{key}' is not a setting of matplotlib{hint}"
            )
    if messages:
        raise TaipanError(f"{name}: {messages[0]}")
    return {key: value for key, value in settings.items() if key != "backend"}
