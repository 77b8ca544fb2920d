"""The rows behind the gateway: who may send a call, under which key, and what came of it. No network here."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import transaction

from billing.models import StripeCall, StripeCallState
from billing.stripe.decimals import format_decimal
from billing.stripe.errors import Refused, TryLater

KEY_LIFE = timedelta(hours=23)  # Stripe may forget a key after 24 h, and would then do it all again
ANSWER_LIFE = timedelta(days=35)
FORGET_BATCH = 1_000  # rows of one statement
LEASE = timedelta(minutes=2)  # longer than three tries of one call and the pauses between them
SECRETS = {"client_secret", "secret"}


class KeyReused(ValueError):
    """The same operation and key was asked for with other parameters: a mistake of ours, which does not go out."""


def clean_json(value: Any) -> Any:
    """What may be stored of parameters or an answer: no secret, no float, decimals as they go out. Raises TypeError."""
    match value:
        case Mapping():
            return {str(name): clean_json(each) for name, each in value.items() if name not in SECRETS}
        case list() | tuple():
            return [clean_json(each) for each in value]
        case Decimal():
            return format_decimal(value)
        case str() | bool() | int() | None:
            return value
    raise TypeError(f"{type(value).__name__} is not sent to Stripe: whole numbers, decimals and texts are")


def find_fingerprint(params: Any) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def make_key(operation: str) -> str:
    """Random, not derived from our row: a database that was restored or emptied counts its rows anew."""
    return f"{operation[:20]}-{uuid4()}"


@transaction.atomic(durable=True)
def claim_call(operation: str, key: str, params: Mapping[str, Any], *, at: datetime) -> StripeCall:
    """The call's row, ours until its lease ends; or as it is where it is done. Committed before anything is sent.

    Raises KeyReused; TryLater while somebody else has it; RuntimeError inside of a transaction.
    """
    clean = clean_json(params)
    new = StripeCall(operation=operation, key=key, params=clean, fingerprint=find_fingerprint(clean), created_at=at)
    take_turn(new, at=at)
    StripeCall.objects.bulk_create([new], ignore_conflicts=True)
    call = StripeCall.objects.select_for_update().get(operation=operation, key=key)
    if call.idempotency_key == new.idempotency_key:
        return call
    if call.fingerprint != new.fingerprint and call.state != StripeCallState.REFUSED:
        raise KeyReused(f"{call} was sent with other parameters")
    if call.state == StripeCallState.DONE:
        return call
    if call.leased_until is not None and call.leased_until > at:
        raise TryLater(call.leased_until, f"{call} is being sent")
    if call.state == StripeCallState.REFUSED:
        call.params, call.fingerprint = new.params, new.fingerprint
        take_turn(call, at=at)
    else:
        call.state, call.leased_until, call.attempts = StripeCallState.SENT, at + LEASE, call.attempts + 1
    call.save()
    return call


def take_turn(call: StripeCall, *, at: datetime) -> None:
    """Be sent from now on under a new key; the former one is remembered."""
    if call.idempotency_key:
        call.former_keys = [*call.former_keys, call.idempotency_key]
    call.idempotency_key, call.first_sent_at, call.is_key_spent = make_key(call.operation), at, False
    call.state, call.leased_until, call.attempts = StripeCallState.SENT, at + LEASE, call.attempts + 1
    call.answered_at, call.status, call.error_code, call.error_param, call.error_message = None, None, "", "", ""


def needs_lookup(call: StripeCall, *, at: datetime) -> bool:
    """Whether sending it again under its key could do it twice, or could never do it."""
    return call.is_key_spent or call.first_sent_at + KEY_LIFE <= at


def renew_key(call: StripeCall, *, at: datetime) -> None:
    """What was sent under the former key is not there: a new one, committed before it is used."""
    take_turn(call, at=at)
    call.save()


def record_done(call: StripeCall, body: dict[str, Any], *, request_id: str, status: int | None, at: datetime) -> None:
    """Also by a worker whose lease ran out: what its key brought is what the next one gets."""
    stripe_id = body.get("id")
    write_outcome(
        call,
        state=StripeCallState.DONE,
        answered_at=at,
        stripe_id=stripe_id if isinstance(stripe_id, str) else "",
        request_id=request_id,
        status=status,
        error_code="",
        error_param="",
        error_message="",
        answer=body,
    )


def record_refused(call: StripeCall, refusal: Refused, *, request_id: str, at: datetime) -> None:
    write_outcome(
        call,
        state=StripeCallState.REFUSED,
        answered_at=at,
        request_id=request_id,
        status=refusal.status,
        error_code=refusal.code[:100],
        error_param=refusal.param[:200],
        error_message=refusal.message or "refused",
    )


def record_unknown(call: StripeCall, why: str, *, status: int | None = None, is_key_spent: bool = False) -> None:
    write_outcome(
        call,
        state=StripeCallState.UNKNOWN,
        status=status,
        error_message=why,
        is_key_spent=is_key_spent or call.is_key_spent,
    )


def write_outcome(call: StripeCall, **changes: Any) -> None:
    """Unless it is done already, or was given another key meanwhile."""
    mine = StripeCall.objects.filter(pk=call.pk, idempotency_key=call.idempotency_key)
    mine.exclude(state=StripeCallState.DONE).update(leased_until=None, **changes)


def forget_answers(at: datetime) -> int:
    """Drop what was sent and answered of calls that are long done: it may be personal. What came of them stays."""
    old = StripeCall.objects.filter(state=StripeCallState.DONE, answered_at__lt=at - ANSWER_LIFE, answer__isnull=False)
    total = 0
    while keys := list(old.order_by("answered_at").values_list("pk", flat=True)[:FORGET_BATCH]):
        total += StripeCall.objects.filter(pk__in=keys).update(answer=None, params={})
    return total
