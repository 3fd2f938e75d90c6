"""A gateway as an edge node of Sparkplug B, its sensors as the node's devices.

Source: Sparkplug specification 3.0.0. ``SITE`` is the group, the gateway the edge node, a sensor a device:
``spBv1.0/SITE/DDATA/GATEWAY/SENSOR``. No primary host is waited for, and no aliases are used.

In one thing judder departs from the specification: data goes with QoS 1 and not with 0. Only a confirmation
lets the outbox forget a message, and no alert may be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from agent.storage.message import Kind, Message
from agent.uplink.dialect import Packet
from agent.uplink.sparkplug_metrics import metrics_of, names
from agent.uplink.sparkplug_payload import DataType, Metric, asks, encode
from firmware_bridge.clock import Clock

logger = logging.getLogger(__name__)

NAMESPACE = "spBv1.0"
BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"
VERSION = "Properties/judder version"
SIMULATED = "Properties/simulated"
MODULUS = 256
"""``seq`` counts from 0 to 255."""


class SparkplugDialect:
    """Births, data and deaths (see ``dialect.Dialect``).

    Args:
        group: Name of the group.
        node: Name of the edge node.
        devices: Names of the sensors.
        clock: UTC of the payloads.
        next_birth: Returns the next birth and death sequence number.
        version: Version of judder.
        simulated: True if any sensor is simulated.
    """

    def __init__(
        self,
        group: str,
        node: str,
        devices: Sequence[str],
        clock: Clock,
        next_birth: Callable[[], int],
        *,
        version: str,
        simulated: bool,
    ) -> None:
        self._group = group
        self._node = node
        self._clock = clock
        self._next_birth = next_birth
        self._version = version
        self._simulated = simulated
        self._birth = self._sequence = 0
        self._since = clock.utc()
        self._malformed = False
        self._known: dict[str, dict[str, Metric]] = {device: {} for device in devices}
        """What each device told last."""

    @property
    def subscriptions(self) -> Sequence[str]:
        """Commands to the node."""
        return (f"{NAMESPACE}/{self._group}/NCMD/{self._node}",)

    def will(self) -> Packet:
        """Return the death certificate of the next connection."""
        self._birth = self._next_birth()
        return self._death()

    def hello(self) -> list[Packet]:
        """Return the birth certificates of the node and of all devices."""
        self._since = self._clock.utc()
        return self._births()

    def data(self, messages: Sequence[Message]) -> list[Packet]:
        """Return the messages as data of their devices.

        Telemetry from before the connection is marked as historical. An alert is not: a host must act on it.
        """
        return [self._data(message) for message in messages]

    def answer(self, topic: str, payload: bytes) -> list[Packet]:
        """Return the births again, if the command asks for them; other commands are ignored."""
        try:
            reborn = asks(payload, REBIRTH)
        except ValueError as error:
            if not self._malformed:  # a broken client may send many
                logger.warning("%s: a command is ignored, and more may follow: %s", topic, error)
            self._malformed = True
            return []
        return self._births() if reborn else []

    def goodbye(self) -> list[Packet]:
        """Return the death certificate, which a node that leaves by itself sends by itself."""
        return [self._death()]

    def _death(self) -> Packet:
        now = self._clock.utc()
        return Packet(self._topic("NDEATH"), encode(now, [self._bd_seq(now)], None))

    def _births(self) -> list[Packet]:
        now = self._clock.utc()
        self._sequence = 0
        node = [
            self._bd_seq(now),
            Metric(REBIRTH, DataType.BOOLEAN, False, now),
            Metric(VERSION, DataType.STRING, self._version, now),
            Metric(SIMULATED, DataType.BOOLEAN, self._simulated, now),
        ]
        birth = Packet(self._topic("NBIRTH"), encode(now, node, self._next_sequence()), qos=0)
        return [birth, *(self._device_birth(device, now) for device in self._known)]

    def _device_birth(self, device: str, now: datetime) -> Packet:
        known = self._known[device]
        metrics = [known.get(name) or Metric(name, kind, None, now) for name, kind in names().items()]
        topic = self._topic("DBIRTH", device)
        return Packet(topic, encode(now, metrics, self._next_sequence()), qos=0)

    def _data(self, message: Message) -> Packet:
        historical = message.kind is not Kind.ALERT and message.created_at < self._since
        metrics = metrics_of(message, historical=historical)
        if not historical:
            self._known.setdefault(message.sensor, {}).update({metric.name: metric for metric in metrics})
        topic = self._topic("DDATA", message.sensor)
        return Packet(topic, encode(self._clock.utc(), metrics, self._next_sequence()))

    def _bd_seq(self, now: datetime) -> Metric:
        return Metric(BD_SEQ, DataType.INT64, self._birth, now)

    def _next_sequence(self) -> int:
        number, self._sequence = self._sequence, (self._sequence + 1) % MODULUS
        return number

    def _topic(self, kind: str, device: str | None = None) -> str:
        end = "" if device is None else f"/{device}"
        return f"{NAMESPACE}/{self._group}/{kind}/{self._node}{end}"
