"""The only way out to Stripe: each effect once, each outcome known or looked up, each read counted.

Nothing here runs inside of a transaction: a claim that was not committed would leave with it, and a connection would be
held for as long as Stripe takes to answer.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from django.db import connection, transaction
from django.db.models import Sum

from billing.models import StripeCall, StripeCallState, StripeReads
from billing.stripe.calls import (
    claim_call,
    clean_json,
    needs_lookup,
    record_done,
    record_refused,
    record_unknown,
    renew_key,
)
from billing.stripe.client import get_client
from billing.stripe.errors import Refused, TryLater, Unresolved, is_key_spent, is_missing, translate_error

if TYPE_CHECKING:
    from stripe import ListObject, RequestOptions, StripeClient, StripeError, StripeObject

PAGE = 100  # the most that Stripe lists at once
READ_DAYS = 30
T = TypeVar("T")
S = TypeVar("S", bound="StripeObject")


class Paging(TypedDict, total=False):
    """Part of a list's parameters, to be spread into them."""

    limit: int
    starting_after: str


COUNT_READ = """
    INSERT INTO billing_stripereads (day, count) VALUES (%s, 1)
    ON CONFLICT (day) DO UPDATE SET count = billing_stripereads.count + 1
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Stripe answered, without secrets; fractions as text. `stripe_id` is empty where there is none."""

    stripe_id: str
    body: dict[str, Any]


def perform(
    operation: str,
    key: str,
    params: Mapping[str, Any],
    send: "Callable[[StripeClient, RequestOptions], StripeObject]",
    *,
    at: datetime,
    find: "Callable[[StripeClient], StripeObject | None] | None" = None,
) -> Answer:
    """Have Stripe do this once, however often it is asked for; the second call answers from the row.

    `operation` and `key` name the effect for ever; `params` are all that is sent. `send` makes one call with the
    options it is given; `find` looks up what an earlier sending may have left, where Stripe no longer knows its key,
    and must tell this effect from every other one (by our own id in the metadata); None where nothing is there, and
    where doing it again is harmless. What was answered is kept for 35 days, its id for ever.

    Raises Refused where Stripe did nothing and says why (the next call asks again, and may with other parameters);
    TryLater where nobody answered or it is somebody else's turn; Unresolved where the outcome cannot be known;
    KeyReused for other parameters under the same key; RuntimeError inside of a transaction; StripeIsOff.
    """
    client = get_client()
    call = claim_call(operation, key, params, at=at)
    if call.state == StripeCallState.DONE:
        return Answer(call.stripe_id, call.answer or {"id": call.stripe_id})
    if needs_lookup(call, at=at):
        found = look_up(call, find, at=at)
        if found is not None:
            body = read_body(found)
            record_done(call, body, request_id="", status=None, at=at)
            return answer_body(body)
        renew_key(call, at=at)
    return send_call(client, call, send, at=at)


def look_up(
    call: StripeCall, find: "Callable[[StripeClient], StripeObject | None] | None", *, at: datetime
) -> "StripeObject | None":
    """What the call may have left at Stripe, None where nothing. Raises Unresolved where nobody can say; TryLater."""
    if find is None:
        why = f"{call} may have been done, and cannot be looked up"
        record_unknown(call, why)
        raise Unresolved(why)
    try:
        return read(find, at=at)
    except Refused as refusal:
        if is_missing(refusal):
            return None
        record_unknown(call, f"not looked up: {refusal}")
        raise Unresolved(f"{call} may have been done, and its look was refused: {refusal}") from refusal
    except Exception as error:
        record_unknown(call, f"not looked up: {error}")
        raise


def send_call(
    client: "StripeClient",
    call: StripeCall,
    send: "Callable[[StripeClient, RequestOptions], StripeObject]",
    *,
    at: datetime,
) -> Answer:
    from stripe import StripeError

    try:
        sent = send(client, {"idempotency_key": call.idempotency_key})
    except StripeError as error:
        raise note_failure(call, error, at=at) from error
    body = read_body(sent)
    response = sent.last_response
    request_id = (response.request_id or "") if response else ""
    record_done(call, body, request_id=request_id, status=response.code if response else None, at=at)
    return answer_body(body)


def note_failure(call: StripeCall, error: "StripeError", *, at: datetime) -> Refused | TryLater:
    failure = translate_error(error, at=at, attempts=call.attempts)
    if isinstance(failure, Refused):
        record_refused(call, failure, request_id=error.request_id or "", at=at)
    else:
        record_unknown(call, failure.why, status=error.http_status, is_key_spent=is_key_spent(error))
    return failure


def answer_body(body: dict[str, Any]) -> Answer:
    stripe_id = body.get("id")
    return Answer(stripe_id if isinstance(stripe_id, str) else "", body)


def read_body(found: "StripeObject") -> dict[str, Any]:
    """The object as JSON values, exactly as it came where it came alone; without secrets."""
    response = found.last_response
    text = response.body if response else json.dumps(found.to_dict(), default=write_decimal)
    body = clean_json(json.loads(text, parse_float=str))
    if not isinstance(body, dict):
        raise TypeError(f"Stripe answered {type(body).__name__} where an object was due")
    return body


def write_decimal(number: Decimal) -> str:
    return format(number, "f")


def read(send: "Callable[[StripeClient], T]", *, at: datetime) -> T:
    """What one GET brings, counted. Raises Refused, TryLater, StripeIsOff; RuntimeError inside of a transaction."""
    from stripe import StripeError

    client = get_client()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(COUNT_READ, [at.date()])
    try:
        return send(client)
    except StripeError as error:
        raise translate_error(error, at=at) from error


def list_all(send: "Callable[[StripeClient, Paging], ListObject[S]]", *, at: datetime) -> "list[S]":
    """All of a list, a hundred at a time, each page counted; `send` adds the paging to its own parameters."""
    found: list[S] = []
    paging: Paging = {"limit": PAGE}
    while True:
        page = read(lambda client: send(client, paging), at=at)  # noqa: B023 - called at once
        found += page.data
        if not page.has_more or not page.data:
            return found
        paging = {"limit": PAGE, "starting_after": str(page.data[-1]["id"])}


def count_reads(at: datetime) -> int:
    """GETs of the last 30 days, as far as Stripe's allowance counts them."""
    recent = StripeReads.objects.filter(day__gt=at.date() - timedelta(days=READ_DAYS), day__lte=at.date())
    return recent.aggregate(total=Sum("count"))["total"] or 0
