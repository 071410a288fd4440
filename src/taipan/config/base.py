"""What every section of the configuration is made of."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
LARGEST_NUMBER = 1e9
"""Value of a quantity or parameter beyond which it is a slip; differences would lose all digits."""
Bounded = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, allow_inf_nan=False)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$")]
Url = Annotated[str, Field(pattern=r"^(https?|roots?)://[^\s/]+.*$")]


def expand_home(path: str) -> str:
    """Write a path that begins with ``~`` as the shell does: from the home folder of the user.

    Raises
    ------
    ValueError
        If there is no such user.
    """
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        user = path.partition("/")[0]
        raise ValueError(f"'{path}' begins with '{user}', which is no home folder (./{path})")
    return expanded


Place = Annotated[str, AfterValidator(expand_home)]
"""Path of a file or folder; ``~`` at its beginning is the home folder."""


class Strict(BaseModel):
    """Base of every section: unknown keys are errors and values cannot be changed in place."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
