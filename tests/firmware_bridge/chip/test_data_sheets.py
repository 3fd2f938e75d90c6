"""Each chip's registers, driver and twin against its data sheet, value by value.

The data sheets are typed by hand, in ``data_sheets``: a driver and its twin share one register map, and
could be wrong together.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np
import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chips import CHIPS, offered, open_accelerometer
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.signals import Silence

SHEETS = {
    name: tomllib.loads((Path(__file__).parent / "data_sheets" / f"{name}.toml").read_text("utf-8"))
    for name in CHIPS
}
STILL = (0.0, 0.0, 0.0)


class Bench(NamedTuple):
    """A chip that feels what its data sheet's examples say, and its driver, not started."""

    twin: Any
    sensor: Any
    clock: SimulatedClock

    def check(self, written: Mapping[str, str]) -> None:
        """Compare registers: address to bytes, as hexadecimal digits."""
        for address, value in written.items():
            wanted = bytes.fromhex(value)
            assert self.twin.read(int(address, 16), len(wanted)) == wanted, address


def bench(
    name: str, *, rate_hz: float | None = None, range_g: float | None = None, still: bool = False, **felt: Any
) -> Bench:
    sheet, clock = SHEETS[name], SimulatedClock()
    signal = Silence(gravity_g=tuple(sheet["felt_g"]), noise_g=STILL) if still else Silence()
    twin = resolve_name(CHIPS[name].simulator)(clock, signal, **felt)
    bus = SimulatedBus("sim:bench", clock)
    bus.attach(CHIPS[name].usual_address, twin)
    sensor = open_accelerometer(
        name,
        bus,
        clock,
        address=None,
        rate_hz=rate_hz or sheet["rate_hz"],
        range_g=range_g or sheet["range_g"],
    )
    return Bench(twin, sensor, clock)


def rows(*keys: str) -> list[Any]:
    """Return a parameter for each row of a table in each data sheet that has it."""
    found = []
    for name, sheet in SHEETS.items():
        table: Any = sheet
        for key in keys:
            table = table.get(key, ())
        found += [pytest.param(name, row, id=f"{name}-{_id(row)}") for row in table]
    return found


def _id(row: Any) -> str:
    if isinstance(row, Mapping):
        return f"{row['g']}g"
    return row[1] if isinstance(row[1], str) else f"{row[0]:g}"


def encoded(counts: Iterable[int], output: Mapping[str, Any]) -> bytes:
    """Return counts as the output registers hold them."""
    return b"".join(
        (count << output["shift"]).to_bytes(output["bytes"], output["order"], signed=True) for count in counts
    )


@pytest.mark.parametrize("name", CHIPS)
def test_the_enum_is_the_register_map(name: str) -> None:
    enum = import_module(f"firmware_bridge.{name}.registers").Register
    assert [(register.value, register.name) for register in enum] == [
        (address, register) for address, register, *_ in SHEETS[name]["registers"]
    ]


@pytest.mark.parametrize(("name", "row"), rows("registers"))
def test_reset_value_and_access(name: str, row: list[Any]) -> None:
    address, _, access, *reset = row
    harmless = bytes([SHEETS[name]["harmless"]])
    twin = bench(name).twin
    length = len(bytes.fromhex(reset[0])) if reset else 1
    before = twin.read(address, length)
    assert not reset or before == bytes.fromhex(reset[0])
    twin.write(address, harmless)
    assert twin.read(address, length) == (harmless if access == "R/W" else before)
    twin.power_cycle()
    assert twin.read(address, length) == before


@pytest.mark.parametrize(("name", "row"), rows("rates"))
def test_start_writes_what_the_data_sheet_says(name: str, row: list[Any]) -> None:
    rate_hz, written = row
    started = bench(name, rate_hz=rate_hz)
    started.sensor.start()
    started.check(written)
    started.check(SHEETS[name].get("written", {}))


@pytest.mark.parametrize("name", CHIPS)
def test_all_rates_and_ranges_are_offered(name: str) -> None:
    offer, sheet = offered(name), SHEETS[name]
    assert list(offer.rates_hz) == sorted(rate_hz for rate_hz, _ in sheet["rates"])
    assert list(offer.ranges_g) == [row["g"] for row in sheet["ranges"]]


@pytest.mark.parametrize(("name", "row"), rows("ranges"))
def test_the_scale_of_each_range(name: str, row: dict[str, Any]) -> None:
    output = SHEETS[name]["output"]
    resolution_g = row["mg_per_lsb"] / 1000 if "mg_per_lsb" in row else 1 / row["lsb_per_g"]
    still = bench(name, range_g=row["g"], still=True)
    assert still.sensor.info.resolution_g == pytest.approx(resolution_g)
    still.sensor.start()
    still.check(row["written"])
    still.clock.wait(0.1)
    samples_g = still.sensor.read_fifo().samples_g
    assert samples_g[-1].tolist() == pytest.approx([count * resolution_g for count in row["counts"]])
    wanted = encoded(row["counts"], output)
    assert still.twin.read(output["address"], len(wanted)) == wanted


@pytest.mark.parametrize("name", [name for name in CHIPS if "temperature" in SHEETS[name]])
def test_the_temperature(name: str) -> None:
    row = SHEETS[name]["temperature"]
    warm = bench(name, temperature_c=row["felt_c"])
    warm.sensor.start()
    wanted = bytes.fromhex(row["reads"])
    assert warm.twin.read(row["address"], len(wanted)) == wanted
    assert warm.sensor.temperature_c() == pytest.approx(row["felt_c"], abs=row["within_c"])


@pytest.mark.parametrize(
    ("name", "shift_g", "passed"),
    [
        (name, shift_g, kind == "passes_g")
        for name, sheet in SHEETS.items()
        for kind in ("passes_g", "fails_g")
        for shift_g in sheet["self_test"][kind]
    ],
)
def test_self_test_limits(name: str, shift_g: list[float], passed: bool) -> None:
    row = SHEETS[name]["self_test"]
    pushed = bench(name, self_test_shift_g=tuple(shift_g))
    result = pushed.sensor.self_test()
    assert result.passed is passed
    told_g = shift_g if row.get("signed") else np.abs(shift_g)
    assert result.shift_g == pytest.approx(told_g, abs=0.01)
    assert np.array(result.limits_g) == pytest.approx(
        np.array(row["limits_g"]), abs=row.get("within_g", 1e-9)
    )
    # The force is off again.
    pushed.check(row["leaves"])
