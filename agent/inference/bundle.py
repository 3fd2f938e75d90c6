"""The model bundle: one zip file, verified before anything in it is used."""

from __future__ import annotations

import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.decode import DecodeError
from agent.errors import BundleError
from agent.inference.arrays import FloatArray
from agent.inference.manifest import Manifest, parse_manifest

MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
SIGNATURE = "SIGNATURE"

SIZE_LIMIT_BYTES = 64 * 1024 * 1024
"""No member unpacks to more: a gateway must not be filled by a hostile zip."""


@dataclass(frozen=True)
class Golden:
    """A few windows, shape (n_windows, length, n_axes), and the scores they must get on every processor."""

    windows: FloatArray
    """Shape (n_windows, length, n_axes)."""
    scores: FloatArray
    """Of each window, and of each part by itself, shape (n_windows, 1 + n_parts); see ``Detector.scores``."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle."""

    path: Path
    manifest: Manifest
    models: Mapping[str, bytes]
    """TFLite graphs by member name."""
    golden: Golden
    signed_by: str | None
    """Public key, in hex, whose signature was verified; None if the bundle is not signed."""


def read_bundle(path: Path, trusted_keys: Sequence[str] = ()) -> Bundle:
    """Read and verify a bundle: signature, then hashes, then the manifest.

    Args:
        path: The file.
        trusted_keys: Ed25519 public keys in hex. If there are any, the bundle must be signed by one of them.

    Raises:
        BundleError: If the file is absent, damaged, too large, not signed as demanded, or of another version.
    """
    members = _members(path)
    if MANIFEST not in members:
        raise BundleError(path, f"not a judder bundle: it holds no {MANIFEST}")
    signed_by = _verified_key(path, members, trusted_keys)
    try:
        manifest = parse_manifest(members[MANIFEST])
    except DecodeError as error:
        raise BundleError(path, f"{MANIFEST}: {error}") from error
    _check_hashes(path, manifest, members)
    graphs = {part.model: members[part.model] for part in manifest.parts if part.kind == "reconstruction"}
    return Bundle(path, manifest, graphs, _golden(path, manifest, members), signed_by)


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.file_size > SIZE_LIMIT_BYTES:
                    raise BundleError(path, f"member {info.filename} is larger than {SIZE_LIMIT_BYTES} bytes")
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as error:
        raise BundleError(path, "no such file") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        # RuntimeError: encrypted, or NotImplementedError: packed in a way that Python does not know.
        raise BundleError(path, f"not a judder bundle, or damaged: {error}") from error
    except OSError as error:
        raise BundleError(path, f"cannot be read: {error.strerror}") from error


def _verified_key(path: Path, members: Mapping[str, bytes], trusted_keys: Sequence[str]) -> str | None:
    if SIGNATURE not in members:
        if trusted_keys:
            raise BundleError(path, "not signed, and the configuration trusts signed bundles only")
        return None
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    try:
        key, signature = members[SIGNATURE].decode("ascii").split()
        VerifyKey(bytes.fromhex(key)).verify(members[MANIFEST], bytes.fromhex(signature))
    except (ValueError, TypeError, BadSignatureError) as error:
        raise BundleError(
            path, "the signature does not fit the manifest: damaged or tampered with"
        ) from error
    if trusted_keys and key not in trusted_keys:
        raise BundleError(path, f"signed by {key[:16]}..., a key that the configuration does not trust")
    return key


def _check_hashes(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    names = members.keys() - {MANIFEST, SIGNATURE}
    if names != manifest.members.keys():
        odd = ", ".join(sorted(names ^ manifest.members.keys()))
        raise BundleError(path, f"members do not match the manifest: {odd}")
    for name, expected in manifest.members.items():
        if hashlib.sha256(members[name]).hexdigest() != expected:
            raise BundleError(path, f"member {name} is damaged: its SHA-256 is not the manifest's")
    needed = {GOLDEN} | {part.model for part in manifest.parts if part.kind == "reconstruction"}
    if missing := needed - members.keys():
        raise BundleError(path, f"lacks {', '.join(sorted(missing))}")


def _golden(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> Golden:
    try:
        with np.load(io.BytesIO(members[GOLDEN]), allow_pickle=False) as arrays:
            golden = Golden(arrays["windows"].astype(np.float32), arrays["scores"].astype(np.float32))
    except (KeyError, ValueError, OSError) as error:
        raise BundleError(path, f"{GOLDEN}: {error}") from error
    expected = (len(golden.scores), manifest.window.length, len(manifest.axes))
    if len(golden.scores) == 0 or golden.windows.shape != expected:
        raise BundleError(path, f"{GOLDEN}: windows of shape {golden.windows.shape}, expected {expected}")
    if golden.scores.shape != (len(golden.scores), 1 + len(manifest.parts)):
        raise BundleError(
            path, f"{GOLDEN}: scores of shape {golden.scores.shape}, one and one a part expected"
        )
    if not np.isfinite(golden.scores).all():
        raise BundleError(path, f"{GOLDEN}: a score is no finite number")
    return golden
