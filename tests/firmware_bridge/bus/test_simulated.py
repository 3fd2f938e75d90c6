"""The simulated bus: who answers, who does not, faults on demand, the time of a transfer."""

from __future__ import annotations

import errno

import pytest

from firmware_bridge.adxl345.simulator import SimulatedADXL345
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError
from firmware_bridge.signals import Silence


@pytest.fixture(autouse=True)
def chip(bus: SimulatedBus, clock: SimulatedClock) -> SimulatedADXL345:
    chip = SimulatedADXL345(clock, Silence())
    bus.attach(0x53, chip)
    return chip


def test_only_the_attached_address_answers(bus: SimulatedBus) -> None:
    assert bus.read(0x53, 0x00, 1) == b"\xe5"
    with pytest.raises(BusError, match="no answer") as caught:
        bus.read(0x1D, 0x00, 1)
    assert (caught.value.code, caught.value.address, caught.value.register) == (errno.ENXIO, 0x1D, 0x00)


def test_an_address_is_taken_once(bus: SimulatedBus, chip: SimulatedADXL345) -> None:
    with pytest.raises(BusError, match="0x53: another chip has this address"):
        bus.attach(0x53, chip)


def test_the_next_transfers_fail_and_no_more(bus: SimulatedBus) -> None:
    bus.fail_next(2, errno.ETIMEDOUT, after=1)
    assert bus.read(0x53, 0x00, 1) == b"\xe5"
    for _ in range(2):
        with pytest.raises(BusError, match="simulated fault: Connection timed out"):
            bus.write(0x53, 0x2D, b"\x08")
    assert bus.read(0x53, 0x2D, 1) == b"\x00"


def test_an_unplugged_bus_answers_again_when_plugged(bus: SimulatedBus) -> None:
    bus.write(0x53, 0x31, b"\x0b")
    bus.unplug()
    with pytest.raises(BusError, match="no answer"):
        bus.read(0x53, 0x00, 1)
    bus.plug()
    assert bus.read(0x53, 0x31, 1) == b"\x0b"


def test_a_closed_bus_says_so(bus: SimulatedBus) -> None:
    bus.close()
    bus.close()
    with pytest.raises(BusError, match="the bus is closed"):
        bus.read(0x53, 0x00, 1)


def test_a_transfer_takes_its_bits(clock: SimulatedClock) -> None:
    bus = SimulatedBus("sim:slow", clock, bit_rate_hz=100_000, charge_time=True)
    bus.attach(0x53, SimulatedADXL345(clock, Silence()))
    # Two addresses, the register and six bytes of nine bits each, and three bus conditions: 84 bits.
    bus.read(0x53, 0x32, 6)
    assert clock.monotonic_ns() == 840_000
    # Address, register and one byte: 30 bits.
    bus.write(0x53, 0x2D, b"\x00")
    assert clock.monotonic_ns() == 1_140_000
    bus.read_burst(0x53, 0x32, 6, 10)
    assert clock.monotonic_ns() == 9_540_000


def test_time_stands_still_unless_asked(bus: SimulatedBus, clock: SimulatedClock) -> None:
    bus.read_burst(0x53, 0x32, 6, 10)
    assert clock.monotonic_ns() == 0
