"""Losses of the network: values by hand, signed weights, a name that is none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.losses.registry import LOSSES, find_loss

LOGITS = np.array([0.0, 2.0, -1.0], dtype=np.float32)
LABELS = np.array([1.0, 0.0, 1.0], dtype=np.float32)
WEIGHTS = np.array([2.0, 0.5, -1.0], dtype=np.float32)
BY_HAND = {
    # -ln s of a signal event, -ln(1 - s) of a background event
    "crossentropy": (2.0 * np.log(2.0) + 0.5 * np.log1p(np.exp(2.0)) - np.log1p(np.exp(1.0))) / 3.0,
    "brier": (2.0 * 0.5**2 + 0.5 / (1 + np.exp(-2.0)) ** 2 - 1.0 / (1 + np.exp(-1.0)) ** 2) / 3.0,
}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss_is_what_it_says_and_divided_by_the_number_of_events(name: str) -> None:
    assert float(find_loss(name)(LOGITS, LABELS, WEIGHTS)) == pytest.approx(BY_HAND[name], rel=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_best_score_is_the_share_of_the_signal(name: str) -> None:
    """Of three signal events of weight 1, one of weight -1 and two of background: s = 1/2."""
    labels = np.array([1, 1, 1, 1, 0, 0], dtype=np.float32)
    weights = np.array([1, 1, 1, -1, 1, 1], dtype=np.float32)
    scores = np.linspace(0.05, 0.95, 91)
    logits = np.log(scores / (1.0 - scores)).astype(np.float32)
    losses = [float(LOSSES[name](np.full(6, logit), labels, weights)) for logit in logits]
    assert scores[np.argmin(losses)] == pytest.approx(0.5, abs=1e-6)


def test_default_loss_exists_and_another_name_gets_a_suggestion() -> None:
    assert find_loss(Training().loss) is LOSSES["crossentropy"]
    with pytest.raises(
        TaipanError, match=r"training.loss: 'brie' is not a loss; did you mean 'brier'"
    ):
        find_loss("brie")


def test_former_name_of_a_loss_goes_on_working_and_says_the_new_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert Training(loss="bce") == Training()
    assert "training.loss: 'bce' is now called 'crossentropy'" in caplog.text


def test_names_of_losses_are_known_without_tensorflow() -> None:
    code = (
        "import sys; from taipan.nn.losses.registry import LOSSES; "
        "sys.exit(not LOSSES or 'tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
