"""List the parameters of a fit as a table: values, pulls and impacts."""

from __future__ import annotations

import csv
import io
from typing import Any

from taipan.atomic import read_json, write_text


def list_parameters(result: str, parameters: str) -> None:
    """Write a line for each parameter, those with the largest impact first.

    Parameters
    ----------
    result
        JSON file of the rule ``fit``.
    parameters
        CSV file to write: name, value and sigma; pull and constraint (empty for a free parameter);
        impact_up and impact_down after the fit (empty for the parameter of interest).
    """
    content = read_json(result)
    fitted = content["expected"] if content["blinded"] else content["observed"]
    impacts: dict[str, Any] = {item["name"]: item["postfit"] for item in fitted["impacts"]}
    known = {item["name"]: item for item in fitted["parameters"]}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    keys = ("name", "value", "sigma", "pull", "constraint")
    table.writerow([*keys, "impact_up", "impact_down"])
    for name in [*impacts, *(name for name in known if name not in impacts)]:
        table.writerow([*(known[name][key] for key in keys), *impacts.get(name, ("", ""))])
    write_text(parameters, text.getvalue())


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(list_parameters)
