"""What the command ``taipan publish`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taipan.analysis_folder import own_project
from taipan.atomic import read_json, replacing_folder
from taipan.commands.export_tables import open_summary
from taipan.commands.run_events import open_events, read_run
from taipan.errors import TaipanError
from taipan.publish.crate import CRATE, write_crate
from taipan.publish.likelihood import write_likelihood
from taipan.publish.networks import write_networks
from taipan.publish.texts import title_of, write_texts

_NO_NETWORKS = "The analysis has no network: there are no models, reference events or scores."


@dataclass(frozen=True)
class PublishOptions:
    """What ``taipan publish`` is asked for; its ``--help`` says what each option means."""

    results: Path
    out: Path
    force: bool = False
    configfile: Sequence[str] = ()
    analysis: str | None = None
    root: Path = Path()


def run_publish(options: PublishOptions) -> None:
    """Run ``taipan publish``.

    Raises
    ------
    TaipanError
        If the run is not finished or damaged, was made with another configuration, or the folder
        exists; no folder is made, and an old one stays.
    """
    _refuse_existing(options.out, force=options.force)
    summary = open_summary(options.results)
    config, catalogue, results = read_run(
        options.configfile, options.root, options.analysis, options.results
    )
    project = own_project()
    places = [Path(config.folder), options.root, *([] if project is None else [project])]
    target = options.out.resolve()
    with replacing_folder(target) as folder:
        notes = write_likelihood(folder, results, summary)
        if config.features:
            write_networks(folder, open_events(
                config, catalogue, results, nominal_only=True, identified=True
            ))  # fmt: skip
        else:
            notes = [_NO_NETWORKS, *notes]
        write_texts(folder, summary, places, notes)
        write_crate(folder, title_of(summary), summary)
    print(f"wrote {options.out}: {len(_list_files(target))} files, listed in {CRATE}")
    for note in notes:
        print(note)
    if config.features:
        print(f"check it: python {options.out}/check_scores.py")


def _list_files(folder: Path) -> list[str]:
    graph = read_json(folder / CRATE)["@graph"]
    return [item["@id"] for item in graph if item["@type"] == "File"]


def _refuse_existing(out: Path, *, force: bool) -> None:
    """Refuse to replace anything but, with --force, a folder of this command."""
    if not out.exists():
        return
    if not force:
        raise TaipanError(f"--out: {out} exists; --force replaces it")
    if not (out / CRATE).is_file():
        raise TaipanError(f"--out: {out} was not made by taipan publish ({CRATE} is missing)")
