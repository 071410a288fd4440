"""Build the pyhf workspace of one observable from its templates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json, write_json
from taipan.config.slices import restore_slice
from taipan.errors import TaipanError
from taipan.likelihood import build_workspace as build
from taipan.scripting import run_script
from taipan.templates.store import read_histograms

if TYPE_CHECKING:
    snakemake: Any


def build_workspace(
    templates: str,
    transfer: str | None,
    config: Mapping[str, Any],
    observable: str,
    workspace: str,
    record: str,
) -> None:
    """Read templates, write the workspace and the record of what was done.

    Parameters
    ----------
    templates
        Histogram file with one histogram an observable.
    transfer
        JSON record of the opposite-sign/same-sign factor, None if no sample needs it.
    config
        Sections `samples`, `regions`, `systematics`, `templates` and `fit`.
    observable
        Observable of the signal regions.
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
        restore_slice(config),
        observable,
        None if transfer is None else read_json(transfer),
    )
    write_json(workspace, model)
    write_json(record, made)


if __name__ == "__main__":
    run_script(
        build_workspace,
        templates=snakemake.input.templates,
        transfer=snakemake.input.get("transfer"),
        config=snakemake.params.config,
        observable=snakemake.params.observable,
        workspace=snakemake.output.workspace,
        record=snakemake.output.record,
        log=snakemake.log[0],
    )
