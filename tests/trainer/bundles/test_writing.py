"""Bundles: the same bytes again, signed, complete or not there at all, and refused when tampered with."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from agent.errors import BundleError
from agent.inference.bundle import Bundle, read_bundle
from agent.inference.detector import open_detector
from trainer.bundles.signing import load_key, make_key
from trainer.bundles.writing import check_writable, write_bundle
from trainer.errors import KeyFileError, OutputError

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def bundle(fitted: Any) -> Bundle:
    return read_bundle(fitted.path)


def rewritten(source: Path, target: Path, **changes: bytes) -> Path:
    """Copy a bundle with other members; names with a dot come as ``name__suffix``."""
    replaced = {name.replace("__", "."): content for name, content in changes.items()}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, replaced.get(name, old.read(name)))
    return target


def test_the_bundle_is_signed_and_passes_on_a_gateway_that_trusts_the_key(fitted: Any) -> None:
    detector, opened = open_detector(fitted.path, [fitted.public_key])
    assert opened.signed_by == fitted.public_key
    assert detector.manifest.title == "pump-2"


def test_a_gateway_that_trusts_another_key_refuses(fitted: Any) -> None:
    with pytest.raises(BundleError, match="does not trust"):
        read_bundle(fitted.path, ["00" * 32])


def test_a_changed_manifest_breaks_the_signature(fitted: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(fitted.path) as archive:
        manifest = archive.read("manifest.json").replace(b'"alarm"', b'"alarm" ')
    with pytest.raises(BundleError, match="signature does not fit"):
        read_bundle(rewritten(fitted.path, tmp_path / "x.judder", manifest__json=manifest))


def test_a_changed_member_breaks_its_hash(fitted: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(fitted.path) as archive:
        model = bytearray(archive.read("model.tflite"))
    model[-1] ^= 1
    with pytest.raises(BundleError, match=r"model\.tflite is damaged"):
        read_bundle(rewritten(fitted.path, tmp_path / "x.judder", model__tflite=bytes(model)))


def test_the_golden_windows_find_another_network_behind_a_consistent_manifest(
    fitted: Any, bundle: Bundle, other_bundle: Path
) -> None:
    model = read_bundle(other_bundle).models["model.tflite"]
    before = fitted.path.read_bytes()
    with pytest.raises(
        OutputError, match=r"pump-2\.judder: not written, the gateway would refuse it: golden window"
    ):
        write_bundle(fitted.path, bundle.manifest, {"model.tflite": model}, bundle.golden, None)
    assert fitted.path.read_bytes() == before
    assert sorted(path.name for path in fitted.path.parent.iterdir()) == ["key", "pump-2.judder"]


def test_the_golden_windows_are_typical_and_abnormal(bundle: Bundle) -> None:
    assert bundle.golden.windows.shape == (8, 32, 2)
    alarm = bundle.manifest.thresholds.alarm.score
    scores = bundle.golden.scores[:, 0]
    assert bundle.golden.scores.shape == (8, 5)
    assert (scores[:4] < alarm).all()
    assert (scores[4:6] > alarm).all()
    assert (scores[6:] > scores[:4].max()).all()


def test_the_zip_is_plain_and_ordered(fitted: Any) -> None:
    with zipfile.ZipFile(fitted.path) as archive:
        infos = archive.infolist()
    names = ["manifest.json", "golden.npz", "model.tflite", "SIGNATURE"]
    assert [info.filename for info in infos] == names
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}


def test_the_manifest_is_as_published(fitted: Any) -> None:
    schema = json.loads(
        (Path(__file__).parents[3] / "docs/bundle/manifest.schema.json").read_text(encoding="utf-8")
    )
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    with zipfile.ZipFile(fitted.path) as archive:
        document = json.loads(archive.read("manifest.json"))
    validator.validate(document)
    document["window"]["hop"] = 0
    document["extra"] = 1
    assert len(list(validator.iter_errors(document))) == 2


def test_the_provenance_names_data_settings_and_what_was_measured(
    bundle: Bundle, recording_file: Path
) -> None:
    provenance = bundle.manifest.provenance
    assert provenance["data"][0]["sha256"] == hashlib.sha256(recording_file.read_bytes()).hexdigest()
    assert provenance["data"][0]["samples"] == 4000
    assert provenance["settings"]["network"]["units"] == [8]
    # Three blocks of 1,333 or 1,334 samples with windows of 32, hop 4: 326 each.
    assert provenance["windows"] == {"total": 978, "folds": 3, "independent": 122}
    assert provenance["training"]["epochs"] <= 6
    assert provenance["fidelity"]["correlation"] >= 0.9
    assert [counted["level"] for counted in provenance["false_alarms"]] == ["warning", "alarm"]
    assert {"python", "tensorflow", "keras", "judder"} <= provenance["versions"].keys()


def test_an_unsigned_bundle_has_no_signature(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "plain-1.judder"
    write_bundle(path, bundle.manifest, bundle.models, bundle.golden, None)
    assert read_bundle(path).signed_by is None
    with pytest.raises(BundleError, match="not signed"):
        read_bundle(path, ["00" * 32])


def test_everybody_may_read_a_bundle(bundle: Bundle, tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        path = tmp_path / "plain-1.judder"
        write_bundle(path, bundle.manifest, bundle.models, bundle.golden, None)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_scores_that_are_not_the_golden_ones_keep_the_bundle_from_being_written(
    bundle: Bundle, tmp_path: Path
) -> None:
    wrong = replace(bundle.golden, scores=bundle.golden.scores + np.float32(5.0))
    with pytest.raises(OutputError, match="would refuse it: golden window"):
        write_bundle(tmp_path / "x.judder", bundle.manifest, bundle.models, wrong, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("absent/x.judder", "there is no folder"),
        ("file/x.judder", "cannot be written: Not a directory"),
        ("folder", "is a folder; name a file"),
    ],
)
def test_an_unwritable_place_is_found_at_once(tmp_path: Path, place: str, complaint: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=complaint):
        check_writable(tmp_path / place)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_private_key_is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    signer = make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).public_key == signer.public_key
    with pytest.raises(KeyFileError, match="exists already and is left alone"):
        make_key(path)
    assert load_key(path).public_key == signer.public_key


def test_a_known_key_gives_the_known_signature(tmp_path: Path) -> None:
    # RFC 8032, 7.1, test 2
    key = tmp_path / "key"
    key.write_text("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb\n")
    public, signature = load_key(key).signature(b"\x72").decode().split()
    assert public == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signature.startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")


def test_a_byte_order_mark_before_a_key_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "key"
    signer = make_key(path)
    path.write_bytes(BOM_UTF8 + path.read_bytes().strip() + b"\r\n")
    assert load_key(path).public_key == signer.public_key


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff" * 64, b"ab" * 31])
def test_a_file_that_holds_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="holds no signing key; make one with: judder-train keygen"):
        load_key(path)


def test_a_key_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read: No such file"):
        load_key(tmp_path / "absent")
    with pytest.raises(KeyFileError, match="cannot be written: No such file"):
        make_key(tmp_path / "absent" / "key")
