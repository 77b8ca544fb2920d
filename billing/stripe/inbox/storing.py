"""Keeping each event once, and promising that it is handled."""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction

from billing.constraints import find_constraint
from billing.models import StripeEvent, StripeEventOrigin, StripeEventState
from billing.stripe.inbox.envelopes import Envelope
from billing.stripe.inbox.handlers import find_handler
from config.secrets import LIVE_KEYS
from jobs import queue

HANDLE_EVENT = "billing.stripe_event"
ID_CONSTRAINT = "billing_stripeevent_stripe_id_key"  # as PostgreSQL names a unique column


def store_event(envelope: Envelope, *, origin: StripeEventOrigin, at: datetime) -> bool:
    """Keep the event and promise to handle it, in one transaction; ignored ones are kept with the reason.

    False where it was here before: the index decides, however many tell it at once.
    """
    reason = find_reason(envelope)
    event = StripeEvent(
        stripe_id=envelope.stripe_id,
        type=envelope.type,
        is_thin=envelope.is_thin,
        livemode=envelope.livemode,
        account=envelope.account,
        api_version=envelope.api_version,
        object_type=envelope.object_type,
        object_id=envelope.object_id,
        created_at=envelope.created_at,
        payload=envelope.body,
        origin=origin,
        state=StripeEventState.IGNORED if reason else StripeEventState.RECEIVED,
        reason=reason,
        received_at=at,
    )
    try:
        with transaction.atomic():
            event.save(force_insert=True)
            if not reason:
                promise(event, at=at)
    except IntegrityError as error:
        if find_constraint(error) != ID_CONSTRAINT:
            raise
        return False
    return True


def promise(event: StripeEvent, *, at: datetime) -> None:
    queue.enqueue(HANDLE_EVENT, event.job_key, {"event": event.pk}, at=at)


def find_reason(envelope: Envelope) -> str:
    """Why the event is none of ours; empty where it is."""
    is_live = settings.STRIPE_SECRET_KEY.startswith(LIVE_KEYS)
    if envelope.livemode != is_live:
        ours, theirs = ("live", "test") if is_live else ("test", "live")
        return f"An event of {theirs} mode: the key in use is for {ours} mode."
    if envelope.account and envelope.account != settings.STRIPE_ACCOUNT:
        return f"An event of another account at Stripe, {envelope.account}."
    if find_handler(envelope.type) is None:
        return "Nothing is to be done about events of this type."
    return ""
