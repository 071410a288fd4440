"""All kinds of corrections of the nominal."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from taipan.corrections.base import NominalCorrection
from taipan.rooms import import_room

import_room("taipan.corrections")
_DEFAULT = "weight"


def _list_classes(base: Any) -> list[type[NominalCorrection]]:
    found = [base] if "kind" in base.__annotations__ and base is not NominalCorrection else []
    return found + [kind for child in base.__subclasses__() for kind in _list_classes(child)]


CORRECTION_KINDS = tuple(sorted(_list_classes(NominalCorrection), key=lambda kind: kind.__module__))
"""The classes, in the order of the files."""


def _name_kind(content: Any) -> Any:
    """Let a correction without a kind be a factor on the weight."""
    if isinstance(content, Mapping) and "kind" not in content:
        return {"kind": _DEFAULT, **content}
    return content


if TYPE_CHECKING:
    AnyCorrection = NominalCorrection
else:
    AnyCorrection = Annotated[
        functools.reduce(operator.or_, CORRECTION_KINDS),
        Field(
            discriminator="kind",
            description="One correction of the nominal simulation; without `kind` a factor on the "
            "weight",
        ),
        BeforeValidator(_name_kind),
    ]
"""Keys of ``corrections.NAME``: those of the kind that `kind` names."""
