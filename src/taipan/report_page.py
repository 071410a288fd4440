r"""The page of Snakemake's report, in which no text of the configuration may become code.

Snakemake writes the parameters, paths and labels of the jobs as JSON into ``<script>`` elements of
the page. A text with ``</script>`` ends the element, and what follows is HTML. In JSON these
characters can be written as ``\u003c``, which means the same and ends nothing.
"""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Any

_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_REPORTER = "snakemake.report.html_reporter"


def dump_for_script(content: Any, **options: Any) -> str:
    """Write JSON that may stand in a ``<script>`` element; arguments as of ``json.dumps``."""
    return json.dumps(content, **options).translate(_ESCAPED)


class _ScriptJson(ModuleType):
    """The module ``json``, except that what it writes may stand in a ``<script>`` element."""

    def __init__(self) -> None:
        super().__init__("json")
        self.__dict__.update(vars(json), dumps=dump_for_script)


def escape_report() -> list[str]:
    """Make Snakemake's reporter, in this process, write its JSON with :func:`dump_for_script`.

    Returns
    -------
    list of str
        Modules of the reporter that write JSON.
    """
    reporter = import_module(_REPORTER)
    names = [_REPORTER, f"{_REPORTER}.data"]
    names += [f"{_REPORTER}.data.{m.name}" for m in pkgutil.iter_modules(reporter.data.__path__)]
    changed = []
    for name in names:
        module: Any = import_module(name)
        if isinstance(getattr(module, "json", None), ModuleType):
            module.json = _ScriptJson()
            changed.append(name)
    return changed
