"""Events of which nobody knows whether Stripe has them, too long ago to be sent again: its meters are asked.

What a meter says of the slice is compared with what it was known to accept of it: with the event, without it, or
neither, which is for people. One read for each event: so few are lost that it does not matter.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from django.db import transaction

from billing.models import MeterEventState, StripeMeterEvent
from billing.rating.readings import add_quantities
from billing.stripe.catalogue.lookup import NotInStripe, find_meter_id
from billing.stripe.client import is_on
from billing.stripe.errors import Refused
from billing.stripe.gateway import read, read_body
from billing.stripe.usage.failures import replay_events, tell_failures
from billing.stripe.usage.sending import IDENTIFIER_LIFE
from billing.stripe.usage.transports import count_seconds

MOST = 100  # reads at once
MINUTE = timedelta(minutes=1)
PLACES = Decimal("1e-9")  # summaries are floats


class Found(Enum):
    THERE = "there"
    ABSENT = "absent"
    UNCLEAR = "unclear"


def look_up_lost(at: datetime) -> int:
    """Find out about events whose outcome has been unknown for 23 hours. How many. Raises TryLater.

    One that is there is accepted; one that is not failed and is queued anew; else it failed, and staff is told.
    """
    if not is_on():
        return 0
    lost = StripeMeterEvent.objects.filter(state=MeterEventState.QUEUED, unsure_since__lte=at - IDENTIFIER_LIFE)
    events = list(lost.order_by("pk")[:MOST])
    for event in events:
        settle_lost(event, look_up(event, at=at), at=at)
    return len(events)


def look_up(event: StripeMeterEvent, *, at: datetime) -> Found:
    """Raises TryLater."""
    start, end = floor_minute(event.starts_at), floor_minute(event.ends_at + MINUTE - timedelta.resolution)
    try:
        meter_id = find_meter_id(event.meter_id)
        page = read(
            lambda client: client.v1.billing.meters.event_summaries.list(
                meter_id,
                {
                    "customer": event.customer_id,
                    "start_time": count_seconds(start),
                    "end_time": count_seconds(end),
                },
            ),
            at=at,
        )
    except (NotInStripe, Refused):
        return Found.UNCLEAR
    theirs = add_quantities(Decimal(str(each["aggregated_value"])) for each in read_body(page)["data"])
    known = add_quantities(
        StripeMeterEvent.objects.filter(
            account_id=event.account_id,
            event_name=event.event_name,
            customer_id=event.customer_id,
            starts_at__gte=start,
            starts_at__lt=end,
            state=MeterEventState.ACCEPTED,
        ).values_list("value", flat=True)
    )
    return compare(event, theirs, known)


def compare(event: StripeMeterEvent, theirs: Decimal, known: Decimal) -> Found:
    if event.formula == "last":
        return Found.THERE if is_close(theirs, event.value) else Found.ABSENT  # a later time outdoes it, if need be
    if is_close(theirs, add_quantities([known, event.value])):
        return Found.THERE
    return Found.ABSENT if is_close(theirs, known) else Found.UNCLEAR


def is_close(one: Decimal, other: Decimal) -> bool:
    """As close as floats of fifteen digits tell."""
    return abs(one - other) <= max(abs(other).scaleb(-14), PLACES)


def floor_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


@transaction.atomic
def settle_lost(event: StripeMeterEvent, found: Found, *, at: datetime) -> None:
    """Nothing where somebody else settled it meanwhile."""
    row = StripeMeterEvent.objects.select_for_update(of=("self",)).get(pk=event.pk)
    if row.state != MeterEventState.QUEUED or row.unsure_since != event.unsure_since:
        return
    row.unsure_since = None
    if found is Found.THERE:
        row.state, row.accepted_at, row.error_code, row.error_message = MeterEventState.ACCEPTED, at, "", ""
    else:
        row.state, row.error_code = MeterEventState.FAILED, "lost" if found is Found.ABSENT else "unresolved"
        row.error_message = f"whether it was taken is not known; looked up: {found.value}"
    row.save(update_fields=["state", "accepted_at", "error_code", "error_message", "unsure_since"])
    if found is Found.ABSENT:
        replay_events([row.pk], at=at)
    elif found is Found.UNCLEAR:
        tell_failures([(row.period_id, row.meter_id)], at=at)
