"""The training loop of one network: epochs, stopping, choice of the epoch, exact restart.

Everything that decides when to stop, how fast to learn and which epoch to keep is a function of
the history, so that a training that goes on from a checkpoint cannot differ from one that was
never interrupted. Imports TensorFlow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.nn.checkpoint import Checkpoint, Saved
from taipan.nn.conditions import ScoredPart
from taipan.nn.engine import Engine
from taipan.nn.history import History, choose_epoch, learning_rate, stop_reason
from taipan.nn.measure import measure_epoch
from taipan.nn.plan import Fitted, Loaded, Plan, TensorEvents
from taipan.nn.weights.guard import check_epoch, guard_unbounded, smallest_batch_sumw
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)

_LOG_EVERY = 10  # epochs between lines of the log

Hook = Callable[[Engine, History], str | None]
"""Called after each epoch; a text ends the training and says why."""


def fit_network(
    engine: Engine,
    train: Loaded,
    validation: Loaded,
    plan: Plan,
    hooks: Sequence[Hook] = (),
    checkpoint: Path | None = None,
) -> Fitted:
    """Train the engine's network, and leave the weights of the best epoch in it.

    Parameters
    ----------
    engine
        Engine after :meth:`~taipan.nn.engine.Engine.reset`, with standardised inputs.
    train, validation
        Events that are trained on and those that pick the epoch.
    plan
        Settings, seed and overtraining conditions.
    hooks
        Called after each epoch; of one that ends the training the checkpoint knows nothing, so
        that a training may go on from there.
    checkpoint
        File from which the training goes on if it is of the same training, and into which its
        state is written every `checkpoint_every` epochs and at the end.

    Raises
    ------
    TaipanError
        If the training diverges, collapses or, without bound on the logit, runs after its negative
        weights; names the plan and the epoch.
    """
    store = Checkpoint(checkpoint, plan, train, validation) if checkpoint else None
    generator = np.random.default_rng(derive_seed(plan.seed, "shuffle"))
    history: History = {}
    kept: dict[int, list[NDArray[Any]]] = {}
    reason: str | None = None
    if store is not None and (saved := store.read(engine.state())) is not None:
        history, kept, reason = saved.history, saved.kept, saved.reason
        generator.bit_generator.state = saved.generator
        engine.restore(saved.state)
        logger.info("%s: goes on from epoch %d", plan.name, len(history["loss"]))
    while reason is None:
        epoch = len(history.get("loss", ()))
        engine.learning_rate = learning_rate(history, plan.settings, plan.key)
        _run_epoch(engine, train, validation, plan, generator, history)
        kept[epoch] = engine.network.body.get_weights()
        if plan.settings.selection == "best_value":
            wanted = {choose_epoch(history, plan.key, "best_value", ()).epoch}
            kept = {key: value for key, value in kept.items() if key in wanted}
        if epoch % _LOG_EVERY == 0:
            _log_epoch(plan.name, epoch, history)
        reason = own_reason = stop_reason(history, plan.settings, plan.key)
        for hook in hooks:
            reason = hook(engine, history) or reason
        if store is not None and (reason is not None or store.due(epoch)):
            random = generator.bit_generator.state
            store.write(Saved(engine.state(), history, kept, random, own_reason))
    choice = choose_epoch(history, plan.key, plan.settings.selection, plan.conditions)
    engine.network.body.set_weights(kept[choice.epoch])
    value = history[f"validation_{plan.key}"][choice.epoch]
    if choice.overtrained:
        logger.warning("%s: every epoch is overtrained; the best is kept all the same", plan.name)
    logger.info(
        "%s: %d epochs, best %d with validation %s %.5f, auc %.4f%s",
        plan.name,
        len(history["loss"]),
        choice.epoch,
        plan.key,
        value,
        history["validation_auc"][choice.epoch],
        f" ({reason})" if reason else "",
    )
    return Fitted(choice.epoch, value, choice.overtrained, reason, history)


def _run_epoch(
    engine: Engine,
    train: Loaded,
    validation: Loaded,
    plan: Plan,
    generator: np.random.Generator,
    history: History,
) -> None:
    """Train an epoch and append its numbers to the history."""
    epoch = len(history.get("loss", ()))
    taking_part = np.flatnonzero(train.of_loss)
    order = generator.permutation(taking_part).astype(np.int32)
    values = {
        "learning_rate": engine.learning_rate,
        "loss": engine.train_epoch(train.events, order),
        "smallest_batch_sumw": smallest_batch_sumw(train.of_loss, order, plan.settings.batch_size),
    }
    if not np.isfinite(values["loss"]):
        raise TaipanError(
            f"training of {plan.name} diverged in epoch {epoch}: "
            f"loss is {values['loss']}; lower training.learning_rate{engine.describe()}"
        )
    parts = {
        name: ScoredPart(
            _checked_scores(engine, part.events, plan.name, epoch),
            part.labels,
            part.weights,
            plan.totals,
            part.reference,
            part.reference_values,
            engine.network.classes,
        )
        for name, part in (("train", train), ("validation", validation))
    }
    if guard_unbounded(plan.settings):
        check_epoch(values["loss"], engine.logits(train.events), plan.name, epoch)
    values |= measure_epoch(parts["train"], parts["validation"], plan)
    values |= engine.measure(plan.name, epoch, parts["validation"])
    for key, value in values.items():
        history.setdefault(key, []).append(float(value))


def _log_epoch(name: str, epoch: int, history: History) -> None:
    keys = ("loss", "train_bce", "validation_bce", "train_auc", "validation_auc")
    logger.info(
        "%s epoch %d: loss %.5f, bce %.5f train %.5f validation, auc %.4f train %.4f validation%s",
        *(name, epoch, *(history[key][-1] for key in keys)),
        ", overtrained" if history["overtrained"][-1] else "",
    )


def _checked_scores(
    engine: Engine, events: TensorEvents, name: str, epoch: int
) -> NDArray[np.float64]:
    scores = engine.predict(events)
    if not np.all(np.isfinite(scores)):
        raise TaipanError(
            f"training of {name} diverged in epoch {epoch}: "
            f"{int(np.sum(~np.isfinite(scores)))} scores are not finite{engine.describe()}"
        )
    spread = float(np.max(np.ptp(scores, axis=0)))
    if spread < engine.smallest_spread:
        raise TaipanError(
            f"training of {name} collapsed in epoch {epoch}: all scores are "
            f"{', '.join(f'{value:.6g}' for value in np.atleast_1d(scores[0]))} "
            f"(spread {spread:.3g}){engine.describe()}"
        )
    return scores
