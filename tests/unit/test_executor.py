"""The same events come out for any chunks, order, number of processes, storage or cluster."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from taipan.errors import TaipanError
from taipan.remote.fetch import Expected
from taipan.skim.cutflow import Cutflow, merge_cutflows
from taipan.skim.executor import Outputs, run_dask, run_local
from taipan.skim.parts import Part, check_every_entry
from taipan.skim.task import SkimTask
from tests.conftest import fastsim_settings, skim_settings
from tests.nanoaod_files import rewrite

DATASET = "DYToTauTau_NLO"
EVENTS = 1500  # in each of two files
FOLDER = str(Path(__file__).parents[2] / "config/analyses/htautau")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two files of one dataset, with weights of both signs."""
    from taipan.fastsim import write_dataset

    folder = tmp_path_factory.mktemp("files")
    write_dataset(
        DATASET, folder / "all.root", fastsim_settings(events={DATASET: 2 * EVENTS}), seed=3
    )
    for name, part in (("a.root", slice(EVENTS)), ("b.root", slice(EVENTS, None))):

        def keep(columns: dict[str, Any], part: slice = part) -> None:
            for branch in columns:
                columns[branch] = columns[branch][part]

        rewrite(folder / "all.root", folder / name, keep)
    return [folder / "a.root", folder / "b.root"]


def plan(files: Sequence[Path], size: int, **changes: Any) -> list[SkimTask]:
    edges = [*range(0, EVENTS, size), EVENTS]
    settings = skim_settings(DATASET, **changes)
    return [
        SkimTask(path.name, start, stop, path, settings, FOLDER, {"code": "x"})
        for path in files
        for start, stop in itertools.pairwise(edges)
    ]


def name_outputs(folder: Path, number: int) -> list[Outputs]:
    return [(folder / f"{i}.parquet", folder / f"{i}.json") for i in range(number)]


def fingerprint(outputs: Sequence[Outputs]) -> str:
    """Hash of the table of all events, sorted by their identity."""
    table = pa.concat_tables([pq.read_table(events) for events, _ in outputs])
    assert len(set(table["event_hash"].to_pylist())) == len(table) > 500
    table = table.sort_by("event_hash").combine_chunks()
    return hashlib.sha256(json.dumps(table.to_pydict(), sort_keys=True).encode()).hexdigest()


def read_flows(outputs: Sequence[Outputs]) -> tuple[Cutflow, list[Part]]:
    contents = [json.loads(cutflow.read_text(encoding="utf-8")) for _, cutflow in outputs]
    flow = merge_cutflows([Cutflow.from_dict(content) for content in contents])
    return flow, [Part.from_dict(content["part"]) for content in contents]


@pytest.fixture(scope="module")
def reference(
    files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Cutflow, list[Outputs]]:
    """Each file in one piece, in one process."""
    outputs = name_outputs(tmp_path_factory.mktemp("reference"), 2)
    run_local(plan(files, EVENTS), outputs)
    return fingerprint(outputs), read_flows(outputs)[0], outputs


