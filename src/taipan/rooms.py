"""Rooms that hold a file for each kind of a thing: a new file is enough for a new kind."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def import_room(package: str) -> list[str]:
    """Import every module of a package, in the order of their names.

    Parameters
    ----------
    package
        Dotted name. The hash of the code follows the call if the name is written out.

    Returns
    -------
    list of str
        Names of the modules.
    """
    places = import_module(package).__path__
    names = [f"{package}.{module.name}" for module in iter_modules(places)]
    for name in names:
        import_module(name)
    return names
