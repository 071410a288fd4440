"""Size of skim jobs, and the checks of what decides it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from taipan.checks.skim import check_skim
from taipan.config.load import load_catalogue, load_config
from taipan.config.sections.skim import Skim
from taipan.datasets import Catalogue, ChunkPlan, Dataset, divide, plan_chunks

ROOT = Path(__file__).parents[2]


def problems(skim: dict[str, Any] | None = None, **dataset: Any) -> list[str]:
    config = load_config({"catalogue": "cms-2012-reduced", "skim": skim or {}}, ROOT)
    catalogue = load_catalogue(config)
    if dataset:
        entries = catalogue.datasets | {
            "TTbar": catalogue.dataset("TTbar").model_copy(update=dataset)
        }
        catalogue = catalogue.model_copy(update={"datasets": entries})
    return list(check_skim(config, catalogue))


def test_defaults_are_in_order() -> None:
    assert problems() == []
    assert problems({"executor": "dask", "dask_scheduler": "tls://host:8786"}) == []


@pytest.mark.parametrize(
    ("skim", "message"),
    [
        ({"executor": "dask"}, "skim.dask_scheduler: missing; skim.executor 'dask' needs"),
        (
            {"dask_scheduler": "host:8786"},
            "skim.dask_scheduler: 'host:8786' is not the address of a scheduler, such as "
            "tcp://HOST:8786",
        ),
    ],
)
def test_scheduler(skim: dict[str, Any], message: str) -> None:
    (problem,) = problems(skim)
    assert message in problem


@pytest.mark.parametrize(
    "dataset", [{"generated_events": None}, {"files": ["TTbar_1.root", "TTbar_2.root"]}]
)
def test_files_that_cannot_be_divided_are_refused(dataset: dict[str, Any]) -> None:
    (problem,) = problems(**dataset)
    assert problem.startswith("datasets.TTbar.entries: missing in catalogue 'cms-2012-reduced'")
    entries = dict.fromkeys(dataset.get("files", ["TTbar.root"]), 1000)
    assert problems(**dataset, entries=entries) == []


def test_entries_belong_to_files() -> None:
    cited = {"value": 1.0, "source": "test"}
    with pytest.raises(ValidationError, match="`entries` must list every file of `files`"):
        Dataset(files=["a", "b"], is_data=False, cross_section=cited, entries={"a": 3})  # type: ignore[arg-type]


def test_default_job_reads_for_half_a_minute_and_none_is_empty() -> None:
    assert Skim().chunk_events == 0.5 * 60.0 * 100_000.0
    assert divide(10_000_000, Skim().chunk_events)[0] == (0, 2_500_000)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Skim(chunk_events=0)


def test_ranges_are_equal_and_complete() -> None:
    assert divide(10, 4) == [(0, 3), (3, 6), (6, 10)]
    assert divide(8, 4) == [(0, 4), (4, 8)]
    assert divide(0, 4) == [(0, 0)]


def test_every_file_of_a_dataset_is_divided() -> None:
    dataset = Dataset.model_validate(
        {
            "files": ["a", "b", "c"],
            "is_data": True,
            "entries": {"a": 10, "b": 3, "c": 8},
        }
    )
    assert plan_chunks(dataset, None, 5) == [
        ChunkPlan("a", 0, 5),
        ChunkPlan("a", 5, None),
        ChunkPlan("b", 0, None),
        ChunkPlan("c", 0, 4),
        ChunkPlan("c", 4, None),
    ]


def test_no_job_of_the_real_samples_is_a_giant() -> None:
    catalogue: Catalogue = load_catalogue(load_config({"catalogue": "cms-2012-reduced"}, ROOT))
    size = Skim().chunk_events
    for dataset in catalogue.datasets.values():
        plan = plan_chunks(dataset, dataset.generated_events, size)
        assert len(plan) == -(-dataset.generated_events // size)  # type: ignore[operator]
