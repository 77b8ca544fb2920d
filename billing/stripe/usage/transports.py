"""The ways by which a meter event goes to Stripe, and what an answer says of it. HTTP alone, no database.

`v1` and `v2` take one event a call and say at once what is wrong with it; the `stream` takes a hundred, by a host of
its own and with a token that lasts a quarter of an hour, and says it later by error reports. Stripe's limits: 1,000
calls a second of the first two in live mode, 10,000 of the stream, 25 of all calls in a sandbox, which has no stream.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from billing.stripe.decimals import format_decimal
from billing.stripe.errors import is_definite

if TYPE_CHECKING:
    from stripe import RequestOptions, StripeClient, StripeError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOST_STREAMED = 100
SESSION_LEFT = timedelta(minutes=2)  # a token is renewed before its end: a request may take its time
NOT_DONE = {401, 429}  # nothing was done: no key, or too many calls


class Claimed(NamedTuple):
    """An event that is ours to send; `known_unsure` is since when its outcome was unknown before this attempt."""

    id: int
    period_id: int
    meter_id: int
    identifier: str
    event_name: str
    customer_id: str
    value: Decimal
    timestamp: datetime
    attempts: int
    unsure_since: datetime
    known_unsure: datetime | None


class Fate(StrEnum):
    """What is known of an event that was sent."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BUSY = "busy"  # it was not taken, and may be sent again
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    fate: Fate
    code: str = ""
    message: str = ""


ACCEPTED = Outcome(Fate.ACCEPTED)
UNSENT = Outcome(Fate.BUSY, "unsent", "it was claimed and not sent")


def count_seconds(moment: datetime) -> int:
    return (moment - EPOCH) // SECOND


def read_time(event: Claimed) -> datetime:
    return event.timestamp


def send_v1(client: "StripeClient", event: Claimed) -> None:
    client.v1.billing.meter_events.create(
        {
            "event_name": event.event_name,
            "identifier": event.identifier,
            "timestamp": count_seconds(read_time(event)),
            "payload": write_payload(event),
        },
        write_options(event),
    )


def send_v2(client: "StripeClient", event: Claimed) -> None:
    client.v2.billing.meter_events.create(
        {
            "event_name": event.event_name,
            "identifier": event.identifier,
            "timestamp": write_time(event),
            "payload": write_payload(event),
        },
        write_options(event),
    )


def write_payload(event: Claimed) -> dict[str, str]:
    return {"stripe_customer_id": event.customer_id, "value": format_decimal(event.value)}


def write_time(event: Claimed) -> str:
    return f"{read_time(event).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def write_options(event: Claimed) -> "RequestOptions":
    """A key of each attempt's own: what makes a second one harmless is the identifier, and a failure that Stripe keeps
    under a key would come back for ever. Each attempt is a call that our pace counts, so the client makes no more.
    """
    return {"idempotency_key": f"{event.identifier}-{event.attempts}", "max_network_retries": 0}


def send_one(client: "StripeClient", event: Claimed, *, api: str) -> Outcome:
    from stripe import StripeError

    try:
        (send_v2 if api == "v2" else send_v1)(client, event)
    except StripeError as error:
        return read_error(error, event.identifier)
    return ACCEPTED


def read_error(error: "StripeError", identifier: str) -> Outcome:
    """What an answer other than yes says. That there is such an event already is a yes to an earlier attempt."""
    code = getattr(error.error, "code", None) or error.code or type(error).__name__
    outcome = Outcome(Fate.UNKNOWN, code, error.user_message or str(error) or type(error).__name__)
    if is_duplicate(error, code, identifier):
        return ACCEPTED
    if is_definite(error):
        return Outcome(Fate.REFUSED, outcome.code, outcome.message)
    if error.http_status in NOT_DONE:
        return Outcome(Fate.BUSY, outcome.code, outcome.message)
    return outcome


def is_duplicate(error: "StripeError", code: str, identifier: str) -> bool:
    """v2 has a code for it, v1 a sentence that names the identifier (langfuse/langfuse#16292)."""
    message = error.user_message or ""
    is_told = "already exists" in message and identifier in message
    return error.http_status == 400 and (code == "duplicate_meter_event" or is_told)


class Stream:
    """The stream with its session. Safe to be used by several threads."""

    def __init__(self, client: "StripeClient") -> None:
        self.client = client
        self.lock = threading.Lock()
        self.token = ""
        self.ends_at = EPOCH

    def send(self, events: Sequence[Claimed], *, at: datetime) -> Outcome:
        """What became of all of them: the stream takes a request as a whole, and tells later what was wrong in it."""
        from stripe import StripeError

        try:
            self.send_batch(events, self.find_token(at=at))
        except StripeError as error:
            if error.http_status in (400, 401) and is_session_over(error):
                self.drop_token()
                return Outcome(Fate.BUSY, "session_expired", str(error))
            return read_error(error, "")
        return ACCEPTED

    def send_batch(self, events: Sequence[Claimed], token: str) -> None:
        self.client.v2.billing.meter_event_stream.create(
            {
                "events": [
                    {
                        "event_name": event.event_name,
                        "identifier": event.identifier,
                        "timestamp": write_time(event),
                        "payload": write_payload(event),
                    }
                    for event in events
                ]
            },
            {"api_key": token, "max_network_retries": 0},
        )

    def find_token(self, *, at: datetime) -> str:
        with self.lock:
            if not self.token or at + SESSION_LEFT >= self.ends_at:
                session = self.client.v2.billing.meter_event_session.create({}, {"max_network_retries": 2})
                self.token = session.authentication_token
                self.ends_at = datetime.fromisoformat(str(session.expires_at))
            return self.token

    def drop_token(self) -> None:
        with self.lock:
            self.token = ""


def is_session_over(error: "StripeError") -> bool:
    code = getattr(error.error, "code", None) or error.code or ""
    return error.http_status == 401 or "session_expired" in code or type(error).__name__.startswith("TemporarySession")
