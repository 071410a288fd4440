"""What the command ``taipan skim`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.analysis_choice import find_analysis, trusted_module
from taipan.config.load import ANALYSES, read_config
from taipan.config.sections.remote import Remote
from taipan.config.sections.skim import Skim
from taipan.remote.mirrors import is_url
from taipan.scripting import configure_logging
from taipan.skim.command import Source, skim_files
from taipan.skim.cutflow import format_cutflow


def run_skim(
    files: Sequence[str],
    out: Path,
    source: Source,
    *,
    analysis: str,
    module: str | None,
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
        Name of the analysis, or of its module.
    module
        Module outside the package that the configuration may name.
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
    if overlays or (root / ANALYSES / f"{analysis}.yaml").is_file():
        config = read_config([*overlays], root, analysis=analysis)
        chosen = trusted_module(config.module, module)
        skim, remote = config.skim, config.remote
    else:
        chosen = find_analysis(analysis, root)
        skim, remote = Skim(), Remote()
    result = skim_files(
        [text if is_url(text) else Path(text) for text in files],
        out,
        chosen,
        skim,
        source,
        remote=remote,
        processes=processes,
        cutflow=cutflow,
    )
    print(format_cutflow(result.cutflow))
    if not result.is_data:
        size = result.generated
        print(f"generated: {size.events:,} events, Σ genWeight {size.sumw:.10g}")
    print(f"wrote {out}")
