"""The signature of a stage: names and types of what its job is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from taipan.errors import TaipanError

REQUIRED = object()
"""Default of an argument that has none."""


@dataclass(frozen=True)
class Argument:
    """One argument of a stage, or one field of an argument that is a container.

    Attributes
    ----------
    name
        As the rule calls its input, output, parameter or wildcard.
    hint
        Type without ``None``.
    may_be_absent
        Whether ``None`` is allowed.
    default
        Value if it is not given, or :data:`REQUIRED`.
    """

    name: str
    hint: Any
    may_be_absent: bool = False
    default: Any = REQUIRED

    @property
    def is_list(self) -> bool:
        """Whether it is a list of files or texts."""
        return get_origin(self.hint) in (list, Sequence) and get_args(self.hint) == (str,)

    @property
    def is_grouped(self) -> bool:
        """Whether it is lists of files by name, such as those of each dataset."""
        return get_origin(self.hint) is Mapping and get_args(self.hint) == (str, Sequence[str])

    @property
    def is_figures(self) -> bool:
        """Whether it is figure → kind (``pdf``, ``png``, ``json``) → file."""
        return get_origin(self.hint) is Mapping and get_args(self.hint) == (str, Mapping[str, str])

    def convert(self, value: Any) -> Any:
        """Give a value the type of the argument.

        An object of a class with a method `from_plain` is made by that; a class without, or a
        nested value, is passed on as it is.

        Raises
        ------
        TaipanError
            If it does not fit.
        """
        if value is None or (self.may_be_absent and _is_list(value) and not value):
            if not self.may_be_absent:
                raise TaipanError(f"{self.name}: nothing is given (one value)")
            return None
        if self.is_list:
            return [str(item) for item in value] if _is_list(value) else [str(value)]
        if self.hint not in (str, int, float):
            make = getattr(self.hint, "from_plain", None)
            return value if make is None or isinstance(value, self.hint) else make(value)
        if _is_list(value):
            if len(value) != 1:
                raise TaipanError(f"{self.name}: {len(value)} values are given (one value)")
            value = value[0]
        try:
            return self.hint(value)
        except ValueError as error:
            kind = {int: "an integer", float: "a number"}[self.hint]
            raise TaipanError(f"{self.name}: {value!r} is not allowed ({kind})") from error


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def list_arguments(stage: Callable[..., Any]) -> list[Argument]:
    """List what a stage is given; of an argument that is a dataclass, its fields.

    Parameters
    ----------
    stage
        Function with type hints; a dataclass with a method `from_plain` is one argument.
    """
    hints = get_type_hints(stage)
    found: list[Argument] = []
    for name, parameter in inspect.signature(stage).parameters.items():
        if is_container(hints[name]):
            found += list_fields(hints[name])
        else:
            default = parameter.default
            found.append(_describe(name, hints[name], default, inspect.Parameter.empty))
    return found


def list_fields(container: Any) -> list[Argument]:
    """List the fields of a container, those of containers in it included."""
    hints = get_type_hints(container)
    found: list[Argument] = []
    for item in fields(container):
        if is_container(hints[item.name]):
            found += list_fields(hints[item.name])
        else:
            found.append(_describe(item.name, hints[item.name], item.default, MISSING))
    return found


def is_container(hint: Any) -> bool:
    """Whether an argument of this type is made of others that are opened together."""
    return isinstance(hint, type) and is_dataclass(hint) and not hasattr(hint, "from_plain")


def _describe(name: str, hint: Any, default: Any, empty: Any) -> Argument:
    may_be_absent = get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)
    if may_be_absent:
        (hint,) = [item for item in get_args(hint) if item is not NoneType]
    return Argument(name, hint, may_be_absent, REQUIRED if default is empty else default)


def pack(stage: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of a call from values by name; containers are made of theirs."""
    hints = get_type_hints(stage)
    return {
        name: _pack_one(name, hints[name], values)
        for name in inspect.signature(stage).parameters
        if is_container(hints[name]) or name in values
    }


def _pack_one(name: str, hint: Any, values: Mapping[str, Any]) -> Any:
    if not is_container(hint):
        return values[name]
    hints = get_type_hints(hint)
    return hint(
        **{
            item.name: _pack_one(item.name, hints[item.name], values)
            for item in fields(hint)
            if is_container(hints[item.name]) or item.name in values
        }
    )
