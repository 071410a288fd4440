"""Build the pyhf workspace of each fitted observable from its templates."""

from __future__ import annotations

from collections.abc import Sequence

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.likelihood import build_workspace as build
from taipan.templates.store import read_histograms


def build_workspace(
    templates: str,
    transfer_factor: str | None,
    config: Config,
    observables: Sequence[str],
    workspaces: Sequence[str],
    records: Sequence[str],
    published: str,
) -> None:
    """Read templates, write workspaces and records of what was done.

    Parameters
    ----------
    templates
        Histogram file with one histogram an observable.
    transfer_factor
        JSON record of the opposite-sign/same-sign factor, None if no sample needs it.
    config
        Sections `samples`, `regions`, `systematics`, `templates` and `fit`.
    observables
        Observables of the fits: of the signal regions that name none of their own.
    workspaces, records
        JSON files to write, one of each for an observable, in this order.
    published
        JSON file to write, where readers look for it: the workspace of the first observable.

    Raises
    ------
    TaipanError
        If an observable has no templates, or no model can be built from them.
    """
    histograms = read_histograms(templates)
    measured = None if transfer_factor is None else read_json(transfer_factor)
    for observable, workspace, record in zip(observables, workspaces, records, strict=True):
        if observable not in histograms:
            raise TaipanError(
                f"{templates}: no templates of {observable!r}; present: {', '.join(histograms)}"
            )
        model, made = build(histograms[observable], config, observable, measured, histograms)
        write_json(workspace, model)
        write_json(record, made)
        if observable == observables[0]:
            write_json(published, model)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(build_workspace)
