"""The files for people: what is here, how to cite it, what is allowed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from taipan.atomic import write_text
from taipan.errors import TaipanError
from taipan.summary.layout import plain_label

_CITATION, _LICENSE = "CITATION.cff", "LICENSE"
_NETWORKS = """## The networks

```console
$ python check_scores.py
```

It needs numpy and onnxruntime. It scores the reference events and compares with the scores of the
run. Try your own table, too: `python check_scores.py my_events.csv`. It has the columns of
`reference_events.csv`.

| file | content |
| --- | --- |
| `models/model.json` | inputs (name, order, unit, range, default), output, folds, checksums |
| `models/` | one ONNX file for each fold; the preprocessing is inside, so give it raw values |
| `reference_events.csv` | simulated events with inputs, fold and score |
| `efficiencies.json` | efficiency of each process; an event passes if its score is not below |
| `score_shapes.csv` | the score of each process in bins |

A simulated event of this analysis belongs to one fold. Score it with the network of this fold,
which never saw it. An event from elsewhere was seen by none: any network will do.

"""
_LIKELIHOOD = """## The likelihood

| file | content |
| --- | --- |
| `likelihood/workspace.json` | for pyhf |
| `likelihood/hs3.json`, `likelihood/hs3_certificate.json` | as HS3, and how both were compared |
| `likelihood/fit.json` | result of the fit |
{hepdata}| `likelihood/yields.csv` | expected events in each region |
| `likelihood/cutflow.csv`, `likelihood/cutflow.json` | events after each cut |

## All files

`ro-crate-metadata.json` lists all files with size and SHA-256. `CITATION.cff` says how to cite
them, `LICENSE` what is allowed.
"""
_HEPDATA = "| `likelihood/hepdata/` | tables for HEPData, validated; pack them to upload them |\n"


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        """Say that nothing is referred to."""
        return True


def title_of(summary: Mapping[str, Any]) -> str:
    """Give the title of what is published, without formulas."""
    return f"Networks and likelihood: {plain_label(summary['title'] or summary['analysis'])}"


def write_texts(
    folder: Path, summary: Mapping[str, Any], places: Sequence[Path], notes: Sequence[str]
) -> None:
    """Write README, citation and licence.

    Parameters
    ----------
    folder
        Folder that is published.
    summary
        Of the run.
    places
        Folders that may have ``LICENSE`` and ``CITATION.cff``; the first that has one counts.
    notes
        What is left out, in sentences.

    Raises
    ------
    TaipanError
        If no folder has them.
    """
    shutil.copyfile(_find(_LICENSE, places), folder / _LICENSE)
    source = _find(_CITATION, places)
    if source.parent == places[0]:  # of the analysis itself
        shutil.copyfile(source, folder / _CITATION)
    else:
        write_text(folder / _CITATION, _cite(source, summary))
    networks = _NETWORKS if (folder / "models").exists() else ""
    hepdata = _HEPDATA if (folder / "likelihood/hepdata").exists() else ""
    text = (
        f"# {title_of(summary)}\n\nMade by `taipan publish`. You do not need Taipan to use it.\n\n"
    )
    text += "".join(f"{note}\n\n" for note in notes)
    write_text(folder / "README.md", text + networks + _LIKELIHOOD.format(hepdata=hepdata))


def _find(name: str, places: Sequence[Path]) -> Path:
    for place in places:
        if (place / name).is_file():
            return place / name
    raise TaipanError(f"no {name} in {', '.join(map(str, places))}; write one")


def _cite(source: Path, summary: Mapping[str, Any]) -> str:
    """Cite what is published, with the software as a reference."""
    software = yaml.safe_load(source.read_text(encoding="utf-8"))
    keys = ("title", "authors", "version", "type")
    content = {
        "cff-version": "1.2.0",
        "message": "If you use these files, please cite them as below.",
        "type": "dataset",
        "title": title_of(summary),
        "authors": software["authors"],
        "version": summary["result_sha256"][:16],
        "license": software["license"],
        "references": [{key: software[key] for key in keys if key in software}],
    }
    return yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True)
