"""Keys of quantities of kind ``ditau_mass``: the mass of a pair of taus."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from taipan.columns.quantity_group import QuantityGroup
from taipan.config.base import NonNegative, Positive, Strict
from taipan.ditau.covariance import Covariance, is_positive_definite, parametrised_covariance
from taipan.ditau.decays import Decay
from taipan.ditau.mass import POWER, Leg, ditau_mass
from taipan.ditau.neutrinos import Missing
from taipan.errors import TaipanError

Array = NDArray[Any]
_Values = Mapping[str, Array]

logger = logging.getLogger(__name__)

_LARGEST_ANGLE = 2.0 * np.pi * (1.0 + 1e-6)
_SOFTEST_JET = 5.0


class VisibleTau(Strict):
    """What is seen of a tau: quantities of its momentum, and how it decays."""

    pt: str = Field(description="Transverse momentum in GeV.")
    eta: str = Field(description="Pseudorapidity.")
    phi: str = Field(description="Azimuth in rad.")
    mass: str = Field(description="Mass in GeV.")
    decay: Decay = Field(description="Into a lepton and two neutrinos, or hadrons and one.")

    def momentum(self) -> dict[str, str]:
        """Give key → quantity of its momentum."""
        return {key: getattr(self, key) for key in ("pt", "eta", "phi", "mass")}


class MissingMomentum(Strict):
    """Quantities of the missing transverse momentum."""

    pt: str = Field(description="Its size in GeV.")
    phi: str = Field(description="Azimuth in rad.")


class CovarianceMatrix(Strict):
    """Quantities of the covariance as the files have it, in GeV²."""

    xx: str = Field(description="Variance of x.")
    xy: str = Field(description="Covariance of x and y.")
    yy: str = Field(description="Variance of y.")


class JetDirection(Strict):
    """Quantities of a jet, of the leading one and so on; missing where there is none."""

    pt: str = Field(description="Transverse momentum in GeV.")
    phi: str = Field(description="Azimuth in rad.")


class JetResolution(Strict):
    """Relative resolution of the momentum of jets, added in quadrature.

    The defaults are those of JINST 12 (2017) P02014, rounded.
    """

    noise: NonNegative = Field(1.8, description="In GeV, over pT.")
    stochastic: NonNegative = Field(0.75, description="In √GeV, over √pT.")
    constant: NonNegative = Field(0.04, description="Without unit.")

    def of(self, pt: Array) -> Array:
        """Give the absolute resolution in GeV of jets of a momentum in GeV, shape (n,)."""
        hard = np.maximum(pt, _SOFTEST_JET)
        parts = (self.noise / hard, self.stochastic / np.sqrt(hard), self.constant)
        found: Array = pt * np.sqrt(sum(part**2 for part in parts))
        return found


class MissingResolution(Strict):
    """How well the missing momentum is measured."""

    matrix: CovarianceMatrix | None = Field(
        None,
        description="The covariance of the files. An event in which it is not positive definite "
        "has that of the other keys; the log counts such events.",
    )
    constant: Positive = Field(description="Resolution of a component without pile-up in GeV.")
    per_vertex: NonNegative = Field(
        0.0, description="What a vertex adds to it in GeV, in quadrature."
    )
    vertices: str | None = Field(None, description="Quantity: reconstructed vertices.")
    jets: list[JetDirection] = Field(
        default_factory=list, description="Jets whose resolution is added along their direction."
    )
    jet_resolution: JetResolution = Field(
        default_factory=JetResolution, description="Resolution of these jets."
    )

    @model_validator(mode="after")
    def _vertices_are_named(self) -> MissingResolution:
        if self.per_vertex > 0 and self.vertices is None:
            raise ValueError("`per_vertex` needs `vertices`, a quantity that counts them")
        return self

    def of(self, name: str, values: _Values) -> Covariance:
        """Give the covariance that the vertices and jets make, shape (n,) each."""
        some = next(iter(values.values()))
        vertices = np.zeros(len(some)) if self.vertices is None else values[self.vertices]
        jets = [
            (values[jet.pt], self.jet_resolution.of(values[jet.pt]), values[jet.phi])
            for jet in self.jets
        ]
        return parametrised_covariance(self.constant, self.per_vertex, vertices, jets)


class DitauMassQuantity(Strict, QuantityGroup):
    """The mass of a pair of taus; `NAME`, `NAME_width`, `NAME_chi2` and `NAME_collinear`."""

    kind: Literal["ditau_mass"] = Field("ditau_mass", description="What it is.")
    legs: list[VisibleTau] = Field(
        min_length=2, max_length=2, description="What is seen of the two taus."
    )
    missing: MissingMomentum = Field(description="Missing transverse momentum.")
    covariance: MissingResolution = Field(description="Covariance of the missing momentum.")
    power: int = Field(
        POWER, ge=0, le=10, description="Each mass m is weighed by m^-power (docs/ditau_mass.md)."
    )

    def inputs(self) -> dict[str, str]:
        """Give key → quantity."""
        found: dict[str, str] = {}
        for i, leg in enumerate(self.legs):
            found |= {f"legs[{i}].{key}": used for key, used in leg.momentum().items()}
        found |= {"missing.pt": self.missing.pt, "missing.phi": self.missing.phi}
        resolution = self.covariance
        if resolution.matrix is not None:
            matrix = resolution.matrix.model_dump()
            found |= {f"covariance.matrix.{key}": used for key, used in matrix.items()}
        if resolution.vertices is not None:
            found["covariance.vertices"] = resolution.vertices
        for i, jet in enumerate(resolution.jets):
            found |= {f"covariance.jets[{i}].{key}": used for key, used in jet.model_dump().items()}
        return found

    def may_lack(self, key: str) -> bool:
        """Tell whether it may be missing: a jet, or the covariance of the files."""
        return key.startswith(("covariance.jets", "covariance.matrix"))

    def describe(self, name: str) -> dict[str, tuple[str, str]]:
        """Give quantity → unit and meaning."""
        return {
            name: ("GeV", "mass of the pair of taus, mean over all decays that fit"),
            f"{name}_width": ("GeV", "standard deviation of that mass"),
            f"{name}_chi2": ("", "smallest χ² of the missing momentum that any decay has"),
            f"{name}_collinear": ("GeV", "mass with neutrinos along the visible momenta"),
        }

    def compute(self, name: str, values: _Values, *, tell: bool) -> dict[str, Array]:
        """Compute the four of them.

        Raises
        ------
        TaipanError
            If an azimuth is not in rad.
        """
        self._check_angles(name, values)
        first, second = (
            Leg(leg.decay, *(values[used] for used in leg.momentum().values())) for leg in self.legs
        )
        pt, phi = values[self.missing.pt], values[self.missing.phi]
        covariance = self._covariance(name, values, tell)
        missing = Missing(pt * np.cos(phi), pt * np.sin(phi), *covariance)
        mass = ditau_mass(first, second, missing, power=self.power)
        found = (mass.mean, mass.width, mass.chi2, mass.collinear)
        return dict(zip(self.describe(name), found, strict=True))

    def _covariance(self, name: str, values: _Values, tell: bool) -> Covariance:
        made = self.covariance.of(name, values)
        if self.covariance.matrix is None:
            return made
        matrix = self.covariance.matrix
        read = (values[matrix.xx], values[matrix.xy], values[matrix.yy])
        good = is_positive_definite(read)
        if tell and not good.all():
            logger.warning(
                "quantities.%s: the covariance of the missing momentum (%s, %s, %s) is not "
                "positive definite in %d of %d events; there it is made of the other keys",
                *(name, matrix.xx, matrix.xy, matrix.yy, int((~good).sum()), len(good)),
            )
        xx, xy, yy = (np.where(good, *pair) for pair in zip(read, made, strict=True))
        return xx, xy, yy

    def _check_angles(self, name: str, values: _Values) -> None:
        for key, used in self.inputs().items():
            if not key.endswith(".phi"):
                continue
            wrong = np.abs(values[used]) > _LARGEST_ANGLE
            if wrong.any():
                raise TaipanError(
                    f"quantities.{name}.{key}: '{used}' is {values[used][wrong][0]:g} in "
                    f"{int(wrong.sum())} of {len(wrong)} events (allowed: an azimuth in rad, from "
                    "-2π to 2π)"
                )
