"""Reading again what an event is about: the body tells what was, when it was written."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.models import StripeEvent
from billing.stripe.gateway import read, read_body

if TYPE_CHECKING:
    from stripe import StripeClient, StripeObject


def fetch_event(event: StripeEvent, *, at: datetime) -> dict[str, Any]:
    """A thin event whole, with its `data`. Raises Refused, TryLater."""
    return read_body(read(lambda client: notify(client, event).fetch_event(), at=at))


def fetch_object(event: StripeEvent, *, at: datetime) -> dict[str, Any]:
    """The object that a thin event names. Raises Refused, TryLater, LookupError where it names none."""

    def send(client: "StripeClient") -> "StripeObject":
        found = notify(client, event).fetch_related_object()
        if found is None:
            raise LookupError(f"{event} names no object")
        return found  # type: ignore[no-any-return]

    return read_body(read(send, at=at))


def notify(client: "StripeClient", event: StripeEvent) -> Any:
    """What Stripe's client makes of the stored body, whose signature was checked when it came."""
    return client.parse_event_notification_without_verification(event.payload)
