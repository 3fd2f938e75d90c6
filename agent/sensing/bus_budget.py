"""Whether each bus can carry the sensors that are configured on it: by arithmetic, opening nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from agent.config.sensor import IIO, Sensor
from agent.sensing.opening import open_on
from agent.sensing.sampler import watermark
from firmware_bridge.bus.load import USABLE, USUAL_SPEED_HZ, BusLoad, kernel_speed_hz, load_of
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.accelerometer import SensorInfo
from firmware_bridge.chips import CHIPS
from firmware_bridge.clock import SystemClock

Speed = Callable[[str], float | None]


def problems(sensors: Mapping[str, Sensor], speed_hz: Speed = kernel_speed_hz) -> list[str]:
    """Return one line for each bus that cannot carry its sensors, or on which two share an address.

    Args:
        sensors: By name.
        speed_hz: Asks the kernel for the clock of a bus, in Hz; None if it does not say.

    Raises:
        SensorError: If a chip is not known, or does not offer what is configured.
    """
    by_bus: dict[str, dict[str, Sensor]] = {}
    for name, sensor in sensors.items():
        if not sensor.bus.startswith(IIO):
            by_bus.setdefault(sensor.bus, {})[name] = sensor
    return [problem for bus, on_it in by_bus.items() for problem in _of_bus(bus, on_it, speed_hz)]


def _of_bus(bus: str, sensors: Mapping[str, Sensor], speed_hz: Speed) -> Iterator[str]:
    infos = {name: _info(sensor) for name, sensor in sensors.items()}
    yield from _shared_addresses(bus, infos)
    loads = {
        name: load_of(CHIPS[info.chip].bits_per_sample, info.rate_hz, watermark(info.fifo_depth))
        for name, info in infos.items()
    }
    given = [sensor.bus_speed_hz for sensor in sensors.values() if sensor.bus_speed_hz is not None]
    clock_hz = min(given) if given else speed_hz(bus) or USUAL_SPEED_HZ
    total = sum(load.bits_per_s for load in loads.values())
    if total > USABLE * clock_hz:
        yield _arithmetic(bus, infos, loads, clock_hz)


def _info(sensor: Sensor) -> SensorInfo:
    clock = SystemClock()
    return open_on(sensor, SimulatedBus(sensor.bus, clock), clock).info


def _shared_addresses(bus: str, infos: Mapping[str, SensorInfo]) -> Iterator[str]:
    taken: dict[int | None, str] = {}
    for name, info in infos.items():
        other = taken.setdefault(info.address, name)
        if other != name:
            yield (
                f"sensors.{name} and sensors.{other} are both at 0x{info.address:02x} on {bus}; give one the "
                "other address of its chip, and set its jumper"
            )


def _arithmetic(
    bus: str, infos: Mapping[str, SensorInfo], loads: Mapping[str, BusLoad], clock_hz: float
) -> str:
    parts = " + ".join(
        f"{name} ({infos[name].chip} at {load.samples_per_s:g} Hz) {load.bytes_per_s / 1000:.1f} kB/s"
        for name, load in loads.items()
    )
    total = sum(load.bits_per_s for load in loads.values())
    return (
        f"{bus} cannot carry its sensors: {parts}, 9 bits a byte, is {total / 1000:.0f} kbit/s; at "
        f"{clock_hz / 1000:.0f} kHz it carries {USABLE * clock_hz / 1000:.0f}. Lower a rate_hz, use a second "
        "bus, or a faster one (dtparam=i2c_arm_baudrate=1000000) and say so with bus_speed_hz"
    )
