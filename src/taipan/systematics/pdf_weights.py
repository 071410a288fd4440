"""Parton densities: the weights of the members of a set, and of another α_s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from taipan.errors import TaipanError
from taipan.systematics.members import GeneratorWeights, Members, check_places
from taipan.systematics.pdf_sets import PDF_SETS, UNCERTAINTY_ALPHA_S, find_pdf_set

Array = NDArray[np.float64]
_Place = Annotated[int, Field(ge=0)]


class PdfWeights(GeneratorWeights):
    """Members of a set of parton densities, as its authors mean them to be put together."""

    kind: Literal["pdf_weights"] = Field(
        description="Parton densities and α_s, from the generator's weights (`LHEPdfWeight`)."
    )
    vary: Literal["pdf", "alpha_s", "pdf_and_alpha_s"] = Field(
        "pdf", description="What is varied; both are added in quadrature."
    )
    method: Literal["hessian", "asymmetric_hessian", "replicas"] | None = Field(
        None,
        description="What the members are: eigenvectors of one direction (quadrature), pairs of "
        "them (up, down, up, ...), or replicas (standard deviation). That of the set if it is not "
        "given and the title of the branch names a known one.",
    )
    central: _Place | None = Field(
        None,
        description="Place of the central member of the set. Without it: as the set says, or the "
        "nominal weight.",
    )
    members: tuple[_Place, _Place] | None = Field(
        None, description="Places of the first and the last eigenvector or replica."
    )
    alpha_s: tuple[_Place, _Place] | None = Field(
        None, description="Places of the members with the lower and the higher α_s."
    )
    alpha_s_scale: Annotated[float, Field(gt=0.0)] | None = Field(
        None,
        description="±1σ of α_s over half the difference of the two members. Of a known set that "
        "of the uncertainty 0.0015 (PDF4LHC15).",
    )
    scale: Annotated[float, Field(gt=0.0)] = Field(
        1.0,
        description="Factor on the size that the members give, such as 0.608 (1/1.645) for a set "
        "whose members are at 90 % confidence level.",
    )

    branch: ClassVar[str] = "LHEPdfWeight"

    @model_validator(mode="after")
    def _sensible(self) -> PdfWeights:
        if self.members is not None:
            first, last = self.members
            number = last - first + 1
            if number < 2:
                raise ValueError(f"members: {first} to {last} are {max(number, 0)} (at least two)")
            if self.method == "asymmetric_hessian" and number % 2:
                raise ValueError(f"members: {first} to {last} are {number}, which make no pairs")
        return self

    def choose_members(self, title: str, count: int) -> Members:
        """Choose by the keys, and what they leave open by the set that the title names."""
        method, central, varied = self._choose_varied(title, count)
        alpha_s, scale = (None, 1.0) if self.vary == "pdf" else self._choose_alpha_s(title, count)
        places = {"members": varied, "alpha_s": alpha_s or ()}
        places["central"] = () if central is None else (central,)
        check_places(self.branch, places, count)
        if method == "asymmetric_hessian" and len(varied) % 2:
            raise TaipanError(f"members: {len(varied)} of them make no pairs")
        if self.vary == "alpha_s":
            return Members("alpha_s", (), None, alpha_s, scale)
        return Members(method, varied, central, alpha_s, scale)

    def _choose_varied(self, title: str, count: int) -> tuple[str, int | None, tuple[int, ...]]:
        found = find_pdf_set(title)
        if found is None and self.vary != "alpha_s" and (self.method is None or not self.members):
            raise TaipanError(
                f"{count} weights whose title ({title!r}) names no known set of parton densities; "
                "say what they are in `method` and `members` (known: "
                f"{', '.join(item.name for item in PDF_SETS.values())})"
            )
        central, varied = self.central, self.members
        method: str = self.method or ""
        if found is not None:
            first, known = found
            has_central = first in PDF_SETS
            method = method or known.method
            begin = 1 if has_central else 0
            varied = varied or (begin, begin + known.members - 1)
            if central is None and has_central and method != "replicas":
                central = 0
        places = () if varied is None else tuple(range(varied[0], varied[1] + 1))
        return method, central, places

    def _choose_alpha_s(self, title: str, count: int) -> tuple[tuple[int, int], float]:
        found = find_pdf_set(title)
        pair, scale = self.alpha_s, self.alpha_s_scale
        if pair is None and found is not None and found[1].alpha_s:
            last = found[1].members + (found[0] in PDF_SETS)
            pair = (last, last + 1)
        if pair is None:
            raise TaipanError(
                f"{count} weights whose title ({title!r}) names no set with other α_s; say which "
                "they are in `alpha_s`, or leave them out (vary: pdf)"
            )
        if scale is None and found is not None and found[1].alpha_s_step is not None:
            scale = UNCERTAINTY_ALPHA_S / found[1].alpha_s_step
        if scale is None:
            raise TaipanError(
                "`alpha_s_scale` is needed: the title names no set whose step of α_s is known"
            )
        return pair, scale

    def combine_members(
        self, nominal: Array, values: Mapping[int, Array], members: Members
    ) -> tuple[Array, Array]:
        """Add the changes of the members in quadrature, in each bin, as the method says."""
        up, down = np.zeros_like(nominal), np.zeros_like(nominal)
        if members.method != "alpha_s":
            centre = nominal if members.central is None else values[members.central]
            changes = np.stack([values[place] for place in members.varied]) - centre
            up, down = (self.scale * size for size in _METHODS[members.method](changes))
        if members.alpha_s is not None:
            lower, higher = (values[place] for place in members.alpha_s)
            step = members.alpha_s_scale * 0.5 * (higher - lower)
            if members.method == "alpha_s":
                return nominal + step, nominal - step
            up, down = np.hypot(up, step), np.hypot(down, step)
        return nominal + up, nominal - down


def _hessian(changes: Array) -> tuple[Array, Array]:
    """Add the eigenvectors in quadrature (J. Phys. G 43, 023001, eq. 20)."""
    size = np.sqrt(np.sum(changes**2, axis=0))
    return size, size


def _asymmetric_hessian(changes: Array) -> tuple[Array, Array]:
    """Add the larger change of each pair in quadrature (hep-ph/0605240, eq. 43)."""
    first, second = changes[::2], changes[1::2]
    up = np.maximum(np.maximum(first, second), 0.0)
    down = np.maximum(np.maximum(-first, -second), 0.0)
    return np.sqrt(np.sum(up**2, axis=0)), np.sqrt(np.sum(down**2, axis=0))


def _replicas(changes: Array) -> tuple[Array, Array]:
    """Give the standard deviation of the replicas (J. Phys. G 43, 023001, eq. 21)."""
    size = np.std(changes, axis=0, ddof=1)
    return size, size


_METHODS = {
    "hessian": _hessian,
    "asymmetric_hessian": _asymmetric_hessian,
    "replicas": _replicas,
}
