"""What of a configuration may change while the daemon runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from agent.config.file import Config

SAFE = ("telemetry", "uplink", "metrics")
"""Tables that may change as a whole; of a sensor only ``alarm`` may."""


def refusals(running: Config, wanted: Config) -> list[str]:
    """Return why the wanted configuration needs a restart; empty if it can replace the running one."""
    return [f"{key} has changed; that needs 'systemctl restart judder'" for key in _unsafe(running, wanted)]


def changes(running: Config, wanted: Config) -> list[str]:
    """Return the key paths that differ and may."""
    tables = [name for name in SAFE if getattr(running, name) != getattr(wanted, name)]
    common = running.sensors.keys() & wanted.sensors.keys()
    alarms = [name for name in sorted(common) if running.sensors[name].alarm != wanted.sensors[name].alarm]
    return [*tables, *(f"sensors.{name}.alarm" for name in alarms)]


def _unsafe(running: Config, wanted: Config) -> Iterator[str]:
    for field in fields(Config):
        if field.name not in (*SAFE, "sensors") and getattr(running, field.name) != getattr(
            wanted, field.name
        ):
            yield field.name
    for name in sorted(running.sensors.keys() | wanted.sensors.keys()):
        old, new = running.sensors.get(name), wanted.sensors.get(name)
        if old is None or new is None:
            yield f"sensors.{name}"
            continue
        new = replace(new, alarm=old.alarm)
        for field in fields(old):
            if getattr(old, field.name) != getattr(new, field.name):
                yield f"sensors.{name}.{field.name}"
    if (running.uplink is None) != (wanted.uplink is None):
        yield "uplink"
