"""With `skim.duplicates: first` the later stages read each event once."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taipan.atomic import read_json
from tests.project import RESULTS, SMOKE, Project

pytestmark = pytest.mark.workflow


def test_first_reads_the_skim_again_and_changes_no_event_that_occurs_once(project: Project) -> None:
    """The embedded simulation has no event twice, so the results are those of `fail`."""
    results = project.path / RESULTS
    pileup = results / "corrections/pileup.json"
    before = read_json(pileup)
    done = project.snakemake(
        f"{RESULTS}/corrections/pileup.json",
        config=(SMOKE, project.overlay("skim: {duplicates: first}\n")),
    )
    assert "rule keep_first" in done.stderr
    assert "rule skim" not in done.stderr
    assert read_json(pileup) == before
    names = [path.name for path in (results / "events").iterdir()]
    assert sorted(path.stem for path in (results / "events_once").glob("*.parquet")) == sorted(
        names
    )
    for name in names:
        chunks = sorted((results / "events" / name).glob("*.parquet"))
        once = pq.read_table(results / f"events_once/{name}.parquet")
        assert once.equals(pa.concat_tables([pq.read_table(path) for path in chunks]))
    for flow in read_json(results / "cutflow/cutflow.json").values():
        pair, last = flow["cuts"][-2:]
        assert last == {**pair, "name": "once"}
    assert read_json(results / "cutflow/repeats.json")[names[0]] == [[]]
