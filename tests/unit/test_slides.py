"""Pages for slides, made of what a run has published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taipan.plotting.parameters import breakdown_figure
from taipan.plotting.slides import checks_figure, save_pages, slide_numbers, title_figure
from tests.unit.test_redraw import NUMBERS

OPENING = [
    "What was measured: **μ̂ = 1.20 ± 0.40** of `demo` [a\\]",
    "Can I trust it? 1 &lt; 2 " * 9,
]


def summary(**changes: Any) -> dict[str, Any]:
    gates = {"check_weights": {"passed": True}, "check_overtraining": {"passed": False}}
    plain = {"title": "H→ττ$_h$", "analysis": "demo", "catalogue": "mine", "luminosity": 2.5}
    return {**plain, "gates": gates, "warnings": [], **changes}


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_title_page_says_what_was_measured_without_marks_of_markdown() -> None:
    numbers = slide_numbers(summary(), OPENING)
    written = texts(title_figure(numbers))
    assert written[:2] == ["H→ττ$_h$", "demo on mine, 2.5 fb$^{-1}$"]
    assert written[2] == "What was measured: μ̂ = 1.20 ± 0.40 of demo [a]"
    assert " ".join(written[3:]).count("Can I trust it? 1 < 2") == 9
    assert max(map(len, written)) <= 105


def test_every_gate_and_warning_is_listed() -> None:
    written = texts(checks_figure(slide_numbers(summary(), OPENING)))
    assert written[1:] == ["check_weights", "passed", "check_overtraining", "failed", "No warning."]
    warnings = [f"{i}: merged" for i in range(10)]
    written = texts(checks_figure(slide_numbers(summary(gates={}, warnings=warnings), OPENING)))
    assert written[1] == "No network is trained, so there is no gate."
    assert written[2:] == [*(f"• {i}: merged" for i in range(6)), "4 more: see summary.md"]


def test_no_line_leaves_the_page() -> None:
    long = [f"{name}: {'a long warning ' * 40}" for name in "abcdefghij"]
    content = summary(warnings=long, title="H→ττ→μτ$_h$ at 8 TeV " * 5)
    numbers = slide_numbers(content, ["What was measured: " + "word " * 60] * 5)
    for figure in (title_figure(numbers), checks_figure(numbers)):
        box = figure.bbox
        for text in figure.texts:
            found = text.get_window_extent()
            assert found.x0 >= box.x0
            assert found.x1 <= box.x1, text.get_text()
            assert found.y0 >= box.y0, text.get_text()


def test_the_same_pages_are_the_same_bytes(tmp_path: Path) -> None:
    numbers = slide_numbers(summary(), OPENING)
    found = []
    for name in ("first", "second"):
        pages = [title_figure(numbers), checks_figure(numbers), breakdown_figure(NUMBERS)]
        save_pages(pages, tmp_path / f"{name}.pdf")
        found.append((tmp_path / f"{name}.pdf").read_bytes())
    assert found[0] == found[1]
    assert b"/Count 3" in found[0]
    assert b"CreationDate" not in found[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.pdf", "second.pdf"]


def test_pages_that_cannot_be_written_leave_the_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "summary.pdf"
    path.write_bytes(b"old")
    broken = title_figure(slide_numbers(summary(), OPENING))
    broken.savefig = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        save_pages([broken], path)
    assert path.read_bytes() == b"old"
