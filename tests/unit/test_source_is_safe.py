"""Nothing in the project runs code from a file that it reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from taipan.config import load

ROOT = Path(__file__).parents[2]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "torch.load"),
    *("keras.models.load_model", "keras.saving.load_model", "tf.saved_model.load"),
    "keras.config.enable_unsafe_deserialization",
}
KEYWORDS = {("allow_pickle", True), ("safe_mode", False), ("shell", True)}


def sources() -> list[Path]:
    found = [path for part in ("src", "scripts") for path in (ROOT / part).rglob("*.py")]
    return sorted(found)


def rules() -> list[Path]:
    return [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(text: str) -> Iterator[str]:
    """What a source file does that could run code from data."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in CALLS:
                yield name
            if name == "yaml.load":
                loaders = [dotted(word.value) for word in node.keywords if word.arg == "Loader"]
                if loaders != ["_UniqueKeys"]:
                    yield "yaml.load without a safe loader"
            for word in node.keywords:
                value = word.value.value if isinstance(word.value, ast.Constant) else None
                if (word.arg, value) in KEYWORDS:
                    yield f"{word.arg}={value}"


def test_no_source_runs_code_from_data() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    assert len(texts) > 150
    found = {path.name: bad for path, text in texts.items() if (bad := list(dangers(text)))}
    assert found == {}


def test_rules_run_scripts_and_no_shell() -> None:
    for path in rules():
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"pickle|eval\(|exec\(|yaml\.load|^\s*(?:run|shell):\s*$", text, re.M)
        assert not found, f"{path.name}: {found}"


def test_the_loader_of_yaml_is_a_safe_one() -> None:
    assert issubclass(load._UniqueKeys, yaml.SafeLoader)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from joblib import load", "eval('1')", "yaml.load(x, Loader=yaml.Loader)",
        "yaml.load(x)", "np.load(x, allow_pickle=True)", "keras.models.load_model(x)",
        "f(x, safe_mode=False)", "subprocess.run(x, shell=True)",
    ],
)  # fmt: skip
def test_the_scan_finds(text: str) -> None:
    assert len(list(dangers(text))) == 1
