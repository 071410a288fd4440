"""Results as a HEPData submission."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from hepdata_lib import Submission, Table, Uncertainty, Variable

from taipan.atomic import replacing
from taipan.errors import TaipanError
from taipan.export.names import check_submission_name, make_file_names
from taipan.export.tables import without_noise
from taipan.inference.yields import join_parts

LARGEST_CORRELATION = 500
"""Parameters of the largest table of correlations: 250,000 rows, which take a minute."""


def write_hepdata(
    result: Mapping[str, Any], path: Path | str, subtractions: Mapping[str, str]
) -> None:
    """Write a validated HEPData submission (``.tar.gz``).

    It holds the signal strength, the yields of each region before and after the fit with
    uncertainties and data, impacts if the result has them, and the correlation matrix of up to
    `LARGEST_CORRELATION` parameters.

    Parameters
    ----------
    result
        As ``taipan fit`` writes it.
    path
        File to write, ending in ``.tar.gz``.
    subtractions
        Sample → estimate that it is subtracted for; the yields have the net estimate.

    Raises
    ------
    TaipanError
        If the name has another ending, or hepdata-validator refuses the tables.
    """
    check_submission_name(path)
    submission = Submission()
    submission.comment = f"Fit of the signal strength {result['poi']}."
    submission.add_table(_strength(result))
    yields = {stage: join_parts(result[stage], subtractions) for stage in ("prefit", "postfit")}
    regions = [(stage, region) for stage, found in yields.items() for region in found]
    names = make_file_names([f"{stage} {region}" for stage, region in regions])
    for name, (stage, region) in zip(names, regions, strict=True):
        submission.add_table(_yields(name, stage, region, yields[stage][region]))
    if "impacts" in result:
        submission.add_table(_impacts(result))
    parameters = len(result["correlation"]["names"])
    if parameters <= LARGEST_CORRELATION:
        submission.add_table(_correlation(result))
    else:
        submission.comment += (
            f" There is no table of correlations: {parameters} parameters were fitted, and a table "
            f"has at most {LARGEST_CORRELATION}."
        )
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        try:
            submission.create_files("tables", validate=True)
        except AssertionError as error:
            raise TaipanError(f"{path}: hepdata-validator refuses it: {error}") from error
        content = Path("submission.tar.gz").read_bytes()
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _table(name: str, description: str, keyword: str) -> Table:
    table = Table(name)
    table.description = description
    table.location = "Produced by taipan fit"
    table.keywords["observables"] = [keyword]
    return table


def _variable(name: str, values: Any, *, independent: bool = False, binned: bool = False) -> Any:
    variable = Variable(name, is_independent=independent, is_binned=binned, units="")
    variable.values = list(values)
    return variable


def _strength(result: Mapping[str, Any]) -> Table:
    table = _table("Signal strength", "Estimate and 68.27 % uncertainty.", "MU")
    table.add_variable(_variable("Parameter", [result["poi"]], independent=True))
    estimate = _variable("Estimate", [result["mu_hat"]])
    if "interval" in result:
        low, high = result["interval"]
        error = Uncertainty("profile likelihood", is_symmetric=False)
        error.values = [(low - result["mu_hat"], high - result["mu_hat"])]
        estimate.add_uncertainty(error)
    table.add_variable(estimate)
    return table


def _yields(name: str, stage: str, region: str, yields: Mapping[str, Any]) -> Table:
    table = _table(name, f"Yields of region {region}, {stage}.", "N")
    edges = yields["edges"]
    bins = list(pairwise(edges))
    table.add_variable(_variable("Bin", bins, independent=True, binned=True))
    for sample, values in yields["samples"].items():
        table.add_variable(_variable(sample, map(without_noise, values)))
    total = _variable("Total", yields["total"])
    error = Uncertainty(f"{stage} uncertainty", is_symmetric=True)
    error.values = list(yields["total_sigma"])
    total.add_uncertainty(error)
    table.add_variable(total)
    table.add_variable(_variable("Data", yields["data"]))
    return table


def _impacts(result: Mapping[str, Any]) -> Table:
    table = _table("Impacts", "Change of the signal strength at ±1σ of a parameter.", "MU")
    impacts = result["impacts"]
    table.add_variable(_variable("Parameter", [i["name"] for i in impacts], independent=True))
    for side, place in (("up", 0), ("down", 1)):
        table.add_variable(_variable(f"Impact {side}", [i["postfit"][place] for i in impacts]))
    return table


def _correlation(result: Mapping[str, Any]) -> Table:
    names, matrix = result["correlation"]["names"], result["correlation"]["matrix"]
    table = _table("Correlation", "Correlation of the fitted parameters.", "CORR")
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names))]
    for title, place in (("First parameter", 0), ("Second parameter", 1)):
        values = [names[pair[place]] for pair in pairs]
        table.add_variable(_variable(title, values, independent=True))
    table.add_variable(_variable("Correlation", [matrix[a][b] for a, b in pairs]))
    return table
