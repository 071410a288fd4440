"""What the commands ``taipan combine`` and ``taipan combine-results`` do."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.atomic import read_json, write_json
from taipan.errors import TaipanError
from taipan.inference.combine import combine_workspaces
from taipan.inference.compile import compile_model
from taipan.inference.read import open_workspace
from taipan.inference.robust import combine_robustly, largest_distance
from taipan.scripting import configure_logging
from taipan.terminal import hide_numerical_warnings

Array = npt.NDArray[np.float64]

_RESULT_KEYS = ("name", "values", "covariance", "jacobian", "expected")


def run_combine(workspaces: Sequence[str], correlate: Sequence[str], poi: str, out: Path) -> None:
    """Run ``taipan combine``.

    Parameters
    ----------
    workspaces
        Texts ``NAME=WORKSPACE.json``.
    correlate
        Texts ``COMMON=A:X,B:Y`` or ``COMMON``.
    poi
        Common parameter of interest.
    out
        File of the combined workspace.

    Raises
    ------
    TaipanError
        If an option is wrong, a workspace cannot be read, or the combination cannot be fitted;
        nothing is written then.
    """
    configure_logging()
    logging.getLogger("taipan").setLevel(logging.WARNING)
    with hide_numerical_warnings():
        given = _read_workspaces(workspaces)
        correlated = read_correlations(correlate)
        combined = combine_workspaces(given, correlated, poi=poi)
        model = compile_model(combined, lenient=True)
    write_json(out, combined)
    print(
        f"{len(given)} analyses, {len(model.regions)} regions, {model.n_bins} bins, "
        f"{len(model.parameters.names)} parameters; common: "
        f"{', '.join([poi, *correlated])}"
    )
    for note in model.notes:
        print(f"note: {note}")
    print(f"wrote {out}")


def _read_workspaces(items: Sequence[str]) -> dict[str, Any]:
    workspaces: dict[str, Any] = {}
    for item in items:
        name, equals, path = item.partition("=")
        if not (equals and name and path) or ":" in name or "," in name:
            raise TaipanError(f"{item!r} is not NAME=WORKSPACE.json (a name has no ':' and no ',')")
        if name in workspaces:
            raise TaipanError(f"{item!r}: there are two analyses {name!r}")
        workspace = read_json(Path(path))
        if not isinstance(workspace, dict) or "channels" not in workspace:
            raise TaipanError(f"{path}: not a pyhf workspace (no 'channels')")
        try:
            open_workspace(workspace)
        except TaipanError as error:
            raise TaipanError(f"{path}: {error}") from error
        workspaces[name] = workspace
    return workspaces


def read_correlations(items: Sequence[str]) -> dict[str, list[str]]:
    """Read ``COMMON=A:X,B:Y`` or, for one name everywhere, ``COMMON``.

    Raises
    ------
    TaipanError
        If a text is not of this form, or a common name is given twice.
    """
    correlated: dict[str, list[str]] = {}
    for item in items:
        common, equals, members = item.partition("=")
        names = members.split(",") if equals else [common]
        if not common or not all(names):
            raise TaipanError(f"--correlate: {item!r} is not COMMON=A:X,B:Y or COMMON")
        if common in correlated:
            raise TaipanError(f"--correlate: {common!r} is given twice")
        correlated[common] = names
    return correlated


def run_combine_results(results: Path, level: float, out: Path | None) -> None:
    """Run ``taipan combine-results``.

    Parameters
    ----------
    results
        File of results.
    level
        Standard deviations up to which intervals are conservative.
    out
        File of the combination, or None.

    Raises
    ------
    TaipanError
        If the file or the level is wrong; names the key.
    """
    if not level > 0.0:
        raise TaipanError(f"--level: {level} is not a number of standard deviations (> 0)")
    try:
        with hide_numerical_warnings():
            found = combine_results(read_json(results), level)
    except TaipanError as error:
        raise TaipanError(f"{results}: {error}") from error
    if out is not None:
        write_json(out, found)
    for i, name in enumerate(found["parameters"]):
        sigma, naive = found["sigma"][i], found["naive"]["sigma"][i]
        print(f"{name} = {found['values'][i]:.4g} ± {sigma:.4g} (± {naive:.4g} if uncorrelated)")
    print(
        f"variance × {found['factor']:.3f}: conservative up to {found['level']:g} standard "
        "deviations whatever the correlation"
    )
    if "prediction" in found:
        print(f"prediction: p = {found['prediction']['p_value']:.3g}")
    if out is not None:
        print(f"wrote {out}")


def combine_results(content: Any, level: float) -> dict[str, Any]:
    """Combine the results of a file whose correlation is not known.

    Parameters
    ----------
    content
        ``results``: a list of ``values``, ``covariance`` and, if they are not the parameters
        themselves, ``jacobian``; ``expected`` in all of them is a prediction to be tested.
        ``parameters``: names, ``["mu"]`` if absent.
    level
        Standard deviations up to which intervals are conservative.

    Returns
    -------
    dict
        The layout is described in ``docs/inference.md``; plain numbers only.

    Raises
    ------
    TaipanError
        Names the key, the value and what is allowed.
    """
    if not isinstance(content, Mapping) or set(content) - {"parameters", "results"}:
        raise TaipanError("must be an object of 'results' and, if wanted, 'parameters'")
    parameters = content.get("parameters", ["mu"])
    if not isinstance(parameters, list) or not parameters or not _are_names(parameters):
        raise TaipanError(f"parameters: {parameters!r} is not a list of different names")
    results = content.get("results")
    if not isinstance(results, list) or not results:
        raise TaipanError("results: must be a list of results")
    read = [_read_result(item, i, len(parameters)) for i, item in enumerate(results)]
    values, covariances, jacobians = ([item[i] for item in read] for i in range(3))
    robust = combine_robustly(values, covariances, jacobians, level=level)
    combined: dict[str, Any] = {
        "parameters": list(parameters),
        "results": [str(item.get("name", i)) for i, item in enumerate(results)],
        "level": level,
        "values": robust.values.tolist(),
        "sigma": np.sqrt(np.diag(robust.covariance)).tolist(),
        "covariance": robust.covariance.tolist(),
        "factor": robust.factor,
        "naive": {
            "sigma": np.sqrt(np.diag(robust.naive)).tolist(),
            "covariance": robust.naive.tolist(),
        },
    }
    given = ["expected" in item for item in results]
    if any(given):
        if not all(given):
            raise TaipanError(f"results[{given.index(False)}].expected: is in some results only")
        expected = [
            _numbers(item["expected"], f"results[{i}].expected", (len(value),))
            for i, (item, value) in enumerate(zip(results, values, strict=True))
        ]
        statistic, p_value = largest_distance(values, covariances, expected)
        combined["prediction"] = {"statistic": statistic, "p_value": p_value}
    return combined


def _are_names(names: Sequence[Any]) -> bool:
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _read_result(item: Any, position: int, size: int) -> tuple[Array, Array, Array]:
    where = f"results[{position}]"
    if not isinstance(item, Mapping):
        raise TaipanError(f"{where}: must be an object of {', '.join(_RESULT_KEYS)}")
    unknown = [key for key in item if key not in _RESULT_KEYS]
    missing = [key for key in ("values", "covariance") if key not in item]
    if unknown or missing:
        text = f"{unknown[0]!r} is not a key" if unknown else f"{missing[0]!r} is missing"
        raise TaipanError(f"{where}: {text} ({', '.join(_RESULT_KEYS)})")
    values = _numbers(item["values"], f"{where}.values", (None,))
    count = len(values)
    covariance = _numbers(item["covariance"], f"{where}.covariance", (count, count))
    if not np.allclose(covariance, covariance.T):
        raise TaipanError(f"{where}.covariance: is not symmetric")
    if "jacobian" in item:
        return values, covariance, _numbers(item["jacobian"], f"{where}.jacobian", (count, size))
    if size == 1:
        return values, covariance, np.ones((count, 1))
    if count != size:
        raise TaipanError(
            f"{where}: {count} values of {size} parameters need a 'jacobian' "
            f"({count} rows of {size} numbers)"
        )
    return values, covariance, np.eye(size)


def _numbers(value: Any, where: str, shape: tuple[int | None, ...]) -> Array:
    wanted = " × ".join("n" if size is None else str(size) for size in shape)
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    fits = array.ndim == len(shape) and array.size > 0
    if not fits or any(s not in (None, n) for s, n in zip(shape, array.shape, strict=True)):
        raise TaipanError(f"{where}: {value!r} is not an array of {wanted} numbers")
    if not np.isfinite(array).all():
        raise TaipanError(f"{where}: {value!r} holds a number that is not finite")
    return array
