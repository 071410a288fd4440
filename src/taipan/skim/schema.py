"""Branch names of other NanoAOD versions: an analysis declares where else a branch may come from.

An analysis names its branches once. NanoAOD renames, replaces and drops branches between versions
and years; a table of :class:`~taipan.analysis.Alternative` says, branch by branch, what takes the
place of one that is absent, and on what condition. A file either provides every branch in one of
the declared ways or is refused with the name of the branch.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import awkward as ak

from taipan.analysis import Alternative, Alternatives
from taipan.errors import TaipanError

logger = logging.getLogger(__name__)


def _fits(option: Alternative, tree: Any, present: Collection[str]) -> bool:
    """Whether a file with the branches `present` provides a branch in this way."""
    if not all(name in present for name in (*option.branches, *option.markers)):
        return False
    return option.titled is None or option.titled in branch_title(tree[option.branches[0]])


def branch_title(branch: Any) -> str:
    """Title of a branch of a TTree, description of a field of an RNTuple."""
    return str(getattr(branch, "title", None) or getattr(branch, "description", None) or "")


def choose_alternatives(
    tree: Any, names: Sequence[str], alternatives: Alternatives, where: object
) -> dict[str, Alternative]:
    """Decide how a file provides each branch.

    Parameters
    ----------
    tree
        TTree or RNTuple.
    names
        Branches that the analysis needs.
    alternatives
        Where else each may come from.
    where
        File, for messages.

    Returns
    -------
    dict
        Branch → alternative, for those that the file does not have by that name and meaning.

    Raises
    ------
    TaipanError
        If a branch is absent and so are all its alternatives; names each such branch.
    """
    present = set(tree.keys())
    chosen, absent = {}, []
    for name in names:
        options = alternatives.get(name, ())
        fitting = [option for option in options if _fits(option, tree, present)]
        preferred = [option for option in fitting if option.preferred]
        if preferred or (name not in present and fitting):
            chosen[name] = (preferred or fitting)[0]
        elif name not in present:
            tried = "; ".join(dict.fromkeys(option.meaning for option in options))
            absent.append(f"'{name}'" + (f" (nor is there {tried})" if tried else ""))
    if absent:
        raise TaipanError(f"{where}: missing branch {', '.join(absent)}")
    return chosen


class MappedTree:
    """A tree seen under the analysis' branch names.

    Parameters
    ----------
    tree
        TTree or RNTuple.
    chosen
        Of :func:`choose_alternatives`.
    """

    def __init__(self, tree: Any, chosen: Mapping[str, Alternative]) -> None:
        self.tree = tree
        self.chosen = dict(chosen)
        self._names = list(dict.fromkeys([*tree.keys(), *chosen]))

    @property
    def num_entries(self) -> int:
        """Number of entries."""
        return int(self.tree.num_entries)

    def keys(self) -> list[str]:
        """Return the names of the branches, the analysis' among them."""
        return self._names

    def sources(self, names: Sequence[str]) -> tuple[str, ...]:
        """Name the branches of the file that those of `names` which are derived come from."""
        options = [self.chosen[name] for name in names if name in self.chosen]
        return tuple(
            dict.fromkeys(
                branch for option in options if option.derive for branch in option.branches
            )
        )

    def arrays(self, names: Sequence[str], **options: Any) -> Any:
        """Read branches by the analysis' names as a record array; options as uproot's."""
        needed: dict[str, None] = {}
        for name in names:
            option = self.chosen.get(name)
            needed.update(dict.fromkeys(option.branches if option else (name,)))
        raw = self.tree.arrays(list(needed), **options)
        columns = {}
        for name in names:
            option = self.chosen.get(name)
            if option is None:
                columns[name] = raw[name]
            else:
                inputs = [raw[branch] for branch in option.branches]
                columns[name] = option.derive(*inputs) if option.derive else inputs[0]
        return ak.zip(columns, depth_limit=1)


def map_branches(tree: Any, names: Sequence[str], alternatives: Alternatives, where: object) -> Any:
    """Return a TTree itself if it has all branches, otherwise a :class:`MappedTree`.

    Parameters
    ----------
    tree, names, alternatives, where
        As for :func:`choose_alternatives`.

    Raises
    ------
    TaipanError
        If a branch cannot be had; names it.
    """
    chosen = choose_alternatives(tree, names, alternatives, where)
    for name, option in chosen.items():
        logger.info("%s: %s is %s (%s)", where, name, option.meaning, ", ".join(option.branches))
    # an RNTuple hands out collections that nobody asked for
    is_plain = not chosen and not hasattr(tree, "field_records")
    return tree if is_plain else MappedTree(tree, chosen)


def describe_branches(
    tree: Any, names: Sequence[str], alternatives: Alternatives, where: object
) -> dict[str, str]:
    """Give the meaning of each branch that has alternatives: its own name if it is itself there.

    Parameters
    ----------
    tree, names, alternatives, where
        As for :func:`choose_alternatives`.
    """
    chosen = choose_alternatives(tree, names, alternatives, where)
    return {
        name: chosen[name].meaning if name in chosen else name
        for name in names
        if name in alternatives
    }