@pytest.mark.parametrize(("size", "backwards"), [(1000, False), (400, True)])
def test_chunks_and_order(
    files: list[Path], reference: Any, tmp_path: Path, size: int, backwards: bool
) -> None:
    tasks = plan(files[::-1] if backwards else files, size, step_events=size // 2)
    outputs = name_outputs(tmp_path, len(tasks))
    run_local(tasks, outputs)
    assert fingerprint(outputs) == reference[0]
    flow, parts = read_flows(outputs)
    assert flow == reference[1]
    check_every_entry(DATASET, parts, {"a.root": EVENTS, "b.root": EVENTS})


def test_lost_weights_would_show(files: list[Path], reference: Any, tmp_path: Path) -> None:
    tasks = plan(files, 1000)[1:]
    outputs = name_outputs(tmp_path, len(tasks))
    run_local(tasks, outputs)
    assert fingerprint(outputs) != reference[0]
    with pytest.raises(TaipanError, match=r"a.root: entries 0 to 1000 were not read"):
        check_every_entry(DATASET, read_flows(outputs)[1])


def test_storage(files: list[Path], reference: Any, tmp_path: Path) -> None:
    copies = [tmp_path / path.name for path in files]
    for source, target in zip(files, copies, strict=True):
        rewrite(source, target, ntuple=True)
    tasks = plan(copies, 1000)
    outputs = name_outputs(tmp_path / "out", len(tasks))
    run_local(tasks, outputs)
    assert fingerprint(outputs) == reference[0]
    assert read_flows(outputs)[0] == reference[1]


def test_processes(files: list[Path], tmp_path: Path) -> None:
    tasks = plan(files, 1000)
    one, two = name_outputs(tmp_path / "1", 4), name_outputs(tmp_path / "2", 4)
    run_local(tasks, one)
    run_local(tasks, two, processes=2)
    for (first, flow), (second, other) in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert flow.read_bytes() == other.read_bytes()
    broken = [replace(task, expected=Expected(sha256="0" * 64)) for task in tasks]
    with pytest.raises(TaipanError, match="SHA-256"):
        run_local(broken, name_outputs(tmp_path / "3", 4), processes=2)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of two processes."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


# dask and coffea warn of their own accord
@pytest.mark.filterwarnings("ignore")
class TestDask:
    def test_same_bytes_as_one_process(
        self, files: list[Path], reference: Any, scheduler: str, tmp_path: Path
    ) -> None:
        tasks = plan(files, 1000)
        local = name_outputs(tmp_path / "local", len(tasks))
        run_local(tasks, local)
        remote = name_outputs(tmp_path / "dask", len(tasks))
        run_dask(tasks, remote, scheduler)
        assert fingerprint(remote) == reference[0]
        for one, other in zip(local, remote, strict=True):
            assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]

    def test_relative_lumi_mask_is_found_from_another_folder(
        self, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The workers looked for it in their own working directory."""
        from distributed import Client

        from taipan.fastsim import write_dataset

        name = "Run2012B_TauPlusX"
        for folder in ("here", "there"):
            (tmp_path / folder).mkdir()
        data = tmp_path / "here" / "data.root"
        write_dataset(name, data, fastsim_settings(luminosity=0.02), seed=5)
        monkeypatch.chdir(tmp_path / "here")
        arrays = uproot.open(data)["Events"].arrays(["run", "luminosityBlock"], library="np")
        run, block = int(arrays["run"][0]), int(arrays["luminosityBlock"][0])
        Path("mask.json").write_text(json.dumps({str(run): [[block, block]]}), encoding="utf-8")
        certified = (arrays["run"] == run) & (arrays["luminosityBlock"] == block)
        assert 0 < certified.sum() < len(certified)
        task = {
            "chunk": {"file": "data.root", "start": 0, "stop": None},
            "settings": vars(skim_settings(name, lumi_mask="mask.json")),
            "folder": FOLDER,
            "expected": {},
            "on_bad_file": "fail",
        }
        made = [SkimTask.from_rule(task, data, "x", {})]
        assert made[0].parameters == {**task, "code": "x"}  # a file moved is no other result
        local, remote = name_outputs(tmp_path / "1", 1), name_outputs(tmp_path / "2", 1)
        run_local(made, local)
        with Client(scheduler, set_as_default=False) as client:
            before = client.run(os.getcwd)
            client.run(os.chdir, tmp_path / "there")
            try:
                run_dask(made, remote, scheduler)
            finally:
                client.run(os.chdir, next(iter(before.values())))
        assert [p.read_bytes() for p in remote[0]] == [p.read_bytes() for p in local[0]]
        assert read_flows(remote)[0].cut("certified").events == certified.sum()

    def test_bad_file_is_named_and_nothing_is_written(
        self, files: list[Path], scheduler: str, tmp_path: Path
    ) -> None:
        absent = tmp_path / "absent.root"
        with pytest.raises(TaipanError, match="absent.root does not exist"):
            run_dask(plan([files[0], absent], EVENTS), name_outputs(tmp_path / "out", 2), scheduler)
        assert not (tmp_path / "out").exists()

    def test_worker_with_other_code_is_refused(
        self, files: list[Path], scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("taipan.skim.executor._code_of", lambda tasks: "other")
        with pytest.raises(TaipanError, match="another version of the code"):
            run_dask(plan(files, EVENTS), name_outputs(tmp_path / "out", 2), scheduler)

    def test_absent_scheduler(
        self, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("taipan.skim.executor._CONNECT_SECONDS", 1)
        with pytest.raises(TaipanError, match=r"skim.dask_scheduler: tcp://127.0.0.1:9 cannot"):
            run_dask(plan(files, EVENTS), name_outputs(tmp_path, 2), "tcp://127.0.0.1:9")
