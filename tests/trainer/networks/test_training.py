"""Training: when it stops, what it keeps, and the learning curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer.errors import TrainingError
from trainer.networks.models.patches import enough_steps
from trainer.networks.training import Trained, train
from trainer.settings import NetworkSettings, TrainingSettings


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    phase = np.random.default_rng(0).uniform(0.0, 2 * np.pi, (200, 1, 2))
    waves = np.sin(2 * np.pi * np.arange(16)[None, :, None] / 8 + phase)
    return (1.4 * waves).astype(np.float32)


def run(features: np.ndarray, network: NetworkSettings, held_out: bool, **settings: Any) -> Trained:
    validation = features[160:] if held_out else None
    return train(features[:160], validation, network, TrainingSettings(**settings), lambda loss: None)


def test_training_stops_when_it_no_longer_gets_better(features: np.ndarray) -> None:
    losses: list[float] = []
    settings = TrainingSettings(epochs=400, patience=3, learning_rate=0.03)
    trained = train(features[:160], features[160:], NetworkSettings(units=(4,)), settings, losses.append)
    assert len(losses) == trained.epochs == trained.best_epoch + 3
    assert trained.validation_loss == min(losses)
    assert trained.history.validation_loss == tuple(losses)
    assert trained.loss == trained.history.loss[trained.best_epoch - 1]
    # 32 inputs: 32 x 4 + 4 and 4 x 32 + 32
    assert trained.parameters == 292
    restored = np.mean((np.asarray(trained.model(features[160:])) - features[160:]) ** 2)
    assert restored == pytest.approx(trained.validation_loss, rel=1e-4)


def test_a_loss_that_is_not_finite_ends_the_training(features: np.ndarray) -> None:
    settings = TrainingSettings(epochs=50, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"diverges.*lower --learning-rate"):
        train(features[:160], features[160:], NetworkSettings(units=(4,)), settings, lambda loss: None)


def test_without_validation_windows_all_epochs_are_run_and_the_last_weights_kept(
    features: np.ndarray,
) -> None:
    told: list[float] = []
    settings = TrainingSettings(epochs=25, patience=1, learning_rate=0.03)
    trained = train(features, None, NetworkSettings(units=(4,)), settings, told.append)
    assert trained.epochs == trained.best_epoch == len(told) == 25
    assert trained.history.validation_loss == ()
    assert trained.history.loss == tuple(told)
    assert trained.validation_loss == trained.loss == told[-1]
    # The loss of an epoch is that of its batches on the way; after it the network is a little better still.
    restored = np.mean((np.asarray(trained.model(features)) - features) ** 2)
    assert 0.8 * told[-1] < restored < told[-1]


def test_validation_does_not_change_what_is_learnt(features: np.ndarray) -> None:
    runs = [run(features, NetworkSettings(units=(4,)), held_out, epochs=4) for held_out in (True, False)]
    assert runs[0].history.loss == runs[1].history.loss


def test_the_loss_falls_from_that_of_silence(features: np.ndarray) -> None:
    # The mean square of 1.4 sin is 0.98, which a network without weights would leave; random ones add theirs.
    history = run(features, NetworkSettings(units=(8,)), True, epochs=60, learning_rate=0.01).history
    assert 0.8 < history.loss[0] < 1.6
    assert history.loss[-1] < 0.05
    assert history.validation_loss[-1] < 0.05
    assert len(history.loss) == len(history.validation_loss) == 60


def test_without_validation_windows_the_last_fifth_chooses_the_principal_components(
    features: np.ndarray,
) -> None:
    noise = np.random.default_rng(1).standard_normal((200, 16, 2)).astype(np.float32)
    trained = run(features + 0.3 * noise, NetworkSettings("pca"), held_out=False)
    # Two axes, each a sum of a sine and a cosine: 4 of 32 directions; 32 x k + k + k x 32 + 32 parameters.
    assert (trained.parameters - 32) // 65 == 4
    assert trained.history.validation_loss == ()


@pytest.mark.parametrize(
    ("n_samples", "steps"), [(500, 8_000), (16_000, 8_000), (30_000, 15_000), (10**7, 20_000)]
)
def test_longer_recordings_are_trained_longer(n_samples: int, steps: int) -> None:
    assert enough_steps(n_samples) == steps
