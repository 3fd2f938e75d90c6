"""Bundles: verified before anything in them is used."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nacl.signing import SigningKey

from agent.errors import BundleError
from agent.inference.bundle import GOLDEN, MANIFEST, read_bundle
from agent.inference.detector import open_detector

MakeBundle = Callable[..., Path]


def rewrite(path: Path, **members: bytes | None) -> Path:
    """Replace, add or (None) remove members of a bundle; a dot in a name is written as two underscores."""
    changes = {name.replace("__", "."): content for name, content in members.items()}
    with zipfile.ZipFile(path) as archive:
        content: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (content | changes).items():
            if data is not None:
                archive.writestr(name, data)
    return path


def signed(path: Path, key: SigningKey) -> Path:
    with zipfile.ZipFile(path) as archive:
        signature = key.sign(archive.read(MANIFEST)).signature
    return rewrite(path, SIGNATURE=f"{key.verify_key.encode().hex()} {signature.hex()}".encode())


def test_a_good_bundle_opens(make_bundle: MakeBundle) -> None:
    detector, bundle = open_detector(make_bundle())
    assert detector.manifest.title == "easy-1"
    assert bundle.signed_by is None
    assert len(bundle.golden.scores) == 4


def test_an_absent_file() -> None:
    with pytest.raises(BundleError, match="no such file"):
        read_bundle(Path("nowhere.judder"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"hello" * 100])
def test_what_is_no_bundle(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.judder"
    path.write_bytes(content)
    with pytest.raises(BundleError, match="not a judder bundle"):
        read_bundle(path)


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_truncated_bundle(make_bundle: MakeBundle, at: float) -> None:
    path = make_bundle()
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * at)])
    with pytest.raises(BundleError):
        read_bundle(path)


def test_a_member_that_was_changed(make_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz is damaged"):
        read_bundle(rewrite(make_bundle(), golden__npz=b"something else"))


def test_a_member_too_many(make_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match="do not match the manifest: extra"):
        read_bundle(rewrite(make_bundle(), extra=b"x"))


def test_a_member_that_is_missing(make_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match=f"do not match the manifest: {GOLDEN}"):
        read_bundle(rewrite(make_bundle(), golden__npz=None))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema": 2}', b"\xff"])
def test_a_manifest_of_another_kind(make_bundle: MakeBundle, content: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        read_bundle(rewrite(make_bundle(), manifest__json=content))


def test_a_signed_bundle(make_bundle: MakeBundle) -> None:
    key = SigningKey.generate()
    public = key.verify_key.encode().hex()
    path = signed(make_bundle(), key)
    assert read_bundle(path).signed_by == public
    assert read_bundle(path, trusted_keys=["0" * 64, public]).signed_by == public


def test_an_unsigned_bundle_where_keys_are_trusted(make_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match="not signed"):
        read_bundle(make_bundle(), trusted_keys=["0" * 64])


def test_a_signature_of_a_stranger(make_bundle: MakeBundle) -> None:
    path = signed(make_bundle(), SigningKey.generate())
    with pytest.raises(BundleError, match="does not trust"):
        read_bundle(path, trusted_keys=[SigningKey.generate().verify_key.encode().hex()])


def test_a_signed_manifest_that_was_changed(make_bundle: MakeBundle) -> None:
    path = signed(make_bundle(), SigningKey.generate())
    with zipfile.ZipFile(path) as archive:
        changed = archive.read(MANIFEST).replace(b"3.0", b"9.0")
    with pytest.raises(BundleError, match="tampered"):
        read_bundle(rewrite(path, manifest__json=changed))


@pytest.mark.parametrize("content", [b"", b"zz zz", b"00 00", b"\xff"])
def test_a_signature_that_is_none(make_bundle: MakeBundle, content: bytes) -> None:
    with pytest.raises(BundleError, match="does not fit"):
        read_bundle(rewrite(make_bundle(), SIGNATURE=content))


def test_a_member_that_is_encrypted(make_bundle: MakeBundle) -> None:
    path = make_bundle()
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # a flag of the last member (APPNOTE 4.4.4)
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"not a judder bundle, or damaged: .*encrypted"):
        read_bundle(path)


def test_a_member_whose_lzma_is_damaged(make_bundle: MakeBundle) -> None:
    path = make_bundle()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    content = bytearray(path.read_bytes())
    start = content.index(b"manifest.json") + len("manifest.json")
    content[start + 8 : start + 200] = bytes(192)
    path.write_bytes(content)
    with pytest.raises(BundleError, match="not a judder bundle, or damaged"):
        read_bundle(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("parts", 0, "kind"), ["level"]),
        (("rate_hz",), 10**400),
        (("window",), [64, 32]),
        (("thresholds", "warning", "score"), {"a": []}),
        (("axes",), [["x"]]),
    ],
)
def test_a_manifest_with_a_value_of_another_kind(
    make_bundle: MakeBundle, place: tuple[str | int, ...], value: object
) -> None:
    path = make_bundle()
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read(MANIFEST))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(BundleError, match=r"manifest\.json: .*expected"):
        read_bundle(rewrite(path, manifest__json=json.dumps(document).encode()))


def test_golden_scores_that_are_no_numbers_are_refused(make_bundle: Callable[..., Path]) -> None:
    path = make_bundle()
    golden = read_bundle(path).golden
    content = io.BytesIO()
    np.savez(content, windows=golden.windows, scores=np.full_like(golden.scores, np.nan))
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(MANIFEST))
    manifest["members"][GOLDEN] = hashlib.sha256(content.getvalue()).hexdigest()
    rewrite(path, golden__npz=content.getvalue(), manifest__json=json.dumps(manifest).encode())
    with pytest.raises(BundleError, match="a score is no finite number"):
        read_bundle(path)
