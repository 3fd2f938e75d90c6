"""The kernel's accelerometers, on a tree of files and a pipe."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.chip.accelerometer import Accelerometer, SampleBlock
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.iio.attributes import SampleFormat, parse_format
from firmware_bridge.iio.driver import IioAccelerometer
from firmware_bridge.iio.simulator import SimulatedIioDevice
from firmware_bridge.signals import Silence

# The scale of the LIS3DH at 2 g in Linux, m/s² per count, in g.
STEP_G = 0.009806 / 9.80665


class Numbered:
    """A signal that numbers its samples: one step a sample on x, 1000 samples a turn, the turns on y."""

    def __init__(self) -> None:
        self._made = 0

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        number = np.arange(self._made, self._made + len(times_s))
        self._made += len(times_s)
        return np.asarray(np.stack([number % 1000, number // 1000, -number % 7], axis=1) * STEP_G)


def numbers(block: SampleBlock) -> npt.NDArray[np.int64]:
    steps = np.rint(block.samples_g.astype(np.float64) / STEP_G).astype(np.int64)
    return np.asarray(steps[:, 0] + 1000 * steps[:, 1])


class Bench:
    """A twin, its clock, and what looks at it."""

    def __init__(self, root: Path, rate_error: float = 0.0) -> None:
        self.root = root
        self.clock = SimulatedClock()
        self.twin = SimulatedIioDevice(root, self.clock, Numbered(), rate_error=rate_error)

    def open(
        self, device: str = "lis3dh_accel", rate_hz: float = 400.0, range_g: float = 2.0
    ) -> IioAccelerometer:
        return IioAccelerometer(device, self.clock, rate_hz=rate_hz, range_g=range_g, root=self.root)

    def started(self, rate_hz: float = 400.0) -> IioAccelerometer:
        sensor = self.open(rate_hz=rate_hz)
        sensor.start()
        self.twin.pump()
        return sensor

    def drain(self, sensor: IioAccelerometer, wait_s: float) -> SampleBlock:
        self.clock.wait(wait_s)
        self.twin.pump()
        return sensor.read_fifo()

    def attribute(self, name: str) -> str:
        return (self.twin.folder / name).read_text("ascii").strip()

    def set(self, name: str, value: str) -> None:
        (self.twin.folder / name).write_text(value, "ascii")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.twin.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("le:s16/16>>0\n", SampleFormat(np.dtype("<i2"), 16, 0)),
        ("le:s12/16>>4", SampleFormat(np.dtype("<i2"), 12, 4)),
        ("be:s20/32>>12", SampleFormat(np.dtype(">i4"), 20, 12)),
        ("le:s8/8", SampleFormat(np.dtype("i1"), 8, 0)),
    ],
)
def test_sample_formats(text: str, expected: SampleFormat) -> None:
    assert parse_format(text) == expected


@pytest.mark.parametrize(
    "text", ["", "le:u16/16>>0", "s16/16>>0", "le:s64/64>>0", "le:s16/16>>4", "le:s16/16X2>>0", "le:s0/16>>0"]
)
def test_other_formats_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no format|do not fit"):
        parse_format(text)


@pytest.mark.parametrize("device", ["lis3dh_accel", "0"])
def test_a_device_is_found_by_name_and_number(bench: Bench, device: str) -> None:
    sensor: Accelerometer = bench.open(device)
    info = sensor.info
    assert (info.chip, info.bus, info.address, info.rate_hz) == ("iio", f"iio:{device}", None, 400.0)
    assert info.simulated
    assert info.resolution_g == pytest.approx(0.001, rel=1e-3)


def test_start_configures_the_device(bench: Bench) -> None:
    bench.open(range_g=16.0).start()
    assert bench.attribute("sampling_frequency") == "400"
    # 12 mg per count.
    assert float(bench.attribute("in_accel_scale")) == pytest.approx(0.117679)
    channels = ("accel_x", "accel_y", "accel_z", "timestamp")
    assert [bench.attribute(f"scan_elements/in_{name}_en") for name in channels] == ["1", "1", "1", "0"]
    settings = [bench.attribute(f"buffer/{name}") for name in ("length", "watermark", "enable")]
    assert settings == ["400", "100", "1"]


def test_samples_come_in_g(bench: Bench) -> None:
    sensor = bench.started()
    block = bench.drain(sensor, 10.5 / 400)
    assert numbers(block).tolist() == list(range(10))
    assert block.samples_g[3].tolist() == pytest.approx([3 * STEP_G, 0.0, 4 * STEP_G])
    assert block.samples_g.dtype == np.float32
    assert block.lost == 0
    assert block.end_ns == pytest.approx(10 / 400 * 1e9, abs=1e9 / 400)
    again = sensor.read_fifo()
    assert (again.samples_g.shape, again.lost) == ((0, 3), 0)


def test_high_bytes_first_and_signs(tmp_path: Path) -> None:
    clock = SimulatedClock()
    twin = SimulatedIioDevice(tmp_path, clock, Silence())
    for axis in "xyz":
        (twin.folder / f"scan_elements/in_accel_{axis}_type").write_text("be:s12/16>>4", "ascii")
    sensor = IioAccelerometer("0", clock, rate_hz=100, range_g=2.0, root=tmp_path)
    sensor.start()
    twin.node.write_bytes(bytes.fromhex("8000 7ff0 fff7"))
    # -2048, 2047 and -1; the bits below do not count.
    assert sensor.read_fifo().samples_g[0] / STEP_G == pytest.approx([-2048, 2047, -1])
    sensor.close()
    twin.close()


def test_the_rate_is_estimated(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate_error=0.02)
    sensor = bench.started()
    for _ in range(200):
        block = bench.drain(sensor, 0.1)
        assert block.lost == 0
    assert block.rate_hz == pytest.approx(408, rel=1e-3)
    bench.twin.close()


def test_a_full_buffer_drops_the_newest(bench: Bench) -> None:
    sensor = bench.started()
    bench.drain(sensor, 0.1)
    block = bench.drain(sensor, 3.0)
    # The buffer holds a second; what was dropped comes after it.
    assert (len(block.samples_g), block.lost) == (400, 0)
    assert block.end_ns == pytest.approx(1.1e9, abs=1e7)
    following = int(numbers(block)[-1]) + 1
    late = bench.drain(sensor, 0.1)
    assert late.lost == bench.twin.samples_dropped == 800
    assert numbers(late)[0] == following + 800
    assert late.end_ns == pytest.approx(bench.clock.monotonic_ns(), abs=1e9 / 400)
    assert bench.drain(sensor, 0.1).lost == 0


def test_samples_lost_by_the_driver_are_counted(bench: Bench) -> None:
    sensor = bench.started()
    bench.drain(sensor, 0.1)
    bench.clock.wait(0.2)
    bench.twin.pump()
    with bench.twin.node.open("rb", buffering=0) as thief:
        thief.read(50 * 6)
    assert bench.drain(sensor, 0.0).lost == 50


def test_a_silent_device_is_found(bench: Bench) -> None:
    sensor = bench.open()
    sensor.start()
    bench.clock.wait(2.0)
    with pytest.raises(SensorError, match=r"delivered none of 800 samples; does its driver need a trigger"):
        sensor.read_fifo()


def test_close_stops_the_buffer_twice(bench: Bench) -> None:
    with bench.started() as sensor:
        pass
    assert bench.attribute("buffer/enable") == "0"
    sensor.close()
    with pytest.raises(SensorError, match="is not started; call start first"):
        sensor.read_fifo()
    sensor.start()
    assert bench.attribute("buffer/enable") == "1"


def test_an_absent_device_is_told_with_those_there(bench: Bench) -> None:
    with pytest.raises(
        BusError, match=r"iio:adxl345: no such device; there are: iio:device0 \(lis3dh_accel\)"
    ) as caught:
        bench.open("adxl345")
    assert caught.value.code == errno.ENOENT


def test_other_rates_and_ranges_are_refused_with_those_offered(bench: Bench) -> None:
    with pytest.raises(SensorError, match="offers no rate of 800 Hz; choose 100, 200, 400"):
        bench.open(rate_hz=800)
    with pytest.raises(SensorError, match=r"offers no range of 100 g; choose 2\.05, 4\.1, 8\.19, 24\.6"):
        bench.open(range_g=100)


def test_a_device_without_acceleration_is_refused(bench: Bench) -> None:
    (bench.twin.folder / "in_accel_scale").unlink()
    with pytest.raises(SensorError, match="it is no accelerometer with a buffer"):
        bench.open()


@pytest.mark.parametrize(
    ("attribute", "value", "told"),
    [
        ("scan_elements/in_accel_x_index", "2", r"axes come in the order \[2, 1, 2\]"),
        ("scan_elements/in_accel_y_type", "le:u16/16>>0", "'le:u16/16>>0' is no format"),
    ],
)
def test_a_buffer_that_is_not_understood_is_refused(
    bench: Bench, attribute: str, value: str, told: str
) -> None:
    bench.set(attribute, value)
    with pytest.raises(SensorError, match=told):
        bench.open()


def test_a_failed_start_leaves_the_buffer_off(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    sensor = bench.open()
    bench.twin.node.unlink()
    with caplog.at_level(logging.WARNING), pytest.raises(BusError, match="cannot be opened: No such file"):
        sensor.start()
    assert bench.attribute("buffer/enable") == "0"
    assert caplog.text == ""


def test_an_attribute_that_is_refused_is_named(bench: Bench) -> None:
    sensor = bench.open()
    (bench.twin.folder / "buffer/length").unlink()
    (bench.twin.folder / "buffer/length").mkdir()
    with pytest.raises(BusError, match="buffer/length = 400 is refused: Is a directory"):
        sensor.start()


def test_there_is_no_self_test(bench: Bench) -> None:
    with pytest.raises(SensorError, match="has no self-test"):
        bench.open().self_test()
