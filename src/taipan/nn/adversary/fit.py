"""Training of one network against adversaries, from scratch or from a trained one.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from taipan.nn.adversary.engine import AdversarialEngine
from taipan.nn.data import Split
from taipan.nn.loop import Hook, fit_network
from taipan.nn.plan import OBJECTIVE, Fitted, Loaded, Plan


def fit_against(
    engine: AdversarialEngine,
    train: Loaded,
    validation: Loaded,
    plan: Plan,
    split: Split,
    hooks: Sequence[Hook] = (),
    checkpoint: Path | None = None,
) -> Fitted:
    """Train the engine's network against its opponents.

    With every λ at 0 the result is bit for bit that of the plain training.

    Parameters
    ----------
    engine
        Engine after `reset`, with standardised inputs.
    train, validation, plan, hooks, checkpoint
        As of :func:`~taipan.nn.loop.fit_network`.
    split
        Folds of this network, for the events of the opponents.

    Raises
    ------
    TaipanError
        If the network or an adversary diverges or collapses.
    """
    engine.oppose(split)
    settings = plan.settings
    if settings.adversary.start == "baseline" and engine.active:
        engine.opposed = False
        first = replace(
            plan,
            name=f"{plan.name} without adversary",
            settings=settings.model_copy(
                update={
                    "epochs": min(settings.epochs, settings.adversary.pretraining_epochs),
                }
            ),
        )
        path = checkpoint.with_suffix(".baseline.npz") if checkpoint else None
        fit_network(engine, train, validation, first, checkpoint=path)
        engine.begin()
    engine.opposed = True
    against = replace(
        plan,
        metric=OBJECTIVE if engine.active else plan.metric,
        identity=engine.identity(),
    )
    return fit_network(engine, train, validation, against, hooks, checkpoint)
