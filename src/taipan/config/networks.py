"""Several networks in one run: their settings, which is the result, how their scores are called.

Without the section ``networks`` there is one network, that of ``training``, whose name is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.config.merging import merge
from taipan.config.model import Config
from taipan.config.sections.training import Training
from taipan.labels import SCORE, name_score


def list_trainings(config: Config) -> dict[str, Training]:
    """Give the settings of every network by its name.

    Parameters
    ----------
    config
        Sections `features`, `training` and `networks`; without features there is no network.
    """
    if not config.features:
        return {}
    return dict(config.networks) or {"": config.training}


def find_result(config: Config) -> str:
    """Name the network whose score is the result; empty if there is only one.

    Parameters
    ----------
    config
        Sections `networks` and `fit`.
    """
    return config.fit.network or next(iter(config.networks), "")


def list_scores(config: Config) -> dict[str, str]:
    """Give the observable that each network makes: ``nn_score`` is that of the result.

    Parameters
    ----------
    config
        Sections `features`, `training`, `networks` and `fit`.
    """
    result = find_result(config)
    return {name: SCORE if name == result else name_score(name) for name in list_trainings(config)}


def list_own_keys(config: Config, network: str) -> list[str]:
    """Give the keys in which a network differs from `training`: no search replaces them.

    Parameters
    ----------
    config
        Sections `features`, `training` and `networks`.
    network
        Its name; empty if there is only one.
    """
    own = list_trainings(config)[network].model_dump(mode="json")
    common = config.training.model_dump(mode="json")
    return sorted(key for key, value in own.items() if value != common[key])


def complete_networks(content: Mapping[str, Any]) -> dict[str, Any]:
    """Write out what the section ``networks`` leaves to others.

    Each network has the keys of ``training`` that it does not name itself, and each that is not the
    result has a score of its own among the observables, with the bins of ``nn_score`` unless there
    are some.

    Parameters
    ----------
    content
        Plain values of a configuration, which may be wrong: they are validated later.

    Returns
    -------
    dict
        The same with complete sections `networks` and `observables`.
    """
    networks, training = content.get("networks"), content.get("training")
    if not isinstance(networks, Mapping) or not isinstance(training, Mapping) or not networks:
        return dict(content)
    found = {
        name: merge(training, own) if isinstance(own, Mapping) else own
        for name, own in networks.items()
    }
    return {**content, "networks": found, "observables": _add_scores(content, list(networks))}


def _add_scores(content: Mapping[str, Any], networks: Sequence[str]) -> Any:
    """Put the scores of the networks that are not the result behind that of the result."""
    observables, fit = content.get("observables"), content.get("fit")
    main = observables.get(SCORE) if isinstance(observables, Mapping) else None
    if not isinstance(observables, Mapping) or not isinstance(main, Mapping):
        return observables
    chosen = fit.get("network") if isinstance(fit, Mapping) else None
    others = [name for name in networks if name != (chosen or networks[0])]
    scores = {
        name_score(name): observables.get(
            name_score(name), {**main, "label": f"{main.get('label', SCORE)}, {name}"}
        )
        for name in others
    }
    found: dict[str, Any] = {}
    for name, observable in observables.items():
        found[name] = observable
        if name == SCORE:
            found |= scores
    return found


def drop_inherited(problems: Sequence[str]) -> list[str]:
    """Leave out the problems of a network that it has from `training`, whose own are listed.

    Parameters
    ----------
    problems
        A line each, with the path of the key in front.
    """
    own = {line.removeprefix("training.") for line in problems if line.startswith("training.")}
    return [
        line
        for line in problems
        if not (line.startswith("networks.") and line.split(".", 2)[-1] in own)
    ]
