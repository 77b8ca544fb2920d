"""How many meter events go out a second, by all workers together: Stripe's limits, and a little below them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

# Of calls a second (docs.stripe.com/rate-limits), a twentieth less: clocks differ, and whatever else we ask counts too.
LIVE_RATES = {"v1": 950, "v2": 950, "stream": 9_500}
SANDBOX_RATE = 15  # of 25 for all calls
BURST = timedelta(milliseconds=50)

# The row moves on by as long as the calls take. One that nobody used for a while does not save up what it did not use.
RESERVE = """
    INSERT INTO billing_stripepace AS p (name, free_at) VALUES (%(name)s, clock_timestamp() - %(burst)s + %(length)s)
    ON CONFLICT (name) DO UPDATE
    SET free_at = greatest(p.free_at, clock_timestamp() - %(burst)s) + %(length)s
    RETURNING free_at - %(length)s - clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for some calls: the first after `wait`, and each other `step` later."""

    wait: timedelta
    step: timedelta


def find_rate() -> int:
    """Calls a second; settings.STRIPE_METER_EVENT_RATE, else what Stripe allows for this key."""
    if settings.STRIPE_METER_EVENT_RATE:
        return int(settings.STRIPE_METER_EVENT_RATE)
    is_live = "_live_" in settings.STRIPE_SECRET_KEY
    return LIVE_RATES[settings.STRIPE_METER_EVENT_API] if is_live else SANDBOX_RATE


def reserve_calls(count: int) -> Slot:
    """Room for so many calls, after those that others have. Raises RuntimeError within a transaction."""
    step = timedelta(seconds=1) // find_rate()
    params: dict[str, Any] = {"name": "meter events", "burst": BURST, "length": step * count}
    with transaction.atomic(durable=True), connection.cursor() as cursor:  # others would wait for a longer one
        cursor.execute(RESERVE, params)
        [(wait,)] = cursor.fetchall()
    return Slot(max(wait, timedelta(0)), step)


def find_start(slot: Slot, number: int) -> timedelta:
    """How long from now the call with this number, from 0, is to wait."""
    return slot.wait + slot.step * number
