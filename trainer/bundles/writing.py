"""Writing bundles: the same content is the same bytes, and nothing half-written is ever seen."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.errors import AgentError
from agent.inference.arrays import FloatArray
from agent.inference.bundle import GOLDEN, MANIFEST, SIGNATURE, Golden
from agent.inference.detector import Detector, open_detector
from agent.inference.manifest import Manifest, manifest_bytes
from trainer.bundles.signing import Signer
from trainer.errors import OutputError
from trainer.system.atomic import replacing, write_through

MODEL = "model.tflite"

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644 << 16


@dataclass(frozen=True)
class Target:
    """What the bundle is called and where it goes."""

    path: Path
    name: str
    version: str


def check_writable(path: Path) -> None:
    """Find out now whether a bundle can be written later.

    Raises:
        OutputError: If not.
    """
    if path.is_dir():
        raise OutputError(path, "is a folder; name a file")
    with replacing(path):
        pass


def golden_windows(detector: Detector, windows: FloatArray, seed: int) -> Golden:
    """Choose eight windows, four as they are and four made abnormal, and score them.

    Two are scaled by 3, which the level must see; two have their samples shuffled, which leaves the level and
    changes all else. So a detector that always says "healthy" fails.

    Args:
        detector: The finished detector.
        windows: Held-out windows, shape (n_windows, length, n_axes).
        seed: Of the shuffling.
    """
    chosen = windows[np.linspace(0, len(windows) - 1, 8).astype(int)].copy()
    chosen[4:6] *= np.float32(3.0)
    np.random.default_rng(seed).shuffle(chosen[6], axis=0)
    np.random.default_rng(seed).shuffle(chosen[7], axis=0)
    return Golden(chosen, detector.scores(chosen).astype(np.float32))


def write_bundle(
    path: Path, manifest: Manifest, models: Mapping[str, bytes], golden: Golden, signer: Signer | None
) -> Manifest:
    """Write a bundle beside its place, open it as a gateway would, and put it in place.

    Args:
        path: Where it goes; replaced if it exists.
        manifest: All but the hashes of the members.
        models: The TFLite graphs by member name; none for process values.
        golden: The golden windows.
        signer: Signs the manifest; None for an unsigned bundle.

    Returns:
        The manifest as written.

    Raises:
        OutputError: If the file cannot be written, or the bundle does not pass.
    """
    members = {GOLDEN: _golden_bytes(golden), **models}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    complete = replace(manifest, members=hashes)
    document = manifest_bytes(complete)
    signature = {SIGNATURE: signer.signature(document)} if signer else {}
    content = _zipped({MANIFEST: document, **members, **signature})
    with replacing(path) as draft:
        write_through(draft, content)
        _check(path, draft, signer)
        draft.replace(path)
    return complete


def _check(path: Path, draft: Path, signer: Signer | None) -> None:
    try:
        open_detector(draft, [signer.public_key] if signer else [])
    except AgentError as error:
        reason = str(error).removeprefix(f"{draft}: ")
        raise OutputError(path, f"not written, the gateway would refuse it: {reason}") from error


def _golden_bytes(golden: Golden) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, windows=golden.windows, scores=golden.scores)
    return buffer.getvalue()


def _zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.external_attr = _FILE_MODE
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()
