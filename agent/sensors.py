"""From a configured sensor to an accelerometer that can be opened, and opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TypeAlias

from agent.config import Sensor
from firmware_bridge.accelerometer import Accelerometer, open_accelerometer, simulate
from firmware_bridge.bus import I2CBus, open_bus
from firmware_bridge.clock import Clock
from firmware_bridge.errors import SignalError
from firmware_bridge.signals import make_signal
from firmware_bridge.simulated_bus import SimulatedBus

Opener: TypeAlias = Callable[[], AbstractContextManager[Accelerometer]]


def sensor_opener(sensor: Sensor, clock: Clock) -> Opener:
    """Return what opens the sensor's bus and driver; each call opens them anew and closes them at its end.

    A simulated bus is made once, here: the machine that it feels goes on while the sensor is opened again.

    Raises:
        SensorError: If the chip is not known, or does not offer the rate or the range.
        SignalError: If the simulated signal cannot be made as described.
    """
    simulated = simulated_bus(sensor, clock) if sensor.simulated else None
    _driver(sensor, simulated or SimulatedBus("unused", clock), clock)  # refuses what the chip does not offer

    @contextmanager
    def opened() -> Iterator[Accelerometer]:
        if simulated is not None:
            with _driver(sensor, simulated, clock) as accelerometer:
                yield accelerometer
            return
        with closing(open_bus(sensor.bus)) as bus, _driver(sensor, bus, clock) as accelerometer:
            yield accelerometer

    return opened


def simulated_bus(sensor: Sensor, clock: Clock) -> SimulatedBus:
    """Return a bus with the sensor's chip on it, which feels the configured signal.

    Raises:
        SensorError: If the chip has no simulated twin.
        SignalError: If the signal cannot be made as described.
    """
    parameters = dict(sensor.signal or {})
    kind = parameters.pop("kind", None)
    if not isinstance(kind, str):
        raise SignalError("the signal of a simulated sensor needs a 'kind', such as kind = \"rotor\"")
    bus = SimulatedBus(sensor.bus, clock)
    chip = simulate(sensor.chip, clock, make_signal(kind, parameters))
    bus.attach(_driver(sensor, bus, clock).info.address, chip)
    return bus


def _driver(sensor: Sensor, bus: I2CBus, clock: Clock) -> Accelerometer:
    return open_accelerometer(
        sensor.chip,
        bus,
        clock,
        address=sensor.address,
        rate_hz=sensor.rate_hz,
        range_g=sensor.range_g,
    )
