"""Members of generator weights: which are used, how they are put together, and their sums."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest
from pydantic import ValidationError

from taipan.errors import TaipanError
from taipan.skim import read_lists
from taipan.skim.parts import GeneratedSums, Part
from taipan.skim.weight_lists import (
    WeightSums,
    add_weighted,
    count_members,
    read_list_sums,
    square_lists,
)
from taipan.skim.weight_means import WeightMeans, average_weights, choose_generator
from taipan.systematics.members import GeneratorWeights, Members
from taipan.systematics.registry import make_systematic


def make(kind: str, **keys: Any) -> GeneratorWeights:
    found = make_systematic(kind=kind, samples=["a"], **keys)
    assert isinstance(found, GeneratorWeights)
    return found


FORTRAN = "; ".join(
    f"[{i}] is renscfact={r}d0 facscfact={f}d0"
    for i, (r, f) in enumerate([(1, 1), (1, 2), (1, 0.5), (2, 1), (2, 2), (0.5, 1), (0.5, 0.5)])
)
XML = 'weights; [0] is MUF="0.5" MUR="0.5"; [1] is MUF="2.0" MUR="2.0"'


@pytest.mark.parametrize(
    ("keys", "title", "count", "varied"),
    [
        ({}, "", 9, (0, 1, 3, 5, 7, 8)),
        ({}, "", 8, (0, 1, 3, 4, 6, 7)),  # the fifth of nine is not there
        ({}, FORTRAN, 7, (1, 2, 3, 4, 5, 6)),
        ({"vary": "muR"}, "", 9, (7, 1)),
        ({"vary": "muF"}, "", 8, (4, 3)),
        ({"vary": "muRmuF"}, XML, 2, (1, 0)),
        ({"vary": "muR"}, FORTRAN, 7, (3, 5)),
        ({"members": [5, 15, 24, 34]}, "", 44, (5, 15, 24, 34)),
    ],
)
def test_scales_are_found_by_title_or_number(
    keys: dict[str, Any], title: str, count: int, varied: tuple[int, ...]
) -> None:
    assert make("scale_weights", **keys).choose_members(title, count).varied == varied


@pytest.mark.parametrize(
    ("keys", "title", "count", "message"),
    [
        ({}, "", 44, "44 weights whose title does not say what they are"),
        ({}, XML, 2, "2 of the six variations of the scales are there"),
        ({"vary": "muF"}, XML, 2, "no member has the factors 1 and 2"),
        ({}, XML + "; [2] is MUR=2 MUF=2", 3, "members 1 and 2 have the same factors"),
        ({}, "w; [0] is DYN_SCALE=1", 9, "'\\[0\\] is DYN_SCALE=1' of 9 weights is not understood"),
        ({"members": [1, 1]}, "", 9, "names a member of LHEScaleWeight twice"),
    ],
)
def test_scales_that_cannot_be_told_are_refused(
    keys: dict[str, Any], title: str, count: int, message: str
) -> None:
    with pytest.raises(TaipanError, match=message):
        make("scale_weights", **keys).choose_members(title, count)


def test_keys_that_make_no_sense_are_refused() -> None:
    for kind, keys, message in (
        ("scale_weights", {"vary": "muR", "members": [1]}, "takes two"),
        ("pdf_weights", {"members": (5, 5)}, "at least two"),
        ("pdf_weights", {"members": (1, 3), "method": "asymmetric_hessian"}, "make no pairs"),
    ):
        with pytest.raises(ValidationError, match=message):
            make(kind, **keys)


def test_members_of_known_sets_follow_from_the_numbers_of_lhapdf() -> None:
    """With or without the central member, which is missing where it is the nominal weight."""
    both = make("pdf_weights", vary="pdf_and_alpha_s")
    hessian = both.choose_members("weights for LHA IDs 306000 - 306102", 103)
    assert hessian == Members("hessian", tuple(range(1, 101)), 0, (101, 102), 0.75)
    replicas = both.choose_members("weights for LHA IDs 292201 - 292302", 102)
    assert replicas == Members("replicas", tuple(range(100)), None, (100, 101), 1.5)
    central = both.choose_members("weights for LHA IDs 292200 - 292302", 103)
    assert central == Members("replicas", tuple(range(1, 101)), None, (101, 102), 1.5)
    small = both.choose_members("weights for LHA IDs 91400 - 91432", 33)
    assert small == Members("hessian", tuple(range(1, 31)), 0, (31, 32), 1.0)
    with pytest.raises(TaipanError, match="`alpha_s_scale` is needed"):
        both.choose_members("LHA IDs 325300 - 325402", 103)
    with pytest.raises(TaipanError, match="names no set with other α_s"):
        both.choose_members("LHA IDs 260000 - 260100", 101)
    with pytest.raises(TaipanError, match="members: 33 is no member of 33"):
        make("pdf_weights", members=(1, 100)).choose_members("LHA IDs 91400 - 91432", 33)


def test_used_members_are_all_that_a_systematic_names_each_once() -> None:
    assert Members("hessian", (2, 1, 4), 0, (5, 4)).used == (0, 1, 2, 4, 5)
    assert Members("pair", (3, 1)).used == (1, 3)


NOMINAL = np.array([10.0, 20.0])


def combine(item: GeneratorWeights, members: Members, *values: list[float]) -> list[list[float]]:
    filled = {place: np.array(value) for place, value in enumerate(values)}
    return [side.tolist() for side in item.combine_members(NOMINAL, filled, members)]


def test_envelope_has_the_nominal_where_all_members_are_on_one_side() -> None:
    members = Members("envelope", (0, 1))
    found = combine(make("scale_weights"), members, [11.0, 19.0], [12.0, 18.0])
    assert found == [[12.0, 20.0], [10.0, 18.0]]


def test_hessian_changes_add_in_quadrature_about_the_central_member() -> None:
    """3 and 4 make 5; the central member is 1 above the nominal, which does not matter."""
    members = Members("hessian", (1, 2), 0)
    found = combine(make("pdf_weights"), members, [11.0, 21.0], [14.0, 21.0], [7.0, 21.0])
    assert found == [[15.0, 20.0], [5.0, 20.0]]
    half = combine(make("pdf_weights", scale=0.5), members, [11.0, 21.0], [14.0, 21.0], [7.0, 21.0])
    assert half == [[12.5, 20.0], [7.5, 20.0]]


def test_pairs_of_eigenvectors_have_an_up_and_a_down_of_their_own() -> None:
    """Changes (3, -1) and (4, 2): up √(9 + 16), down √(1 + 0)."""
    members = Members("asymmetric_hessian", (0, 1, 2, 3))
    found = combine(
        make("pdf_weights"), members, [13.0, 20.0], [9.0, 20.0], [14.0, 20.0], [12.0, 20.0]
    )
    assert found == [[15.0, 20.0], [9.0, 20.0]]


def test_replicas_have_the_standard_deviation_about_their_own_mean() -> None:
    """9, 11 and 13 about 11: √((4 + 0 + 4) / 2)."""
    members = Members("replicas", (0, 1, 2))
    found = combine(make("pdf_weights"), members, [9.0, 20.0], [11.0, 20.0], [13.0, 20.0])
    assert found == [[12.0, 20.0], [8.0, 20.0]]


def test_alpha_s_is_half_the_difference_scaled_alone_or_added() -> None:
    """1.5 · (14 - 10) / 2 = 3; with a change of 4 that makes 5."""
    alone = Members("alpha_s", (), None, (0, 1), 1.5)
    found = combine(make("pdf_weights", vary="alpha_s"), alone, [10.0, 20.0], [14.0, 20.0])
    assert found == [[13.0, 20.0], [7.0, 20.0]]
    both = Members("hessian", (2,), None, (0, 1), 1.5)
    added = combine(make("pdf_weights"), both, [10.0, 20.0], [14.0, 20.0], [14.0, 20.0])
    assert added == [[15.0, 20.0], [5.0, 20.0]]


def test_up_is_the_doubled_scale_of_the_shower_whatever_the_order() -> None:
    old = "[0] is ISR=0.5 FSR=1; [1] is ISR=1 FSR=0.5; [2] is ISR=2 FSR=1; [3] is ISR=1 FSR=2 "
    new = "[0] is ISR=2 FSR=1; [1] is ISR=1 FSR=2; [2] is ISR=0.5 FSR=1; [3] is ISR=1 FSR=0.5;"
    for title, isr, fsr in ((old, (2, 0), (3, 1)), (new, (0, 2), (1, 3))):
        assert make("shower_weights", vary="isr").choose_members(title, 4).varied == isr
        assert make("shower_weights", vary="fsr").choose_members(title, 4).varied == fsr
    found = combine(make("shower_weights", vary="isr"), Members("pair", (2, 0)), [9, 8], [0, 0],
                    [11, 22])  # fmt: skip
    assert found == [[11.0, 22.0], [9.0, 8.0]]
    with pytest.raises(TaipanError, match=r"^1 weight \(4 are needed; a single one"):
        make("shower_weights", vary="isr").choose_members("", 1)


class Branch:
    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def array(self, **_: str) -> Any:
        return self.rows


def sums(name: str, rows: list[list[float]], sumw: list[float], **more: list[list[float]]) -> Any:
    runs = {name: Branch([np.array(row) for row in rows]), "genEventSumw": Branch(sumw)}
    runs |= {key: Branch([np.array(row) for row in item]) for key, item in more.items()}
    base = name.removesuffix("_")
    return read_list_sums(runs, (base, "LHEScaleSumw"), "genEventSumw", len(rows[0]), "f.root")


NINE = [[0.8, 0.9, 1.0, 0.9, 1.0, 1.1, 1.0, 1.1, 1.2]]


def test_sums_of_runs_are_understood_divided_or_not_and_of_several_runs() -> None:
    """Two runs with Σw of 1000 and 3000: each quotient counts with its own."""
    assert sums("LHEPdfSumw", [[0.9, 1.1], [1.0, 1.3]], [1000.0, 3000.0]) == (3900.0, 5000.0)
    assert sums("LHEPdfSumw_", [[900.0, 1100.0]], [1000.0]) == (900.0, 1100.0)
    assert sums("LHEPdfSumw", [[0.9, 1.1], []], [1000.0, 0.0]) == (900.0, 1100.0)
    negative = sums("LHEPdfSumw", [[0.9, 1.1]], [-1000.0])
    assert negative == (-900.0, -1100.0)


def test_quotients_of_merged_files_are_divided_by_their_number() -> None:
    """The nominal among the nine scales says three files."""
    three = [[3.0 * x for x in NINE[0]]]
    found = sums("PSSumw", [[2.7, 3.3]], [1000.0], LHEScaleSumw=three)
    assert found == pytest.approx((900.0, 1100.0))
    found = sums("LHEScaleSumw", three, [1000.0])
    assert found == pytest.approx([1000.0 * x for x in NINE[0]])


def test_sums_that_nobody_can_explain_are_refused() -> None:
    with pytest.raises(TaipanError, match=r"f.root: PSSumw of tree 'Runs' is 7 \(median of its me"):
        sums("PSSumw", [[7.0, 7.0]], [1000.0])
    runs = {"A": Branch([np.ones(2)]), "w": Branch([1.0])}
    with pytest.raises(TaipanError, match="has 2 sums, but the events have 9 weights"):
        read_list_sums(runs, ("A", "B"), "w", 9, "f.root")


def part(file: str, start: int, events: int, entries: int, lists: WeightSums, **keys: Any) -> Part:
    read = GeneratedSums(events, float(events), float(events))
    return Part(file, start, start + events, entries, read, lists={"PSWeight": lists}, **keys)


def test_every_part_counts_once_and_a_skimmed_file_with_what_was_generated() -> None:
    """a: two parts of 10 and 30 events; b: 5 of 60 generated events."""
    generated = GeneratedSums(60, 60.0, 60.0)
    parts = [
        part("a", 0, 10, 40, WeightSums("t", (20.0, 5.0))),
        part("a", 10, 30, 40, WeightSums("t", (30.0, 15.0))),
        part("b", 0, 5, 5, WeightSums("t", (99.0, 99.0), (90.0, 30.0)), generated=generated),
    ]
    assert average_weights("d", parts)["PSWeight"] == WeightMeans("t", 2, (1.4, 0.5))
    unknown = replace(parts[2], lists={"PSWeight": WeightSums("t", (99.0, 99.0))})
    assert average_weights("d", [*parts[:2], unknown])["PSWeight"].means is None
    other = part("c", 0, 1, 1, WeightSums("u", (1.0, 1.0)))
    with pytest.raises(TaipanError, match="dataset 'd': c: PSWeight means 'u', but 't' in a"):
        average_weights("d", [parts[0], other])
    longer = part("c", 0, 1, 1, WeightSums("t", (1.0, 1.0, 1.0)))
    with pytest.raises(TaipanError, match="dataset 'd': c: PSWeight has 3 weights, but 2 in a"):
        average_weights("d", [parts[0], longer])


def test_a_mean_that_is_not_positive_cannot_be_kept() -> None:
    item = make("scale_weights")
    means = {"d": {"LHEScaleWeight": WeightMeans("", 9, (1.0,) * 8 + (-0.1,))}}
    with pytest.raises(TaipanError, match="the mean of member 8 before any cut is -0.1"):
        choose_generator({"s": item}, {"a": ["d"]}, means)
    free = make("scale_weights", normalisation="full")
    assert choose_generator({"s": free}, {"a": ["d"]}, means)["s"]["a"].varied[-1] == 8


def test_datasets_of_a_sample_must_mean_the_same() -> None:
    found = {
        "d": {"LHEScaleWeight": WeightMeans("", 9, (1.0,) * 9)},
        "e": {"LHEScaleWeight": WeightMeans("", 8, (1.0,) * 8)},
    }
    with pytest.raises(TaipanError, match="dataset 'e', LHEScaleWeight: its 8 weights are others"):
        choose_generator({"s": make("scale_weights")}, {"a": ["d", "e"]}, found)


def test_a_weight_that_is_no_number_is_refused_with_its_entry() -> None:
    from taipan.columns.event_block import Lists

    lists = Lists(np.array([1.0, 1.0, np.nan, 1.0]), np.array([2, 2]))
    with pytest.raises(TaipanError, match="f: W is NaN or infinite in 1 events, first in entry 8"):
        square_lists(lists, "W", "f", 7)
    assert count_members(np.array([3, 3]), "W", "f") == 3
    with pytest.raises(TaipanError, match="f: W has weights of another number: 2 in 1 event"):
        count_members(np.array([3, 2, 3]), "W", "f")
    with pytest.raises(TaipanError, match="f: W has no weights"):
        count_members(np.array([0, 0]), "W", "f")


def test_sums_before_cuts_are_of_all_events_of_a_step() -> None:
    """45,000 events, more than are added at a time; even ones weigh 2, odd ones -1."""
    weights = np.tile([2.0, -1.0], 22_500)
    members = np.stack([np.ones(45_000), np.tile([0.5, 1.5], 22_500)], axis=1)
    assert add_weighted(weights, members).tolist() == [22_500.0, -11_250.0]


class Tree:
    """A tree of three events with two weights each, as an RNTuple is read."""

    file = SimpleNamespace(root_directory=None)
    lists = ak.Array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def keys(self) -> list[str]:
        return ["PSWeight"]

    def __getitem__(self, name: str) -> None:
        return None

    def arrays(self, names: list[str], entry_start: int, entry_stop: int) -> Any:
        return dict.fromkeys(names, self.lists[entry_start:entry_stop])


def test_sums_are_of_all_events_and_columns_of_those_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Weights 1, 2 and -1: sums 1 + 6 - 5 and 2 + 8 - 6; the second and the third are kept."""
    monkeypatch.setattr(read_lists, "read_generated_lists", lambda *_: {"PSWeight": None})
    monkeypatch.setattr(read_lists, "branch_title", lambda _: "t")
    reader = read_lists.ListReader(Tree(), ["PSWeight"], (0, 3), "f")
    assert [column.name for column in reader.columns] == ["PSWeight_0", "PSWeight_1"]
    first = reader.read(0, np.array([1.0, 2.0]), np.array([False, True]))
    second = reader.read(2, np.array([-1.0]), np.array([True]))
    assert {name: values.tolist() for name, values in first.items()} == {
        "PSWeight_0": [3.0], "PSWeight_1": [4.0]
    }  # fmt: skip
    assert second["PSWeight_1"].tolist() == [6.0]
    assert reader.result() == {"PSWeight": WeightSums("t", (2.0, 4.0), None)}
