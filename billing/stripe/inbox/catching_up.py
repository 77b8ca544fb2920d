"""What was not told, asked for: Stripe lists its events for 30 days, whether our door was open or not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from billing.models import StripeCursor, StripeEvent, StripeEventOrigin
from billing.stripe.budget import has_reads_left
from billing.stripe.gateway import PAGE, Paging, list_all, read
from billing.stripe.inbox.envelopes import read_envelope, read_moment
from billing.stripe.inbox.handlers import list_types
from billing.stripe.inbox.storing import store_event
from billing.stripe.moments import write_seconds

if TYPE_CHECKING:
    from stripe import Event, ListObject, StripeClient, StripeObject
    from stripe.params._event_list_params import EventListParams, EventListParamsCreated

FIRST = timedelta(days=1)  # how far back the first look goes
LISTED = timedelta(days=30)
SLICES = {
    "snapshots": timedelta(hours=6),
    "thin": LISTED,
}  # listed at once, and behind us once it is stored; thin are few
MOST_TYPES = 20  # that Stripe filters by
THIN = ("v1.", "v2.")  # what types of thin events begin with


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How many events were listed that we handle, how many of them were new; whether all was listed up to now."""

    listed: int
    stored: int
    is_complete: bool


def catch_up(at: datetime, *, since: datetime | None = None) -> CaughtUp:
    """Keep what Stripe lists and we do not have, from where we were, with an overlap, or from `since`.

    In slices of time, oldest first: a run that dies, or finds the reads used up, is gone on with by the next one.
    Raises Refused, TryLater.
    """
    listed = stored = 0
    for name, walk in WALKS.items():
        for start, end in cut(find_start(name, at=at, since=since), at, SLICES[name]):
            if not has_reads_left(at):
                return CaughtUp(listed, stored, is_complete=False)
            found = [body for types in share_types(name) for body in walk(types, start, end, at)]
            stored += store_missing(found, at=at)
            listed += len(found)
            move_cursor(name, end)
    return CaughtUp(listed, stored, is_complete=True)


def find_start(name: str, *, at: datetime, since: datetime | None) -> datetime:
    if since is None:
        reached = StripeCursor.objects.filter(name=name).values_list("reached_at", flat=True).first()
        since = reached - settings.STRIPE_CATCH_UP_OVERLAP if reached else at - FIRST
    return max(since, at - LISTED)


def cut(start: datetime, end: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + length, end)
        start += length


def move_cursor(name: str, reached_at: datetime) -> None:
    """Never back: a look at what is long gone says nothing of what came since."""
    cursor, _is_new = StripeCursor.objects.get_or_create(name=name, defaults={"reached_at": reached_at})
    StripeCursor.objects.filter(pk=cursor.pk, reached_at__lt=reached_at).update(reached_at=reached_at)


def share_types(name: str) -> Iterator[list[str]]:
    """The types that a list is asked for, at most so many at once."""
    types = [kind for kind in list_types() if kind.startswith(THIN) == (name == "thin")]
    for start in range(0, len(types), MOST_TYPES):
        yield types[start : start + MOST_TYPES]


def list_snapshots(types: list[str], start: datetime, end: datetime, at: datetime) -> list[str]:
    """Bodies of v1 events created in [start, end], as whole seconds hold it, newest first."""

    def send(client: "StripeClient", paging: Paging) -> "ListObject[Event]":
        created: EventListParamsCreated = {"gte": write_seconds(start), "lte": write_seconds(end) + 1}
        return client.v1.events.list(cast("EventListParams", {"types": types, "created": created} | paging))

    return [write_body(event) for event in list_all(send, at=at)]


def list_thin(types: list[str], start: datetime, end: datetime, at: datetime) -> list[str]:
    """The same of v2 events, newest first until a page is of before. Not filtered by time: Stripe's own clients do not
    agree how that is written.
    """

    def send(client: "StripeClient") -> Any:
        return client.v2.core.events.list({"types": types, "limit": PAGE})

    def follow(client: "StripeClient") -> Any:
        return client.deserialize(client.raw_request("get", str(url)), api_mode="V2")

    bodies: list[str] = []
    page = read(send, at=at)
    while True:
        fresh = [each for each in page.data if start <= read_moment(each.created) <= end]
        bodies += [write_body(each) for each in fresh if each.type in types]
        url = getattr(page, "next_page_url", None)  # a last page may leave it out
        if not url or read_moment(page.data[-1].created) < start:
            return bodies
        page = read(follow, at=at)


def write_body(event: "StripeObject") -> str:
    return json.dumps(event.to_dict(), default=write_decimal)


def write_decimal(number: Decimal) -> str:
    return format(number, "f")


def store_missing(bodies: list[str], *, at: datetime) -> int:
    """How many were not here."""
    envelopes = [read_envelope(body) for body in bodies]
    ids = [envelope.stripe_id for envelope in envelopes]
    known = set(StripeEvent.objects.filter(stripe_id__in=ids).values_list("stripe_id", flat=True))
    missing = [envelope for envelope in reversed(envelopes) if envelope.stripe_id not in known]
    return sum(store_event(envelope, origin=StripeEventOrigin.CATCH_UP, at=at) for envelope in missing)


WALKS: dict[str, Callable[[list[str], datetime, datetime, datetime], list[str]]] = {
    "snapshots": list_snapshots,
    "thin": list_thin,
}
