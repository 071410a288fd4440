"""Texts of others in cells, in Markdown and in LaTeX."""

from __future__ import annotations

import pytest

from taipan.clean_text import escape_cell, escape_latex, escape_markdown


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        (" =1", "' =1"),
        ("-1.5e-3", "-1.5e-3"),
        ("+2", "+2"),
        ("-inf", "-inf"),
        ("-1 ± 0.5", "-1 ± 0.5"),
        ("-1-1", "'-1-1"),
        ("W+jets", "W+jets"),
    ],
)
def test_cell_is_a_number_or_a_text_and_never_a_formula(text: str, cell: str) -> None:
    assert escape_cell(text) == cell


def test_markdown_shows_tags_and_links_as_they_are_written() -> None:
    assert escape_markdown("<img src=x> a < 3") == "&lt;img src=x> a < 3"
    assert escape_markdown("</script>") == "&lt;/script>"
    assert escape_markdown("[here](http://x)") == r"[here\](http://x)"


def test_latex_prints_commands() -> None:
    assert escape_latex(r"\input{x} 5 % a_b") == r"\textbackslash{}input\{x\} 5 \% a\_b"
