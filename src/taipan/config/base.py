"""What every section of the configuration is made of."""

from __future__ import annotations

import os
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from taipan.clean_text import hide_credentials

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Activation = Literal["relu", "gelu", "silu", "elu", "tanh"]
"""Of the hidden layers of a network."""
Layers = list[Annotated[int, Field(ge=1)]]
"""Units of each hidden layer of a network."""
LARGEST_NUMBER = 1e9
"""Value of a quantity or parameter beyond which it is a slip; differences would lose all digits."""
Bounded = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, allow_inf_nan=False)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$")]


def require_url(url: str) -> str:
    """Refuse a base URL with a part that a client would take for another than its writer did.

    Raises
    ------
    ValueError
        If it has a space, no host, a port that is none, a query, or a user name or password with
        characters that are not written as ``%XX``.
    """
    try:
        place = urlsplit(url)
        host, _ = place.hostname, place.port  # a port that is no number is an error
    except ValueError:
        host = None
    parts = url.partition("://")[2]
    user = parts.partition("/")[0].rpartition("@")[0]
    if not host or re.search(r"[\s\\?#\x00-\x1f]", url) or re.search(r"[^\w.~!$&()*+,;=:%-]", user):
        raise ValueError(
            f"'{hide_credentials(url)}' is not the URL of a folder (https://HOST/FOLDER; special "
            "characters of a user name or password as %XX, such as %2F for /)"
        )
    return url


Url = Annotated[str, Field(pattern=r"^(https?|roots?)://[^\s/]+.*$"), AfterValidator(require_url)]


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


class Cited(Strict):
    """A number with its unit and source."""

    value: Annotated[float, Field(gt=0)] = Field(description="The number.")
    unit: str = Field("", description="Its unit, for readers; it is not converted.")
    source: str = Field(min_length=3, description="Where it was published.")
