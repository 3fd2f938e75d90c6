"""Attributes of an IIO device: found, read, written, and refused with what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.iio.attributes import Attributes, parse_format


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A device as sysfs shows it, number 2 of the machine."""
    folder = tmp_path / "sys/bus/iio/devices/iio:device2"
    (folder / "scan_elements").mkdir(parents=True)
    (folder / "name").write_text("lis3dh_accel\n")
    for index, axis in enumerate("xyz"):
        (folder / f"scan_elements/in_accel_{axis}_index").write_text(f"{index}\n")
        (folder / f"scan_elements/in_accel_{axis}_type").write_text("le:s12/16>>4\n")
        (folder / f"scan_elements/in_accel_{axis}_en").write_text("0\n")
    (folder / "scan_elements/in_timestamp_en").write_text("0\n")
    return folder


@pytest.fixture
def attributes(folder: Path, tmp_path: Path) -> Attributes:
    return Attributes("lis3dh_accel", tmp_path)


def test_a_device_knows_its_node(attributes: Attributes, tmp_path: Path) -> None:
    assert attributes.bus == "iio:lis3dh_accel"
    assert attributes.node == tmp_path / "dev/iio:device2"
    assert Attributes("2", tmp_path).node == attributes.node


def test_what_is_absent_is_told_with_what_is_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        BusError, match=r"no such device; there are: iio:device2 \(lis3dh_accel\); load"
    ) as caught:
        Attributes("adxl355", tmp_path)
    assert caught.value.code == errno.ENOENT
    with pytest.raises(BusError, match="there are: none"):
        Attributes("adxl355", tmp_path / "empty")


def test_values_lose_their_line_ends(attributes: Attributes, folder: Path) -> None:
    (folder / "scale").write_text(" 0.009806\n")
    assert attributes.read("scale") == "0.009806"
    attributes.write("scale", "0.019613")
    assert (folder / "scale").read_text() == "0.019613"
    assert attributes.has("scale")
    assert not attributes.has("offset")


def test_an_attribute_that_cannot_be_read_keeps_its_error(attributes: Attributes) -> None:
    with pytest.raises(BusError, match="offset cannot be read: No such file or directory") as caught:
        attributes.read("offset")
    assert caught.value.code == errno.ENOENT


@pytest.mark.parametrize(
    ("text", "offered"),
    [("1 10 25 50 400", [1.0, 10.0, 25.0, 50.0, 400.0]), ("[0 1 100]", []), ("", []), (None, [])],
)
def test_offered_values_are_a_list_a_range_or_unknown(
    attributes: Attributes, folder: Path, text: str | None, offered: list[float]
) -> None:
    if text is not None:
        (folder / "sampling_frequency_available").write_text(f"{text}\n")
    assert attributes.offered("sampling_frequency") == offered


def test_the_first_attribute_that_is_there_counts(attributes: Attributes, folder: Path) -> None:
    (folder / "in_accel_sampling_frequency").write_text("100\n")
    names = ("sampling_frequency", "in_accel_sampling_frequency")
    assert attributes.first_of(*names) == "in_accel_sampling_frequency"
    (folder / "sampling_frequency").write_text("100\n")
    assert attributes.first_of(*names) == "sampling_frequency"
    with pytest.raises(SensorError, match="has no a or b; it is no accelerometer with a buffer"):
        attributes.first_of("a", "b")


def test_axes_come_in_order(attributes: Attributes, folder: Path) -> None:
    assert [(form.bits, form.shift) for form in attributes.formats()] == [(12, 4)] * 3
    assert attributes.scan_elements() == [
        "scan_elements/in_accel_x_en",
        "scan_elements/in_accel_y_en",
        "scan_elements/in_accel_z_en",
        "scan_elements/in_timestamp_en",
    ]
    (folder / "scan_elements/in_accel_x_index").write_text("3\n")
    with pytest.raises(SensorError, match=r"in the order \[3, 1, 2\] instead of x, y, z"):
        attributes.formats()


def test_a_format_that_is_not_understood_names_the_device(attributes: Attributes, folder: Path) -> None:
    (folder / "scan_elements/in_accel_z_type").write_text("le:u12/16>>4\n")
    with pytest.raises(SensorError, match="iio:lis3dh_accel: scan_elements: 'le:u12/16>>4' is no format"):
        attributes.formats()


@given(
    order=st.sampled_from(["le", "be"]),
    bits=st.integers(0, 40),
    storage=st.sampled_from([8, 16, 32]),
    shift=st.integers(0, 40),
)
def test_a_value_lies_within_its_storage(order: str, bits: int, storage: int, shift: int) -> None:
    text = f"{order}:s{bits}/{storage}>>{shift}"
    if bits > 0 and bits + shift <= storage:
        form = parse_format(text)
        assert (form.bits, form.shift, 8 * form.dtype.itemsize) == (bits, shift, storage)
        assert form.dtype.kind == "i"
    else:
        with pytest.raises(ValueError, match="bits do not fit above"):
            parse_format(text)
