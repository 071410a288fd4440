"""One correction of a file, whose inputs are bound to expressions, texts and numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from taipan.columns.expressions import Expression
from taipan.corrections.dense import DenseTable, make_table
from taipan.corrections.files import CorrectionFile
from taipan.corrections.ranges import Box, Node, list_ranges, list_texts, settle
from taipan.corrections.view import Valued, parse_cached
from taipan.errors import TaipanError
from taipan.suggestions import unknown

Array = NDArray[Any]
OutOfRange = Literal["error", "clamp", "flow"]
_LARGEST_FACTOR = 1e6
"""Beyond it a factor is a slip in a file, not a correction."""


@dataclass(frozen=True)
class Evaluated:
    """Factors of events or objects, shape (n,).

    Attributes
    ----------
    values
        The factors.
    outside
        Whether a value lay outside of the bins.
    missing
        Whether an input is missing (NaN), so that the factor is 1.
    """

    values: Array
    outside: Array
    missing: Array


@dataclass(frozen=True)
class Lookup:
    """A correction with bound inputs.

    Attributes
    ----------
    key
        Key of the configuration, for messages.
    file, name
        File, and name of the correction in it.
    inputs
        In order: expression, text or number; None for the text that is given when it is evaluated.
    types
        In order: ``real``, ``int`` or ``string``.
    names
        In order: name of the input.
    out_of_range
        What is done with values outside of the bins.
    """

    key: str
    file: CorrectionFile
    name: str
    inputs: tuple[Expression | str | float | None, ...]
    types: tuple[str, ...]
    names: tuple[str, ...]
    out_of_range: OutOfRange
    _known: dict[str, dict[int, Box | None]] = field(default_factory=dict, compare=False)
    _tables: dict[str, DenseTable | None] = field(default_factory=dict, compare=False)

    @property
    def free(self) -> str | None:
        """Name of the input of type ``string`` that is not bound."""
        for name, value in zip(self.names, self.inputs, strict=True):
            if value is None:
                return name
        return None

    @property
    def uses(self) -> frozenset[str]:
        """Names of the quantities and fields that the inputs are made of."""
        bound = (item for item in self.inputs if isinstance(item, Expression))
        return frozenset(name for item in bound for name in item.names)

    def evaluate(
        self, source: Valued, text: str | None, given: Mapping[str, Array] | None = None
    ) -> Evaluated:
        """Look the factors up.

        Parameters
        ----------
        source
            Events or objects.
        text
            For the input that is not bound.
        given
            Input → values that are used in place of what is bound, shape (n,).

        Raises
        ------
        TaipanError
            If a value is outside of the bins and that is an error, the correction refuses a value,
            or a factor is absurd.
        """
        texts, values = self._collect(source, text, given or {})
        known = np.ones(source.number, dtype=bool)
        for column in values.values():
            known &= np.isfinite(column)
        everything = bool(known.all())
        if not everything:
            values = {name: column[known] for name, column in values.items()}
        factors, outside = self._look_up(values, texts, int(known.sum()))
        if everything:
            return Evaluated(factors, outside, ~known)
        spread, flags = np.ones(source.number), np.zeros(source.number, dtype=bool)
        spread[known], flags[known] = factors, outside
        return Evaluated(spread, flags, ~known)

    def _collect(
        self, source: Valued, text: str | None, given: Mapping[str, Array]
    ) -> tuple[dict[str, str], dict[str, Array]]:
        """Give the texts, and the values of the numbers, by input."""
        texts: dict[str, str] = {}
        values: dict[str, Array] = {}
        for name, kind, bound in zip(self.names, self.types, self.inputs, strict=True):
            if name in given:
                values[name] = given[name]
            elif isinstance(bound, Expression):
                values[name] = source.evaluate(bound)
            elif kind == "string":
                texts[name] = str(text if bound is None else bound)
            else:
                values[name] = np.full(source.number, float(bound or 0.0))
        return texts, values

    def _look_up(
        self, values: dict[str, Array], texts: Mapping[str, str], number: int
    ) -> tuple[Array, Array]:
        outside = np.zeros(number, dtype=bool)
        tree = self.file.trees.get(self.name)
        if tree is not None and values and number:
            known = self._known.setdefault("\n".join(texts.values()), {})
            inside, outside = settle(tree, values, texts, known)
            if outside.any() and self.out_of_range == "error":
                raise TaipanError(self._describe_outside(values, inside, outside))
            if self.out_of_range == "clamp":
                values = inside
            if self.out_of_range == "clamp" or not outside.any():
                found = self._look_up_table(tree, values, texts, number)
                if found is not None:
                    return found, outside
        return self._evaluate(values, texts, number), outside

    def _look_up_table(
        self, tree: Node, values: Mapping[str, Array], texts: Mapping[str, str], number: int
    ) -> Array | None:
        """Look values inside the bins up in a table of numbers, if the correction is one."""
        key = "\n".join(texts.values())
        if key not in self._tables:
            made = make_table(tree, texts)
            absurd = made is not None and not np.all(np.abs(made.numbers) < _LARGEST_FACTOR)
            self._tables[key] = None if absurd else made
        table = self._tables[key]
        return None if table is None else table.look_up(values, number)

    def _evaluate(
        self, values: Mapping[str, Array], texts: Mapping[str, str], number: int
    ) -> Array:
        """Let correctionlib evaluate the correction.

        Raises
        ------
        TaipanError
            If it refuses, or gives a number that is absurd.
        """
        arguments = [
            texts[name]
            if name in texts
            else (values[name].astype(np.int64) if kind == "int" else values[name])
            for name, kind in zip(self.names, self.types, strict=True)
        ]
        try:
            found = np.asarray(self.file.evaluators[self.name].evaluate(*arguments), np.float64)
        except (RuntimeError, IndexError, ValueError) as error:
            reason = " ".join(str(error).split())
            what = f"'{self.name}' of {self.file.path} refuses"
            raise TaipanError(f"{self.key}: {what}: {reason}") from error
        found = np.broadcast_to(found, number)
        bad = ~(np.abs(found) < _LARGEST_FACTOR)
        if bad.any():
            raise TaipanError(
                f"{self.key}: '{self.name}' of {self.file.path} gives {found[bad][0]:g} "
                f"({np.count_nonzero(bad)} of {number} times; a factor below 10⁶ is allowed)"
            )
        return found

    def _describe_outside(
        self, values: Mapping[str, Array], inside: Mapping[str, Array], outside: Array
    ) -> str:
        first = int(np.flatnonzero(outside)[0])
        tree = self.file.trees[self.name]
        wrong = [name for name in values if values[name][first] != inside[name][first]]
        told = []
        for name in wrong:
            ranges = list_ranges(tree, name)
            bins = " or ".join(f"{low:g} to {high:g}" for low, high in ranges[:3])
            told.append(f"{name} = {values[name][first]:g}, bins from {bins}")
        return (
            f"{self.key}: {np.count_nonzero(outside)} of {len(outside)} values lie outside "
            f"the bins of '{self.name}' in {self.file.path} ({'; '.join(told)}; `out_of_range: "
            "clamp` takes the nearest bin, `flow` what the file gives; both are counted)"
        )

    def check_text(self, key: str, text: str) -> None:
        """Refuse a text that the input which is not bound does not know.

        Raises
        ------
        TaipanError
            Naming `key`, the text and what is allowed.
        """
        if self.free is not None:
            check_known_text(key, text, self.file, self.name, self.free)


def check_known_text(key: str, text: str, file: CorrectionFile, name: str, axis: str) -> None:
    """Refuse a text that an input of type ``string`` does not know.

    Raises
    ------
    TaipanError
        Naming `key`, the text and what is allowed.
    """
    known, has_default = list_texts(file.trees.get(name), axis)
    if known and text not in known and not has_default:
        what = f"text that the input '{axis}' of '{name}' in {file.path} knows"
        raise TaipanError(unknown(key, text, what, known))


def bind(
    key: str,
    file: CorrectionFile,
    name: str,
    inputs: Mapping[str, str | float],
    allowed: Collection[str],
    *,
    out_of_range: OutOfRange,
    given: Iterable[str] = (),
    name_key: str = "correction",
) -> Lookup:
    """Bind the inputs of a correction.

    Parameters
    ----------
    key
        Key of the configuration: ``corrections.muon_id``.
    file, name
        File, and name of the correction in it.
    inputs
        Input → expression, number or, for one of type ``string``, text. An input of numbers that is
        not listed has the name of a quantity or field.
    allowed
        Names that an expression may use.
    out_of_range
        What is done with values outside of the bins.
    given
        Inputs whose values are handed over when it is evaluated.
    name_key
        Key that the name of the correction stands under, for messages.

    Raises
    ------
    TaipanError
        If there is no such correction or input, or an expression is not valid.
    """
    if name not in file.evaluators:
        what = f"correction of {file.path}"
        raise TaipanError(unknown(f"{key}.{name_key}", name, what, [*file.evaluators]))
    items = list(file.evaluators[name].inputs)
    names = tuple(item.name for item in items)
    for extra in inputs:
        if extra not in names:
            what = f"input of '{name}' in {file.path}"
            raise TaipanError(unknown(f"{key}.inputs.{extra}", extra, what, names))
    bound: list[Expression | str | float | None] = []
    for item in items:
        text = None if item.name not in inputs else str(inputs[item.name])
        if item.name in given:
            bound.append(0.0)
        elif item.type == "string":
            if text is not None:
                check_known_text(f"{key}.inputs.{item.name}", text, file, name, item.name)
            bound.append(text)
        else:
            bound.append(_bind_number(f"{key}.inputs.{item.name}", text or item.name, allowed))
    free = [item.name for item, value in zip(items, bound, strict=True) if value is None]
    if len(free) > 1:
        raise TaipanError(
            f"{key}.inputs: {', '.join(free)} are not bound; `apply`, `up` and `down` are texts of "
            "one input, so give the others theirs"
        )
    types = tuple(str(item.type) for item in items)
    return Lookup(key, file, name, tuple(bound), types, names, out_of_range)


def _bind_number(key: str, text: str, allowed: Collection[str]) -> Expression | float:
    try:
        return float(text)
    except ValueError:
        pass
    return bind_expression(key, text, allowed)


def bind_expression(key: str, text: str, allowed: Collection[str]) -> Expression:
    """Parse an expression of quantities or fields.

    Raises
    ------
    TaipanError
        If it is not valid or uses a name that there is not; names `key`.
    """
    try:
        expression = parse_cached(text)
    except TaipanError as error:
        raise TaipanError(f"{key}: {error}") from None
    for name in expression.names:
        if name not in allowed:
            raise TaipanError(unknown(key, name, "quantity or stored field", sorted(allowed)))
    return expression


def names_of(key: str, condition: str | None, allowed: Collection[str]) -> frozenset[str]:
    """List the names that a condition uses; raises as :func:`bind_expression`."""
    if condition is None:
        return frozenset()
    return frozenset(bind_expression(key, condition, allowed).names)
