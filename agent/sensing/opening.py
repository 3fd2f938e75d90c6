"""From a configured sensor to an accelerometer that can be opened, and opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import TypeAlias

from agent.config.sensor import IIO, SIMULATED, Sensor
from firmware_bridge.bus.fault_plan import FaultPlan
from firmware_bridge.bus.faulty import FaultyBus
from firmware_bridge.bus.protocol import I2CBus, device_node, open_bus
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.accelerometer import Accelerometer
from firmware_bridge.chips import CHIPS, open_accelerometer, simulate
from firmware_bridge.clock import Clock
from firmware_bridge.errors import OfferError, SignalError
from firmware_bridge.signals import FaultySignal, make_signal

Opener: TypeAlias = Callable[[], AbstractContextManager[Accelerometer]]


def sensor_opener(sensor: Sensor, clock: Clock) -> Opener:
    """Return what opens the sensor's bus and driver; each call opens them anew and closes them at its end.

    A device of the kernel (``iio:``) is looked for when it is opened. A simulated bus is made once, here: the
    machine that it feels goes on while the sensor is opened again.

    Raises:
        SensorError: If the chip is not known, or does not offer the rate or the range.
        SignalError: If the simulated signal cannot be made as described.
    """
    if sensor.bus.startswith(IIO):
        return partial(_kernel_accelerometer, sensor, clock)
    simulated = simulated_bus(sensor, clock) if sensor.simulated else None
    open_on(sensor, simulated or SimulatedBus("unused", clock), clock)  # refuses what the chip does not offer

    @contextmanager
    def opened() -> Iterator[Accelerometer]:
        if simulated is not None:
            with open_on(sensor, simulated, clock) as accelerometer:
                yield accelerometer
            return
        with closing(open_bus(sensor.bus)) as bus, open_on(sensor, bus, clock) as accelerometer:
            yield accelerometer

    return opened


def check_bus(sensor: Sensor) -> None:
    """Refuse the name of a bus that cannot be one; whether it is there is seen when it is opened.

    Raises:
        OfferError: If it is neither a device node, nor a number, nor begins with ``iio:`` or ``sim:``.
    """
    if not sensor.bus.startswith((IIO, SIMULATED)) and device_node(sensor.bus) is None:
        known = "a device node such as /dev/i2c-1, iio:NAME or sim:NAME"
        raise OfferError({"bus": f"'{sensor.bus}' is no bus; name {known}"})


def simulated_bus(sensor: Sensor, clock: Clock) -> I2CBus:
    """Return a bus with the sensor's chip on it, which feels the configured signal, with the planned faults.

    Raises:
        SensorError: If the chip has no simulated twin.
        SignalError: If the signal cannot be made as described.
    """
    parameters = dict(sensor.signal or {})
    kind = parameters.pop("kind", None)
    if not isinstance(kind, str):
        raise SignalError("the signal of a simulated sensor needs a 'kind', such as kind = \"rotor\"")
    bus = SimulatedBus(sensor.bus, clock)
    plan = sensor.faults or FaultPlan()
    chip = simulate(sensor.chip, clock, FaultySignal(make_signal(kind, parameters), plan))
    bus.attach(CHIPS[sensor.chip].usual_address if sensor.address is None else sensor.address, chip)
    return FaultyBus(bus, plan, clock, bus.power_cycle) if plan.plan else bus


def sensor_bus(sensor: Sensor, clock: Clock) -> AbstractContextManager[I2CBus]:
    """Open the sensor's I2C bus, a simulated one with the sensor's chip on it; closed at its end.

    Raises:
        BusError: If the bus cannot be opened.
        SensorError: If a simulated chip has no twin.
        SignalError: If its signal cannot be made as described.
    """
    return closing(simulated_bus(sensor, clock) if sensor.simulated else open_bus(sensor.bus))


def _kernel_accelerometer(sensor: Sensor, clock: Clock) -> Accelerometer:
    from firmware_bridge.iio.driver import IioAccelerometer

    device = sensor.bus.removeprefix(IIO)
    return IioAccelerometer(device, clock, rate_hz=sensor.rate_hz, range_g=sensor.range_g)


def open_on(sensor: Sensor, bus: I2CBus, clock: Clock) -> Accelerometer:
    """Return the driver of the sensor's chip on an open bus; nothing is sent.

    Raises:
        SensorError: If the chip is not known, or does not offer the address, the rate or the range.
    """
    return open_accelerometer(
        sensor.chip,
        bus,
        clock,
        address=sensor.address,
        rate_hz=sensor.rate_hz,
        range_g=sensor.range_g,
    )
