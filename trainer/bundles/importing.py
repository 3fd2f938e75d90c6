"""Bring your own network: an autoencoder made elsewhere is checked, calibrated and bundled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from agent.inference.features import RawFeatures
from agent.inference.model import TFLiteModel
from trainer.bundles.learners import Learned, NetworkLearner
from trainer.bundles.making import FitReport, bundle_up
from trainer.bundles.signing import Signer
from trainer.bundles.writing import Target, check_writable
from trainer.conversion.worker import check_graph
from trainer.errors import ChoiceError
from trainer.networks.features import fit_features
from trainer.networks.training import TrainingRecord
from trainer.recordings.datasets import Source, check_sources
from trainer.recordings.subject import Subject, take
from trainer.settings import FitSettings, NetworkSettings
from trainer.system.quiet import diverted_output

IMPORT = "import"
"""Architecture of an imported network."""

Scale = Literal["none", "rms", "minmax"]
"""What a window is divided by after its mean was removed: nothing, the healthy RMS, or its range to 0..1."""


def import_model(
    content: bytes,
    sources: Sequence[Source],
    scale: Scale,
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
) -> FitReport:
    """Calibrate a TFLite autoencoder on recordings of a healthy machine and write a bundle.

    The window is as long as the network's input, and its mean is removed before the network sees it. The
    recordings must not be those that the network has learnt from: it errs too little there.

    Args:
        content: The ``.tflite`` file; input and output have the shape (1, length, n_axes).
        sources: The recordings.
        scale: How the network's inputs were scaled in its training.
        settings: Hop, metric, thresholds and seed count.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.

    Raises:
        ChoiceError: If the network does not map a window of these channels to itself.
        DataError: If the recordings cannot be learnt from.
        ModelError: If the gateway's runtime refuses the network.
        ConversionError: If the network would crash a gateway.
        OutputError: If the bundle cannot be written, or a gateway would refuse it.
        WindowError: If a sample or score is not finite.
    """
    check_writable(target.path)
    with diverted_output():  # the runtime announces its delegate
        model = TFLiteModel(content)
        check_graph(content)
    _check_shape(model, len(check_sources(sources)))
    settings = replace(
        settings,
        window_length=model.shape[0],
        quantization="int8" if model.quantized else "float32",
        network=NetworkSettings(IMPORT, ()),
    )
    subject = take(sources, settings)
    learner = NetworkLearner(_features(subject, scale), content, subject, settings)
    folds, sessions = [learner] * settings.folds, [learner] * len(subject.groups)
    learned = Learned(
        folds=folds, sessions=sessions, final=learner, record=TrainingRecord(0, 0, 0, None, None)
    )
    return bundle_up(subject, learned, settings, target, signer)


def _features(subject: Subject, scale: Scale) -> RawFeatures:
    if scale == "none":
        return RawFeatures("raw", (1.0,) * len(subject.axes))
    kind: Literal["raw", "minmax"] = "raw" if scale == "rms" else "minmax"
    features = fit_features(kind, subject.folded.windows, subject.axes)
    assert isinstance(features, RawFeatures)
    return features


def _check_shape(model: TFLiteModel, n_axes: int) -> None:
    if len(model.shape) != 2 or model.shape != model.output_shape or model.shape[1] != n_axes:
        raise ChoiceError(
            f"the network maps {model.shape} to {model.output_shape}, the recordings need (window, {n_axes}) "
            "to the same; export it with that shape, or choose the channels with --columns"
        )
