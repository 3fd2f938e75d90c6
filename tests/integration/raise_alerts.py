"""A gateway in miniature, to be killed: raises alerts as fast as the disk takes them, and forwards them.

Usage: raise_alerts.py DATABASE PORT COUNT

Prints each event's id when it is stored, and ``sent`` when nothing waits any more; then waits for the end.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from agent.config.names import GatewayName
from agent.config.uplink import BrokerSettings
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change
from agent.storage.alerts import AlertStore
from agent.system.backoff import Backoff
from agent.system.uuid7 import uuid7
from agent.system.watchdog import Watchdog, sd_notify
from agent.uplink.forwarder import Forwarder
from agent.uplink.json_dialect import JsonDialect
from agent.uplink.messages import alert_message
from agent.uplink.mqtt import MqttUplink
from firmware_bridge.clock import SystemClock

GATEWAY = GatewayName("plant", "gateway")


def main(database: str, port: str, count: str) -> None:
    clock = SystemClock()
    store = AlertStore.open(Path(database), clock.utc())
    settings = BrokerSettings(host="127.0.0.1", port=int(port), client_id="gateway")
    uplink = MqttUplink(settings, JsonDialect(GATEWAY, clock, version="0.1.0", simulated=True), clock)
    watchdog = Watchdog(sd_notify, clock)
    forwarder = Forwarder(store.outbox, uplink, clock, watchdog, Backoff("gateway", 0.05, 0.2))
    forwarder.start()
    for _ in range(int(count)):
        now = clock.utc()
        event_id, alert_id = str(uuid7(now)), str(uuid7(now))
        event = AlertEvent(
            event_id=event_id,
            alert_id=alert_id,
            sensor="motor",
            change=Change.RAISED,
            level=Level.ALARM,
            at=now,
            score=9.0,
            threshold=6.0,
            part="level",
            statistics=(),
            contributions=(),
            model="pump-1",
            simulated=True,
        )
        store.record(event, alert_message(event, GATEWAY))
        sys.stdout.write(f"{event_id}\n")
        sys.stdout.flush()
    while store.outbox.depth() > 0:
        time.sleep(0.01)
    sys.stdout.write("sent\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
