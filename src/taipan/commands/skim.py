"""What the command ``taipan skim`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.analysis_choice import find_shipped, read_trusted, trusted_folder
from taipan.analysis_selection import load_analysis
from taipan.config.load import RUN_FILE, load_config
from taipan.config.model import Run
from taipan.remote.mirrors import is_url
from taipan.scripting import configure_logging
from taipan.skim.command import SkimSource, skim_files
from taipan.skim.cutflow import format_cutflow
from taipan.skim.envelope import derive_envelope


def run_skim(
    files: Sequence[str],
    out: Path,
    source: SkimSource,
    *,
    analysis: str | None = None,
    overlays: Sequence[str] = (),
    root: Path = Path(),
    processes: int = 1,
    cutflow: Path | None = None,
) -> None:
    """Run ``taipan skim``: skim files and print the cutflow.

    Parameters
    ----------
    files
        Paths and URLs.
    out
        Parquet file to write.
    source
        What the files are.
    analysis
        Name of the analysis or path of its folder, whose code the user wants to be executed; that
        of the configuration if None.
    overlays
        Files of the configuration, whose sections ``skim`` and ``remote`` are used.
    root
        Folder that holds ``config/``.
    processes
        Number of processes.
    cutflow
        JSON file to write too, or None.

    Raises
    ------
    TaipanError
        As :func:`~taipan.skim.command.skim_files`; if there is no such analysis, or it is not
        trusted.
    """
    configure_logging()
    if overlays or (root / RUN_FILE).is_file():
        config, chosen = read_trusted(overlays, root, analysis)
    else:
        name = analysis or Run.model_fields["analysis"].default
        chosen = trusted_folder(find_shipped(name, root), analysis)
        config = load_config({"analysis": str(chosen.resolve())}, root)
    shifts, systematics = load_analysis(chosen).shifts, config.systematics.values()
    envelope = derive_envelope(config.skim.envelope, shifts, systematics)
    result = skim_files(
        [text if is_url(text) else Path(text) for text in files],
        out,
        chosen,
        config.skim.model_copy(update={"envelope": envelope}),
        source,
        remote=config.remote,
        processes=processes,
        cutflow=cutflow,
    )
    print(format_cutflow(result.cutflow))
    if not result.is_data:
        size = result.generated
        print(f"generated: {size.events:,} events, Σ genWeight {size.sumw:.10g}")
    print(f"wrote {out}")
