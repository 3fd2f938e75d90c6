"""Payloads of Sparkplug B in protobuf: what judder says and understands of the specification's definition.

Source: Sparkplug specification 3.0.0, chapter 6, "Google Protocol Buffers". Fields that judder does not use
are left out: a reader of protobuf skips them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError

PACKAGE = "judder.sparkplug"

Value = bool | int | float | str | None
"""None: the metric has no value (``is_null``)."""


class DataType(IntEnum):
    """Types of a metric, those that judder uses (section 6.4.16)."""

    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


_FIELD_OF = {
    DataType.INT64: "long_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
}
_LONG = 1 << 64
"""A negative INT64 travels as its two's complement in an unsigned field."""


@dataclass(frozen=True)
class Metric:
    """One named value."""

    name: str
    datatype: DataType
    value: Value
    at: datetime
    """UTC time of the value."""
    historical: bool = False
    """True if it is not the present value, and must not be shown as such."""


def encode(at: datetime, metrics: Sequence[Metric], sequence: int | None) -> bytes:
    """Return a payload.

    Args:
        at: UTC time when it is sent.
        metrics: What it tells.
        sequence: ``seq``, 0 to 255; None in a death certificate.
    """
    payload = _PAYLOAD(timestamp=_milliseconds(at))
    if sequence is not None:
        payload.seq = sequence
    for metric in metrics:
        _add(payload, metric)
    encoded: bytes = payload.SerializeToString()
    return encoded


def asks(payload: bytes, name: str) -> bool:
    """Return whether a command sets a boolean metric.

    Raises:
        ValueError: If it is no payload of Sparkplug.
    """
    try:
        metrics = _PAYLOAD.FromString(payload).metrics
    except DecodeError as error:
        raise ValueError(f"not a payload of Sparkplug B: {error}") from error
    return any(metric.name == name and metric.boolean_value for metric in metrics)


def _add(payload: Any, metric: Metric) -> None:  # noqa: ANN401 - a class made at run time
    added = payload.metrics.add(
        name=metric.name, timestamp=_milliseconds(metric.at), datatype=metric.datatype.value
    )
    if metric.historical:
        added.is_historical = True
    if metric.value is None:
        added.is_null = True
    elif metric.datatype is DataType.INT64:
        added.long_value = int(metric.value) % _LONG
    else:
        setattr(added, _FIELD_OF[metric.datatype], metric.value)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _payload_class() -> Any:  # noqa: ANN401 - a class made at run time
    """Return the class of payloads, made from the definition below."""
    kinds = FieldDescriptorProto
    file = FileDescriptorProto(name="judder/sparkplug_b.proto", package=PACKAGE, syntax="proto2")
    metric = file.message_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for name, number, kind in (
        ("name", 1, kinds.TYPE_STRING),
        ("timestamp", 3, kinds.TYPE_UINT64),
        ("datatype", 4, kinds.TYPE_UINT32),
        ("is_historical", 5, kinds.TYPE_BOOL),
        ("is_null", 7, kinds.TYPE_BOOL),
    ):
        metric.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    for name, number, kind in (
        ("long_value", 11, kinds.TYPE_UINT64),
        ("double_value", 13, kinds.TYPE_DOUBLE),
        ("boolean_value", 14, kinds.TYPE_BOOL),
        ("string_value", 15, kinds.TYPE_STRING),
    ):
        metric.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL, oneof_index=0)
    payload = file.message_type.add(name="Payload")
    payload.field.add(name="timestamp", number=1, type=kinds.TYPE_UINT64, label=kinds.LABEL_OPTIONAL)
    payload.field.add(
        name="metrics",
        number=2,
        type=kinds.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.Metric",
        label=kinds.LABEL_REPEATED,
    )
    payload.field.add(name="seq", number=3, type=kinds.TYPE_UINT64, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Payload"))


_PAYLOAD = _payload_class()
