"""Polynomials of parameters, as `fit.scale` and `fit.expressions` write them.

HistFactory multiplies a sample by parameters and adds samples up, so it holds sums of products of
parameters and nothing else: no quotients of them, no roots, no functions.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from taipan.errors import TaipanError
from taipan.suggestions import nearest

Monomial = tuple[tuple[str, int], ...]
"""Parameters of a product with their powers, sorted by name; empty for a number."""

LARGEST_POWER = 2
MOST_TERMS = 64
_MOST_CHARACTERS = 2000
_ALLOWED = "numbers, parameters, + - *, ** 2, division by a number, parentheses"


@dataclass(frozen=True)
class Polynomial:
    """A sum of products of parameters.

    Attributes
    ----------
    terms
        Product of parameters → its coefficient, not zero.
    """

    terms: Mapping[Monomial, float]

    @property
    def names(self) -> tuple[str, ...]:
        """Its parameters, sorted."""
        return tuple(sorted({name for monomial in self.terms for name, _ in monomial}))

    @property
    def is_product(self) -> bool:
        """Whether it is a product of different parameters, as a sample of HistFactory has it."""
        return len(self.terms) == 1 and all(
            value == 1.0 and all(power == 1 for _, power in monomial)
            for monomial, value in self.terms.items()
        )

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Give its value where the parameters have `values`."""
        return sum(
            coefficient * math.prod(values[name] ** power for name, power in monomial)
            for monomial, coefficient in self.terms.items()
        )

    def slope(self, name: str, values: Mapping[str, float]) -> float:
        """Give the derivative by a parameter."""
        found = 0.0
        for monomial, coefficient in self.terms.items():
            powers = dict(monomial)
            power = powers.pop(name, 0)
            if power:
                rest = math.prod(values[other] ** n for other, n in powers.items())
                found += coefficient * power * values[name] ** (power - 1) * rest
        return found


def parameter(name: str) -> Polynomial:
    """Give the polynomial that is one parameter."""
    return Polynomial({((name, 1),): 1.0})


class Expressions:
    """Expressions by name, which may use parameters and each other.

    Parameters
    ----------
    texts
        Name → expression.
    parameters
        Names of the parameters.
    path
        Key path of the section, for messages.
    """

    def __init__(self, texts: Mapping[str, str], parameters: tuple[str, ...], path: str) -> None:
        self._texts, self._parameters, self._path = texts, parameters, path
        self._known: dict[str, Polynomial] = {}

    def resolve(self, text: str, path: str) -> Polynomial:
        """Write an expression out in the parameters.

        Parameters
        ----------
        text
            The expression.
        path
            Its key path, for messages.

        Raises
        ------
        TaipanError
            If a name does not exist, expressions use each other in a circle, or HistFactory cannot
            hold it; names the part at fault.
        """
        found = self._expand(text, path, ())
        if not found.terms:
            raise TaipanError(f"{path}: '{text}' is zero, whatever the parameters are")
        return found

    def _expand(self, text: str, path: str, above: tuple[str, ...]) -> Polynomial:
        if len(text) > _MOST_CHARACTERS:
            raise TaipanError(f"{path}: {len(text)} characters (at most {_MOST_CHARACTERS})")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else "nested too deeply"
            raise TaipanError(f"{path}: '{text}' cannot be read: {reason} ({_ALLOWED})") from error
        try:
            return self._walk(tree, path, above)
        except RecursionError as error:
            raise TaipanError(f"{path}: '{text[:40]} ...' is nested too deeply") from error

    def _find(self, name: str, path: str, above: tuple[str, ...]) -> Polynomial:
        if name in self._parameters:
            return parameter(name)
        if name not in self._texts:
            allowed = [*self._parameters, *self._texts]
            raise TaipanError(
                f"{path}: '{name}' is not a parameter of interest or an expression"
                f"{nearest(name, allowed)} ({', '.join(allowed) or 'there is none'})"
            )
        if name in above:
            circle = " → ".join([*above[above.index(name) :], name])
            raise TaipanError(f"{self._path}.{name}: {circle}: an expression uses itself")
        if name not in self._known:
            inner = f"{self._path}.{name}"
            self._known[name] = self._expand(self._texts[name], inner, (*above, name))
        return self._known[name]

    def _walk(self, node: ast.expr, path: str, above: tuple[str, ...]) -> Polynomial:
        match node:
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as value) if math.isfinite(value):
                return Polynomial({(): float(value)} if value else {})
            case ast.Name(id=name):
                return self._find(name, path, above)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
                factor = -1.0 if isinstance(sign, ast.USub) else 1.0
                return _times(self._walk(inner, path, above), Polynomial({(): factor}), path)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
                factor = -1.0 if isinstance(sign, ast.Sub) else 1.0
                other = _times(self._walk(right, path, above), Polynomial({(): factor}), path)
                return _plus(self._walk(left, path, above), other, path)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return _times(self._walk(left, path, above), self._walk(right, path, above), path)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                divisor = self._walk(right, path, above)
                if divisor.names or not divisor.terms:
                    raise TaipanError(
                        f"{path}: '{ast.unparse(node)}': HistFactory cannot divide by "
                        f"{', '.join(divisor.names) or 'zero'} ({_ALLOWED})"
                    )
                inverse = Polynomial({(): 1.0 / divisor.terms[()]})
                return _times(self._walk(left, path, above), inverse, path)
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=2)):
                base = self._walk(left, path, above)
                return _times(base, base, path)
        raise TaipanError(
            f"{path}: '{ast.unparse(node)}': HistFactory cannot hold it; a yield is a sum of "
            f"products of parameters ({_ALLOWED})"
        )


def _plus(left: Polynomial, right: Polynomial, path: str) -> Polynomial:
    terms = dict(left.terms)
    for monomial, value in right.terms.items():
        terms[monomial] = terms.get(monomial, 0.0) + value
    return _checked(terms, path)


def _times(left: Polynomial, right: Polynomial, path: str) -> Polynomial:
    terms: dict[Monomial, float] = {}
    for first, a in left.terms.items():
        for second, b in right.terms.items():
            powers = dict(first)
            for name, power in second:
                powers[name] = powers.get(name, 0) + power
            monomial = tuple(sorted(powers.items()))
            terms[monomial] = terms.get(monomial, 0.0) + a * b
    return _checked(terms, path)


def _checked(terms: Mapping[Monomial, float], path: str) -> Polynomial:
    kept = {monomial: value for monomial, value in terms.items() if value != 0.0}
    if len(kept) > MOST_TERMS:
        raise TaipanError(f"{path}: more than {MOST_TERMS} terms when it is multiplied out")
    for monomial, value in kept.items():
        if not math.isfinite(value):
            raise TaipanError(f"{path}: a coefficient is not finite")
        for name, power in monomial:
            if power > LARGEST_POWER:
                raise TaipanError(
                    f"{path}: '{name}' to the power {power}: at most {LARGEST_POWER} is held "
                    "(linear and quadratic terms of each parameter)"
                )
    return Polynomial(kept)
