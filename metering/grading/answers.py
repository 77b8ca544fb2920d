"""The report as plain values, for whoever reads it by a program."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from metering.grading.scores import Share


def state_plainly(value: Any) -> Any:
    """Dataclasses as objects by their fields' names, times in ISO 8601; a share with its value and 95 % interval."""
    match value:
        case Share():
            return {"hits": value.hits, "count": value.count, "share": value.value, "interval": value.interval}
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case Mapping():
            return {key: state_plainly(each) for key, each in value.items()}
        case tuple() if hasattr(value, "_asdict"):
            return {key: state_plainly(each) for key, each in value._asdict().items()}
        case list() | tuple():
            return [state_plainly(each) for each in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: state_plainly(getattr(value, field.name)) for field in fields(value)}
    return value
