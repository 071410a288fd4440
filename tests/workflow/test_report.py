"""The report of a run: one file with every figure, its caption and its category."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from taipan.jobs.figures import expand_figures, read_figures
from tests.browser import look_at
from tests.project import RESULTS, SMOKE, Project

pytestmark = pytest.mark.workflow

OBSERVABLES = ("nn_score", "m_vis")
REGIONS = ("signal", "w_control", "ss_signal", "ss_w_control", "antiiso_os", "antiiso_ss")
STAGES = (
    "plot_cutflow", "plot_control", "plot_training", "rank_inputs", "check_decorrelation",
    "plot_weights", "plot_systematics", "plot_fit",
)  # fmt: skip
CATEGORIES: dict[str, dict[str, str]] = {
    "Result": {"summary.md": "summary", "summary.pdf": "slides"},
    "Selection": {"cutflow/cutflow.csv": "cutflow_table"},
}
for _stage in STAGES:
    for _figure in expand_figures(read_figures(_stage), observable=OBSERVABLES, region=REGIONS):
        if "{" in _figure.path:
            continue  # of networks with several classes
        _files = CATEGORIES.setdefault(_figure.category, {})
        _files[f"plots/{_figure.path}.png"] = _figure.caption_file.removesuffix(".rst")
"""Category → file of the results → caption in `workflow/report`."""


def embedded(page: str, name: str) -> Any:
    """The JSON that the page holds under a name."""
    found = re.search(rf'<script id="{name}">\s*var {name} = (.*);$', page, re.MULTILINE)
    assert found is not None, name
    return json.loads(found.group(1))


def words(text: str) -> list[str]:
    """Words of reStructuredText, or of the HTML that was made of it."""
    return re.sub(r"<[^>]+>|[*`]", "", html.unescape(text)).split()


def test_report_holds_every_figure_with_its_caption(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made without a network: all that it shows is in the file."""
    for name in ("http_proxy", "https_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")  # the port that discards
    target = project.path / RESULTS / "report.html"
    project.snakemake("--report", str(target))
    page = target.read_text(encoding="utf-8")
    assert not re.search(r"<(script|img)[^>]*\ssrc=.https?:|<link[^>]*\shref=.https?:", page)

    assert len(CATEGORIES) == 7
    assert sum(map(len, CATEGORIES.values())) >= 27
    listed = embedded(page, "categories")
    found = {
        category: {path for paths in groups.values() for path in paths}
        for category, groups in listed.items()
    }
    assert found == {
        category: {f"{RESULTS}/{path}" for path in files} for category, files in CATEGORIES.items()
    }
    results = embedded(page, "results")
    for files in CATEGORIES.values():
        for path, caption in files.items():
            shown = results[f"{RESULTS}/{path}"]
            text = (project.path / f"workflow/report/{caption}.rst").read_text(encoding="utf-8")
            assert words(shown["caption"])[: len(words(text))] == words(text), path
            content = base64.b64decode(shown["data_uri"].rsplit(",", 1)[1])
            assert content == (project.path / RESULTS / path).read_bytes(), path
    text = (project.path / "workflow/report/workflow.rst").read_text(encoding="utf-8")
    assert " ".join(words(text)[:12]) in " ".join(words(page))
    assert project.planned() == {}


QUESTION = """
const frame = document.querySelector("#first-page iframe"), inside = frame.contentDocument;
const images = [...inside.images], links = [...inside.querySelectorAll("nav a")];
const table = inside.querySelector("table");
const numbers = () => [...table.tBodies[0].rows].map(row => parseFloat(row.cells[1].textContent));
const button = table.querySelectorAll("th button")[1];
button.focus(); button.click();
const focused = inside.activeElement === button;
const up = numbers();
button.click();
const down = numbers();
const shown = () => document.querySelector("#first-page").checkVisibility();
const turn = document.querySelector(".taipan-turn button:last-child"), before = shown();
links.at(-1).click();
await new Promise(resolve => setTimeout(resolve, 200));
const scrolled = frame.contentWindow.scrollY;
turn.click();
return {
  images: images.map(image => image.complete && image.naturalWidth > 300 && image.alt.length > 20),
  dead: links.filter(link => !inside.querySelector(link.hash)).length,
  focused, up, down, scrolled,
  shown: [before, shown()], stages: document.querySelector("#app").childElementCount,
  first: inside.querySelector(".opening").innerText.trim(), title: document.title,
  languages: [document.documentElement.lang, inside.documentElement.lang],
};
"""


def test_report_opens_on_the_result_in_a_browser(project: Project, tmp_path: Path) -> None:
    """Offline: figures load, tables sort, links lead somewhere, a button shows the stages."""
    target = project.path / RESULTS / "report.html"
    if not target.exists():
        project.snakemake("--report", str(target))
    found, complaints = look_at(target.read_text(encoding="utf-8"), QUESTION, tmp_path)
    assert complaints == []
    assert isinstance(found, dict), found
    assert found["images"] == [True] * 3
    assert found["dead"] == 0
    assert found["scrolled"] > 1000
    assert found["focused"]
    assert found["up"] == sorted(found["up"])
    assert found["down"] == sorted(found["down"], reverse=True)
    assert found["up"] != found["down"]
    assert found["shown"] == [True, False]
    assert found["stages"] == 1
    assert found["first"].startswith("What was measured: ")
    assert found["title"] == "H→ττ→μτ_h at 8 TeV"
    assert found["languages"] == ["en", "en"]


HOSTILE = "</script><script>owned(1)</script><img src=x onerror=owned(2)> $ \\x1b[2J"


def test_texts_of_the_configuration_do_not_run_in_the_report(
    project: Project, tmp_path: Path
) -> None:
    """`</script>` in a title ended the element that holds the parameters of the jobs."""
    overlay = project.overlay(f'title: "{HOSTILE}"\n')
    config = (SMOKE, overlay)
    assert project.planned(overlay) == {"summarize": 1}
    project.snakemake(config=config)
    target = project.path / RESULTS / "report.html"
    project.snakemake("--report", str(target), config=config)
    page = target.read_text(encoding="utf-8")
    assert "owned(1)" in page
    assert not re.search(r"<(script|img)[^>]*>[^<]{0,5}owned|onerror=owned\(2\)>", page)
    question = """
      const inside = document.querySelector("#first-page iframe").contentDocument;
      return [inside.querySelector("h1").textContent, document.title, typeof owned];
    """
    # neither the page nor a browser that shows it runs the title
    (heading, title, kind), _ = look_at(page, question, tmp_path)
    assert heading.startswith("</script><script>owned(1)</script><img src=x onerror=owned(2)>")
    assert "<script>owned(1)" in title
    assert kind == "undefined"
    shown = embedded(page, "results")[f"{RESULTS}/summary.md"]
    assert "</script><script>owned(1)" in shown["job_properties"]["params"]
    summary = (project.path / RESULTS / "summary.md").read_text(encoding="utf-8")
    assert summary.splitlines()[0] == (
        "# &lt;/script>&lt;script>owned(1)&lt;/script>&lt;img src=x onerror=owned(2)>  \\x1b[2J"
    )
