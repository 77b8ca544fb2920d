"""What Stripe asks of a meter event beyond the contract, each rule a function that raises `Refusal` or answers.

The codes are those of Stripe's error reports. Where the endpoint checks at once it answers them as an error (v1 400, v2
with the code); the stream finds out later and reports them.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Object = dict[str, Any]

DAY = 24 * 3600
OLDEST = 35 * DAY
FURTHEST_AHEAD = 5 * 60
IDENTIFIER_WINDOW = DAY
CANCEL_WINDOW = DAY
MAX_DIGITS = 15
MAX_IDENTIFIER = 100
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")


@dataclass(frozen=True)
class Refusal(Exception):
    """Why an event is not counted. `code` is that of an error report."""

    code: str
    message: str
    param: str = ""


def read_value(text: object, key: str) -> Decimal:
    """The number of a payload: plain notation, decimals allowed, negative allowed.

    All digits count that are written, but leading zeros: a trailing zero is a digit that the sender claims to know.
    """
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        message = f"The value of {key} must be a number in plain notation, got {str(text)[:40]!r}."
        raise Refusal("meter_event_invalid_value", message, f"payload[{key}]")
    digits = text.lstrip("+-").replace(".", "").lstrip("0")
    if len(digits) > MAX_DIGITS:
        message = f"The value of {key} has {len(digits)} significant digits. At most {MAX_DIGITS} are allowed."
        raise Refusal("meter_event_value_too_many_digits", message, f"payload[{key}]")
    return Decimal(text)


def read_payload(meter: Object, payload: Object) -> tuple[str, Decimal]:
    """The customer and the value of an event. A count needs no value: each event is one."""
    customer_key = meter["customer_mapping"]["event_payload_key"]
    customer = payload.get(customer_key)
    if not customer:
        message = f"The payload must name the customer under {customer_key}."
        raise Refusal("meter_event_no_customer_defined", message, f"payload[{customer_key}]")
    value_key = meter["value_settings"]["event_payload_key"]
    if value_key not in payload:
        if meter["default_aggregation"]["formula"] == "count":
            return customer, Decimal(1)
        message = f"The payload must hold a value under {value_key}."
        raise Refusal("meter_event_invalid_value", message, f"payload[{value_key}]")
    return customer, read_value(payload[value_key], value_key)


def check_timestamp(timestamp: int, at: int) -> None:
    """Against the clock of the customer: a test clock moves the window with it."""
    if timestamp < at - OLDEST:
        raise Refusal("timestamp_too_far_in_past", "The timestamp is more than 35 days in the past.", "timestamp")
    if timestamp > at + FURTHEST_AHEAD:
        raise Refusal("timestamp_in_future", "The timestamp is more than 5 minutes in the future.", "timestamp")


def check_summary_window(start: int, end: int, grouping: str | None) -> None:
    """Boundaries lie on whole minutes; hours or UTC days where the answer is grouped by them."""
    step = {"hour": 3600, "day": DAY}.get(grouping or "", 60)
    for name, moment in (("start_time", start), ("end_time", end)):
        if moment % step:
            unit = grouping or "minute"
            raise Refusal("parameter_invalid_integer", f"{name} must be aligned with {unit} boundaries.", name)
    if start >= end:
        raise Refusal("parameter_invalid_integer", "end_time must be after start_time.", "end_time")
