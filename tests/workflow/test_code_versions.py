"""The code of a rule is found, not listed: all that its script reaches, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from taipan.code_version import reached_modules

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"rule (\w+):(.*?)(?=\n\s*rule |\Z)", re.DOTALL)
HTAUTAU = ROOT / "config/analyses/htautau"


def reached(script: str) -> set[str]:
    return set(reached_modules(ROOT / "scripts" / f"{script}.py", analysis=HTAUTAU))


def rules() -> dict[str, str]:
    found = {}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        found |= dict(RULE.findall(path.read_text(encoding="utf-8")))
    return found


def test_no_rule_lists_its_modules() -> None:
    """Forty calls named 104 modules, and no script."""
    bodies = rules()
    assert len(bodies) > 30
    assert [name for name, body in bodies.items() if "code_version(" in body] == []


@pytest.mark.parametrize(
    "script", ["fit", "histogram", "build_workspace", "normalise", "skim", "plot_fit", "simulate"]
)
def test_everything_that_a_script_imports_counts(script: str) -> None:
    """What Python has loaded, but for what a package's `__init__` imports for others."""
    code = (
        f"import sys; import taipan.jobs.run; import taipan.stages.{script}; "
        "print(*[name for name in sys.modules if name.split('.')[0] == 'taipan'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded, counted = set(done.stdout.split()), reached(script)
    packages = {name for name in counted if (ROOT / "src" / name.replace(".", "/")).is_dir()}
    offered = reached_modules(*(packages - {"taipan"}))
    assert len(loaded) > 5
    assert loaded - counted - offered == set()


@pytest.mark.parametrize(
    ("script", "never"),
    [
        ("train", ("plotting", "inference", "likelihood", "templates", "fastsim", "summary")),
        ("pretrain", ("plotting", "inference", "likelihood", "templates", "fastsim", "summary")),
        ("skim", ("plotting", "inference", "likelihood", "templates", "nn", "config")),
        ("histogram", ("plotting", "inference", "likelihood", "fastsim", "nn.train")),
        ("build_workspace", ("plotting", "inference", "nn.loop", "skim", "analyses")),
        ("fit", ("plotting", "likelihood", "nn", "skim", "analyses", "config")),
        ("plot_fit", ("inference", "nn.loop", "skim", "analyses")),
        ("simulate", ("plotting", "inference", "nn", "skim", "analyses", "config")),
    ],
)
def test_script_does_not_reach_later_stages(script: str, never: tuple[str, ...]) -> None:
    """An edit of a figure or of the fit must not train the networks again."""
    found = {name for name in reached(script) for part in never if name == f"taipan.{part}"
             or name.startswith(f"taipan.{part}.")}  # fmt: skip
    # the format of tables is a section of the catalogue, and what every section is made of
    allowed = {"taipan.config", "taipan.config.base"} if script == "skim" else set()
    assert found <= allowed


@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "scripts").glob("*.py")))
def test_no_script_reaches_the_checks_of_the_configuration(script: str) -> None:
    """The models of the keys count; loading and checking them happens before any job."""
    own = {name.removeprefix("taipan.config.") for name in reached(script) if ".config." in name}
    keys = {name for name in own if name.partition(".")[0] == "sections"}
    assert own - keys <= {"model", "base", "slices", "polynomials", "truth_bins"}
    rooms = {name.split(".")[1] for name in reached(script) if "." in name}
    assert not rooms & {"staleness", "checks", "commands", "cli"}


@pytest.mark.parametrize("rule", ["optimise_binning", "histogram"])
def test_what_bins_the_score_waits_for_both_gates(rule: str) -> None:
    """Choosing the edges once did not wait for the gate on the weights."""
    inputs = rules()[rule].split("output:")[0]
    assert "models=MODELS" in inputs
    assert "after=[*GATES," in inputs
