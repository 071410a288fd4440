"""All kinds of systematic uncertainties."""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter

from taipan.rooms import import_room
from taipan.systematics.base import Systematic

import_room("taipan.systematics")


def _list_kinds(base: type[Systematic]) -> list[type[Systematic]]:
    found = [base] if "kind" in base.__annotations__ and base is not Systematic else []
    return found + [kind for child in base.__subclasses__() for kind in _list_kinds(child)]


KINDS = {
    str(kind.model_fields["kind"].annotation.__args__[0]): kind  # type: ignore[union-attr]
    for kind in sorted(_list_kinds(Systematic), key=lambda kind: kind.__module__)
}
"""Name → class, in the order of the files."""

if TYPE_CHECKING:
    AnySystematic = Systematic
else:
    AnySystematic = Annotated[
        functools.reduce(operator.or_, KINDS.values()),
        Field(
            discriminator="kind",
            description="One source of systematic uncertainty, correlated over samples and regions "
            "by its name",
        ),
    ]
"""Keys of ``systematics.NAME``: those of the kind that `kind` names."""


def make_systematic(**keys: Any) -> Systematic:
    """Make a systematic of its keys.

    Raises
    ------
    pydantic.ValidationError
        If a key is missing, unknown or not allowed.
    """
    found: Systematic = TypeAdapter[Systematic](AnySystematic).validate_python(keys)
    return found
