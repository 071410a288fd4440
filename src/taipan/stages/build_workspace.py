"""Build the pyhf workspace of one observable from its templates."""

from __future__ import annotations

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.likelihood import build_workspace as build
from taipan.templates.store import read_histograms


def build_workspace(
    templates: str,
    transfer_factor: str | None,
    config: Config,
    observable: str,
    workspace: str,
    record: str,
) -> None:
    """Read templates, write the workspace and the record of what was done.

    Parameters
    ----------
    templates
        Histogram file with one histogram an observable.
    transfer_factor
        JSON record of the opposite-sign/same-sign factor, None if no sample needs it.
    config
        Sections `samples`, `regions`, `systematics`, `templates` and `fit`.
    observable
        Observable of the fit: of the signal regions that name none of their own.
    workspace, record
        JSON files to write.

    Raises
    ------
    TaipanError
        If the observable has no templates, or no model can be built from them.
    """
    histograms = read_histograms(templates)
    if observable not in histograms:
        raise TaipanError(
            f"{templates}: no templates of {observable!r}; present: {', '.join(histograms)}"
        )
    model, made = build(
        histograms[observable],
        config,
        observable,
        None if transfer_factor is None else read_json(transfer_factor),
        histograms,
    )
    write_json(workspace, model)
    write_json(record, made)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(build_workspace)
