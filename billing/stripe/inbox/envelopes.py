"""What an event says about itself, whatever it is about; and whether it is really Stripe's."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stripe import StripeClient

THIN = "v2.core.event"


class BadSignature(ValueError):
    """Not signed by any of our secrets, or not now."""


class BadBody(ValueError):
    """Not an event."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event's own fields, the same for a snapshot (v1) and a thin one (v2); `body` is the text as it came.

    `account` is the connected account or the context that it is from. What is absent is empty: endpoints speak the
    API version that they were made with.
    """

    stripe_id: str
    type: str
    is_thin: bool
    livemode: bool
    account: str
    api_version: str
    object_type: str
    object_id: str
    created_at: datetime
    body: str


def open_envelope(
    body: bytes, signature: str, *, client: "StripeClient", secrets: Iterable[str], tolerance: timedelta, at: datetime
) -> Envelope:
    """An event of which Stripe's client says that one of the secrets signed it, within `tolerance` of now, either way.

    The client lets a signature of the future pass, and so a body that was once seen could be sent for ever.
    Raises BadSignature, BadBody.
    """
    for secret in secrets:
        if is_signed(body, signature, secret, client=client, tolerance=tolerance):
            break
    else:
        raise BadSignature("no secret of ours signed this, or not lately")
    if read_signed_at(signature) > at + tolerance:
        raise BadSignature("signed in the future")
    return read_envelope(body.decode())


def is_signed(body: bytes, signature: str, secret: str, *, client: "StripeClient", tolerance: timedelta) -> bool:
    """Raises BadBody."""
    from stripe import SignatureVerificationError  # megabytes, which a web process may never need

    seconds = tolerance // timedelta(seconds=1)
    try:
        try:
            client.construct_event(body, signature, secret, tolerance=seconds)
        except ValueError:  # a thin one, which has a way of its own
            client.parse_event_notification(body, signature, secret, tolerance=seconds)
    except SignatureVerificationError:
        return False
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadBody("not an event") from error
    return True


def read_signed_at(signature: str) -> datetime:
    """The time in a header whose signature was checked with it: the first `t`, as the client reads it."""
    seconds = next(value for name, _, value in (part.partition("=") for part in signature.split(",")) if name == "t")
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise BadSignature("signed at no time") from None


def read_envelope(body: str) -> Envelope:
    """Raises BadBody."""
    try:
        event = json.loads(body, parse_float=Decimal)
        is_thin = event["object"] == THIN
        about = event.get("related_object") or {} if is_thin else event["data"]["object"]
        envelope = Envelope(
            stripe_id=event["id"],
            type=event["type"],
            is_thin=is_thin,
            livemode=bool(event.get("livemode")),
            account=event.get("context" if is_thin else "account") or "",
            api_version=event.get("api_version") or "",
            object_type=about.get("type" if is_thin else "object") or "",
            object_id=about.get("id") or "",
            created_at=read_moment(event["created"]),
            body=body,
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise BadBody("not an event") from error
    texts = (envelope.stripe_id, envelope.type, envelope.account, envelope.api_version, envelope.object_id)
    if not all(isinstance(text, str) and text.isascii() and text.isprintable() for text in texts):
        raise BadBody("not an event")
    return envelope


def read_moment(value: Any) -> datetime:
    """Seconds since 1970 in v1, RFC 3339 in v2."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return datetime.fromtimestamp(int(value), UTC)
