"""Parquet file of transformed weights, a column a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taipan.atomic import replacing
from taipan.errors import TaipanError
from taipan.nn.data import FloatArray, TrainingSet
from taipan.parquet import read_parquet


def write_weights(path: Path | str, training_set: TrainingSet, weights: FloatArray) -> None:
    """Write weights, in an order that does not depend on that of the events.

    Parameters
    ----------
    path
        File to write.
    training_set
        The n events.
    weights
        Shape (m, n), physical weights for each of the m networks.
    """
    order = training_set.canonical_order()
    columns = {
        "identifier": training_set.identifiers[order],
        "sample": pa.array(training_set.samples[order].astype(str)).dictionary_encode(),
        "weight": training_set.weights[order],
        **{f"network_{index}": values[order] for index, values in enumerate(weights)},
    }
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd", write_page_checksum=True)


def read_weights(path: Path | str, training_set: TrainingSet, count: int) -> FloatArray:
    """Read weights written by :func:`write_weights` for the same events.

    Parameters
    ----------
    path
        File.
    training_set
        The n events, in any order.
    count
        Number of networks m.

    Returns
    -------
    numpy.ndarray
        Shape (m, n), in the order of `training_set`.

    Raises
    ------
    TaipanError
        If the file cannot be read, or holds other events, weights or numbers of networks.
    """
    table = read_parquet(path)
    networks = [f"network_{index}" for index in range(count)]
    expected = ["identifier", "sample", "weight", *networks]
    if table.column_names != expected:
        raise TaipanError(f"{path}: columns are {table.column_names}, expected {expected}")
    order = training_set.canonical_order()
    same = len(table) == len(order) and all(
        np.array_equal(table[name].to_numpy(), values[order])
        for name, values in (
            ("identifier", training_set.identifiers),
            ("weight", training_set.weights),
        )
    )
    if not same:
        raise TaipanError(
            f"{path}: its {len(table)} events are not the {len(order)} of the training"
        )
    weights = np.empty((count, len(order)))
    for index, name in enumerate(networks):
        weights[index, order] = table[name].to_numpy()
    return weights


def read_loss_weights(
    files: Sequence[Path | str], training_set: TrainingSet, count: int
) -> FloatArray | None:
    """Read the weights of the loss if there is a file of them, as :func:`read_weights` does.

    Parameters
    ----------
    files
        The file, or none: then the loss has the signed weights, or what the training makes of them.
    training_set, count
        As of :func:`read_weights`.
    """
    return read_weights(files[0], training_set, count) if files else None
