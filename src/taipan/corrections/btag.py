"""b-tag weights by working points: scale factors and efficiencies of tagged and other jets.

The weight of an event is the probability in data over that in simulation that its jets are tagged
as they are (method 1a of CMS, BTagSFMethods). With E_k the efficiency and S_k the scale factor of
the k-th working point, loosest first, E_0 = S_0 = 1 and E_(n+1) = 0, a jet that passes the first k
alone has the factor (S_k E_k − S_(k+1) E_(k+1)) / (E_k − E_(k+1)). With one working point that is S
of a tagged jet, and (1 − S E) / (1 − E) of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taipan.columns.expressions import Expression
from taipan.config.base import Name, Place, Strict
from taipan.corrections.base import FromFile, InputNames, OpenedWeight, Side
from taipan.corrections.files import CorrectionFile, open_correction_file
from taipan.corrections.lookup import Evaluated, bind_expression, check_known_text, names_of
from taipan.corrections.ranges import list_ranges
from taipan.corrections.sided import SidedLookup, bind_sides
from taipan.corrections.view import EventView, Valued
from taipan.errors import TaipanError
from taipan.suggestions import unknown

Array = NDArray[Any]


class Efficiencies(Strict):
    """Efficiencies of the working points in simulation."""

    file: Place = Field(description="correctionlib file with efficiencies of jets in simulation.")
    correction: str = Field("efficiency", description="Name of the correction in `file`.")
    inputs: dict[str, str | float] = Field(
        default_factory=dict, description="Inputs, as of the scale factors."
    )


class TagWeight(FromFile):
    """Scale factors of b-tags with working points."""

    kind: Literal["btag"] = Field(
        description="Scale factors of tagged jets and, with efficiencies, of those not tagged."
    )
    correction: str = Field(
        description="Scale factors in `file`; of flavours 4 and 5 with `light`."
    )
    light: str | None = Field(None, description="Scale factors of flavour 0, if they are others.")
    objects: Name = Field("Jet", description="Collection of the jets.")
    where: str | None = Field(None, description="Condition on the jets that are counted.")
    tagger: Name = Field(description="Field that is compared with the thresholds.")
    working_points: dict[str, float] = Field(
        min_length=1,
        description="Working point, as the input `working_point` calls it → threshold.",
    )
    working_point: str = Field("working_point", description="Input that the working point goes to.")
    flavour: Name = Field("hadronFlavour", description="Field with the flavour: 5, 4 or 0.")
    flavour_input: str = Field("flavor", description="Input that the flavour goes to.")
    efficiencies: Efficiencies = Field(description="Efficiencies in simulation.")

    @property
    def files(self) -> Mapping[str, str]:
        """The scale factors and the efficiencies."""
        return {"file": self.file, "efficiencies.file": self.efficiencies.file}

    def open(self, key: str, known: InputNames) -> OpenedWeight:
        """Bind scale factors and efficiencies of every working point."""
        allowed = known.fields(f"{key}.objects", self.objects)
        where = names_of(f"{key}.where", self.where, allowed)
        for name in ("tagger", "flavour"):
            if getattr(self, name) not in allowed:
                what = f"stored field of {self.objects} (Selection.objects, keep=)"
                raise TaipanError(unknown(f"{key}.{name}", getattr(self, name), what, allowed))
        ordered = sorted(self.working_points.items(), key=lambda item: item[1])
        thresholds = np.array([value for _, value in ordered])
        if np.any(np.diff(thresholds) <= 0.0):
            raise TaipanError(f"{key}.working_points: two have the same threshold")
        file = open_correction_file(f"{key}.file", self.file)
        measured = open_correction_file(f"{key}.efficiencies.file", self.efficiencies.file)
        chosen = self.efficiencies
        plain: dict[str, Any] = {"inputs": chosen.inputs, "apply": "nominal"}
        efficiency = self.model_copy(update={**plain, "up": None, "down": None})
        pair = (self.correction, self.light or self.correction)
        points = [
            _Point(
                label,
                self._bind(self, key, file, pair[0], label, allowed),
                self._bind(self, key, file, pair[1], label, allowed),
                self._bind(
                    efficiency, f"{key}.efficiencies", measured, chosen.correction, label, allowed
                ),
            )
            for label, _ in ordered
        ]
        compared = bind_expression(key, self.tagger, allowed)
        flavour = bind_expression(key, self.flavour, allowed)
        uses = frozenset().union(
            where,
            *(item.uses for p in points for item in (p.heavy, p.light, p.efficiency)),
        )
        return _Opened(key, self.objects, self.where, uses, compared, flavour, thresholds, points)

    def _bind(
        self,
        keys: FromFile,
        key: str,
        file: CorrectionFile,
        name: str,
        label: str,
        allowed: Sequence[str],
    ) -> SidedLookup:
        """Bind one correction at one working point."""
        bound = dict(keys.inputs)
        path = f"corrections.{key.split('.')[1]}.working_points.{label}"
        types = {} if name not in file.evaluators else {
            item.name: item.type for item in file.evaluators[name].inputs
        }  # fmt: skip
        if self.flavour_input in types:
            bound.setdefault(self.flavour_input, self.flavour)
        if self.working_point in types:
            bound[self.working_point] = self._place(path, label, file, name, types)
        elif types and len(self.working_points) > 1:
            what = f"input of '{name}' in {file.path}"
            raise TaipanError(unknown(f"{key}.working_point", self.working_point, what, types))
        return bind_sides(keys.model_copy(update={"inputs": bound}), key, file, name, allowed)

    def _place(
        self, path: str, label: str, file: CorrectionFile, name: str, types: Mapping[str, str]
    ) -> str | float:
        """Give what the input of the working point is bound to; refuse one it does not know."""
        axis = self.working_point
        if types[axis] != "real":
            check_known_text(path, label, file, name, axis)
            return label
        threshold = self.working_points[label]
        ranges = list_ranges(file.trees.get(name), axis)
        if ranges and not any(low <= threshold < high for low, high in ranges):
            bins = " or ".join(f"{low:g} to {high:g}" for low, high in ranges)
            raise TaipanError(
                f"{path}: {threshold:g} is outside the bins of the input '{axis}' of '{name}' in "
                f"{file.path} ({bins})"
            )
        return threshold


@dataclass(frozen=True)
class _Point:
    """Scale factors and efficiency of a working point."""

    label: str
    heavy: SidedLookup
    light: SidedLookup
    efficiency: SidedLookup


@dataclass(frozen=True)
class _Some:
    """Some of the jets."""

    source: Valued
    rows: Array
    number: int

    def evaluate(self, expression: Expression) -> Array:
        """Value of an expression of each."""
        return self.source.evaluate(expression)[self.rows]


@dataclass(frozen=True)
class _Opened(OpenedWeight):
    """The product over jets."""

    key: str
    objects: str
    where: str | None
    uses: frozenset[str]
    discriminator: Expression
    flavour: Expression
    thresholds: Array
    points: Sequence[_Point]

    def evaluate(self, view: EventView, side: Side) -> Evaluated:
        """Give the factor of each event that passes."""
        jets = view.objects(self.objects, self.where)
        n, count = jets.number, len(self.points)
        passed = np.searchsorted(self.thresholds, jets.evaluate(self.discriminator), "right")
        is_light = jets.evaluate(self.flavour) == 0.0
        efficiency, tagged = np.zeros((count + 2, n)), np.zeros((count + 2, n))
        efficiency[0] = tagged[0] = 1.0
        outside, missing = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        for i, point in enumerate(self.points, start=1):
            measured = point.efficiency.evaluate(jets, "apply")
            parts = [measured]
            scale = np.ones(n)
            for lookup, mask in ((point.heavy, ~is_light), (point.light, is_light)):
                rows = np.flatnonzero(mask)
                found = lookup.evaluate(_Some(jets, rows, len(rows)), side)
                scale[rows] = found.values
                outside[rows] |= found.outside
                missing[rows] |= found.missing
            efficiency[i], tagged[i] = measured.values, scale * measured.values
            outside |= parts[0].outside
            missing |= parts[0].missing
        rows = np.arange(n)
        above = tagged[passed, rows] - tagged[passed + 1, rows]
        below = efficiency[passed, rows] - efficiency[passed + 1, rows]
        self._refuse(below <= 0.0, passed, "the efficiencies leave no jet like it in simulation")
        self._refuse(above < 0.0, passed, "scale factor times efficiency leaves less than none")
        values = np.where(missing, 1.0, above / below)
        return Evaluated(jets.multiply(values), jets.any(outside), jets.any(missing))

    def _refuse(self, wrong: Array, passed: Array, why: str) -> None:
        if not wrong.any():
            return
        place = int(passed[wrong][0])
        passes = "no working point" if place == 0 else f"'{self.points[place - 1].label}'"
        raise TaipanError(
            f"{self.key}.efficiencies: {np.count_nonzero(wrong)} of {len(wrong)} jets, the "
            f"first of which passes {passes}: {why} (efficiencies fall from one working point to "
            "the next, and lie between 0 and 1)"
        )
