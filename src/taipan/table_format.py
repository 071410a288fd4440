"""How the rows of a table become events: which column is which quantity, weight and label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from taipan.config.base import Bounded, Cited, Strict
from taipan.errors import TaipanError

TableColumn = Annotated[str, Field(min_length=1)]
TableSource = TableColumn | Bounded | list[TableColumn]
"""A column, a number that stands for all rows, or the columns of a first, second, ... object."""
TABLE_SUFFIXES = (".parquet", ".csv", ".h5", ".hdf5")
"""Endings of the names of files that are tables."""


class TableFormat(Strict):
    """How the tables of a catalogue are read."""

    columns: dict[TableColumn, TableSource] = Field(
        min_length=1,
        description="Branch as `selection.py` names it → column of the table, a number that stands "
        "for every row, or a list of columns: those of the first, second, ... object "
        "(`Jet_pt: [jet1_pt, jet2_pt]`).",
    )
    missing: Bounded | None = Field(
        None,
        description="Number that stands for an object that is not there; NaN if left out.",
    )
    weight: TableColumn | None = Field(
        None,
        description="Column of the weights of simulation, in expected events at `luminosity`; "
        "without it `cross_section` normalises as usual.",
    )
    luminosity: Cited | None = Field(
        None, description="Luminosity (fb⁻¹) at which the weights are expected events."
    )
    label: TableColumn | None = Field(
        None,
        description="Column that says which dataset a row belongs to (`datasets.*.label`).",
    )
    unused_labels: list[str] = Field(
        default_factory=list, description="Labels whose rows are left out on purpose."
    )
    identity: Literal["content", "row"] = Field(
        "content",
        description="What tells a row from others: `content`, a hash of all that is read of it "
        "(equal rows are one event), or `row`, file and number of the row.",
    )
    group: str = Field(
        "", description="Of HDF5 files: group of the columns, or dataset of records."
    )

    @model_validator(mode="after")
    def _consistent(self) -> TableFormat:
        if (self.weight is None) != (self.luminosity is None):
            raise ValueError("`weight` and `luminosity` belong together (both or none)")
        if self.label is None and self.unused_labels:
            raise ValueError("`unused_labels` needs `label`, the column that holds them")
        sizes: dict[str, tuple[str, int]] = {}
        for branch, source in self.columns.items():
            if not isinstance(source, list):
                continue
            known, size = sizes.setdefault(branch.partition("_")[0], (branch, len(source)))
            if size != len(source) or not source:
                raise ValueError(
                    f"`columns.{branch}` lists {len(source)} columns, `{known}` {size} (as many "
                    "objects in each column of a collection)"
                )
        return self

    def names(self, *, is_data: bool) -> tuple[str, ...]:
        """List the columns to read, each once."""
        named: list[str] = []
        for source in self.columns.values():
            named += columns_of(source)
        extra = [self.label, None if is_data else self.weight]
        return tuple(dict.fromkeys((*named, *(name for name in extra if name is not None))))


def columns_of(source: str | float | Sequence[str]) -> tuple[str, ...]:
    """Name the columns that a branch is made of; none for a number."""
    if isinstance(source, str):
        return (source,)
    return () if isinstance(source, float | int) else tuple(source)


def weight_scale(table: TableFormat, luminosity: float, sumw: float) -> float:
    """Factor that turns the weights of a table, expected events, into those at a luminosity.

    Parameters
    ----------
    table
        Has the luminosity of its weights.
    luminosity
        Integrated luminosity in fb⁻¹.
    sumw
        Sum of the weights of the dataset.

    Raises
    ------
    TaipanError
        If the sum is not positive, or the table has no weights.
    """
    if not sumw > 0.0:
        raise TaipanError(f"Σ of the weights is {sumw}; it must be positive")
    if table.luminosity is None:
        raise TaipanError("the table has no weights")
    return luminosity / table.luminosity.value
