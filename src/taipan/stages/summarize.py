"""Put the results of a run together: summary.json, .md, .html and .pdf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json, write_text
from taipan.config.model import Config
from taipan.plotting.redraw import draw_again
from taipan.plotting.slides import checks_figure, save_pages, slide_numbers, title_figure
from taipan.provenance import package_versions
from taipan.summary import (
    RunIdentity,
    RunResults,
    read_gates,
    read_seconds,
    read_yield_table,
    select_details,
    summarise,
    to_markdown,
    to_page,
)
from taipan.summary.networks import compare_networks
from taipan.summary.opening import write_opening


def summarize(
    fit: str,
    reference: str | None,
    records: Sequence[str],
    gates: Sequence[str],
    yields: str,
    transfer_factor: str,
    truth: str | None,
    skipped: Sequence[str],
    compared: Sequence[str],
    judgement: str | None,
    cross_checks: str | None,
    scores: Mapping[str, str],
    scaled: dict[str, list[str]],
    benchmarks: str,
    config: Config,
    identity: dict[str, Any],
    summary: str,
    text: str,
    page: str,
    corrections: str | None = None,
    calibration: str | None = None,
    shown: Sequence[str] = (),
    drawn: Sequence[str] = (),
    slides: str | None = None,
) -> None:
    """Write the summary of a run.

    Parameters
    ----------
    fit, reference
        Results of the fit and of the reference fit (None if there is none).
    records
        Records written beside the workspaces.
    gates
        Verdicts; each gate has the name of its folder.
    yields, transfer_factor
        Outputs of the rules `combine_templates` and `measure_transfer_factor`.
    truth
        Truth record of the embedded simulation, None for real data.
    skipped
        Records of the chunks that the skim left out.
    compared
        Results of the fits of other networks; none if there is only one.
    judgement
        Record of the rule `check_decorrelation`; None if the networks are not judged.
    cross_checks
        Estimates that are compared; None if there are no cross-checks.
    scores
        Network → observable that is its score; empty if there is only one.
    scaled
        Parameter of interest → datasets of the samples that it multiplies.
    benchmarks
        Folder of Snakemake's benchmark files.
    config
        Sections `analysis`, `title`, `regions` and `fit`.
    identity
        Catalogue, luminosity (fb⁻¹), seed and hashes of the run.
    summary, text, page
        Files to write: JSON, Markdown, and HTML with the figures inside.
    corrections
        Record of the rule `list_corrections`; None if nothing is corrected.
    calibration
        Record of the rule `calibrate_intervals`; None if intervals are not calibrated.
    shown
        PNG files of the figures of the main fit that the first page shows.
    drawn
        JSON files of the figures that the slides have.
    slides
        PDF file to write, with a title page and these figures; None for none.
    """
    main, verdicts = read_json(fit), read_gates(gates)
    content = summarise(
        config,
        RunIdentity(**identity, packages=package_versions()),
        RunResults(
            fit=main,
            reference=None if reference is None else read_json(reference),
            records=[read_json(path) for path in records],
            gates=verdicts,
            yields=read_yield_table(yields),
            transfer_factor=read_json(transfer_factor),
            truth=None if truth is None else read_json(truth),
            skipped=[read_json(path) for path in skipped],
            cross_checks=None if cross_checks is None else read_json(cross_checks),
            corrections=None if corrections is None else read_json(corrections),
            calibration=None if calibration is None else read_json(calibration),
            scaled=scaled,
            networks=compare_networks(
                scores,
                [main, *(read_json(path) for path in compared)],
                None if judgement is None else read_json(judgement),
                verdicts,
            ),
        ),
        read_seconds(benchmarks),
    )
    write_json(summary, content)
    folder = Path(text).parent
    details = select_details(main, shown, folder, slides)
    markdown = to_markdown(content, details)
    write_text(text, markdown)
    write_text(page, to_page(markdown, folder))
    if slides is not None:
        numbers = slide_numbers(content, write_opening(content, details))
        figures = [draw_again(Path(path).stem, read_json(path)) for path in drawn]
        save_pages([title_figure(numbers), checks_figure(numbers), *figures], slides)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(summarize)
