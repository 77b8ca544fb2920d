"""Every call about Stripe's invoices: one function each, which sends one request, once for its key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from billing.models import StripeCall, StripeCallState
from billing.stripe.charging.composing import OurLine, OurTax
from billing.stripe.charging.told import INVOICE_KEY, LINE_KEY, TheirLine, Told, read_id, read_line, read_told
from billing.stripe.decimals import format_decimal
from billing.stripe.errors import Refused
from billing.stripe.gateway import Answer, Paging, list_all, perform, read, read_body
from billing.stripe.moments import write_seconds

if TYPE_CHECKING:
    from stripe import (
        CreditNote,
        Invoice,
        InvoiceItem,
        InvoiceLineItem,
        InvoicePayment,
        ListObject,
        Refund,
        StripeClient,
        StripeObject,
    )

EXPANDED = ["payments.data.payment.payment_intent"]
LINES_AT_ONCE = 100
HOLD, ADD, UPDATE = "invoice.hold", "invoice.add_lines", "invoice.update_lines"
FINALISE = "invoice.finalize"
VOID, GIVE_UP, PAY_OUTSIDE = "invoice.void", "invoice.mark_uncollectible", "invoice.pay_outside"
DELETE = "invoice.delete"


def read_invoice(stripe_id: str, *, at: datetime) -> Told:
    """As it is now, with its payments, and all of its lines: a second call where they are more than ten."""
    told = read_told(read_body(read(lambda client: retrieve(client, stripe_id), at=at)))
    return replace(told, lines=list_lines(stripe_id, at=at), has_more_lines=False) if told.has_more_lines else told


def retrieve(client: "StripeClient", stripe_id: str) -> "Invoice":
    return client.v1.invoices.retrieve(stripe_id, {"expand": EXPANDED})


def list_lines(stripe_id: str, *, at: datetime) -> tuple[TheirLine, ...]:
    def ask(client: "StripeClient", paging: Paging) -> "ListObject[InvoiceLineItem]":
        return client.v1.invoices.line_items.list(stripe_id, cast(Any, paging))

    return tuple(read_line(read_body(line)) for line in list_all(ask, at=at))


def list_cycle_invoices(subscription: str, *, created_from: datetime, at: datetime) -> list[Told]:
    """What Stripe drew for a subscription since then, newest first."""
    since = write_seconds(created_from)

    def ask(client: "StripeClient") -> list[Told]:
        page = client.v1.invoices.list(
            {"subscription": subscription, "created": {"gte": since}, "limit": LINES_AT_ONCE, "expand": []}
        )
        return [read_told(read_body(each)) for each in page.data]

    return read(ask, at=at)


def tell(answer: Answer, *, at: datetime) -> Told:
    """What was answered; read again where the answer is so old that only its id was kept."""
    return read_told(answer.body) if "status" in answer.body else read_invoice(answer.stripe_id, at=at)


def hold(stripe_id: str, *, at: datetime) -> Told:
    """Stripe does not finalise the draft by itself. Its answer is what is on it."""
    params = {"auto_advance": False}
    answer = perform(
        HOLD,
        stripe_id,
        params,
        lambda client, options: client.v1.invoices.update(stripe_id, {"auto_advance": False}, options),
        find=lambda client: find_held(client, stripe_id),
        at=at,
    )
    return tell(answer, at=at)


def find_held(client: "StripeClient", stripe_id: str) -> "Invoice | None":
    invoice = retrieve(client, stripe_id)
    return None if invoice.auto_advance else invoice


def make_draft(
    key: str,
    *,
    customer: str,
    collection: Mapping[str, Any],
    currency: str,
    invoice_id: int,
    number: str,
    created_from: datetime,
    at: datetime,
) -> Told:
    """One of our own, empty, that nothing pending is swept into and that Stripe does not finalise by itself."""
    params: dict[str, Any] = {
        "customer": customer,
        "currency": currency.lower(),
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "description": number,
        "metadata": {INVOICE_KEY: str(invoice_id), "palier_draft": key},
        **collection,
    }
    answer = perform(
        "invoice.create",
        key,
        params,
        lambda client, options: client.v1.invoices.create(cast(Any, params), options),
        find=lambda client: find_draft(client, customer, key, created_from=created_from),
        at=at,
    )
    return tell(answer, at=at)


def find_draft(client: "StripeClient", customer: str, key: str, *, created_from: datetime) -> "Invoice | None":
    page = client.v1.invoices.list(
        {"customer": customer, "created": {"gte": write_seconds(created_from)}, "limit": LINES_AT_ONCE}
    )
    return next((each for each in page.auto_paging_iter() if read_metadata(each, "palier_draft") == key), None)


def read_metadata(found: "StripeObject", name: str) -> str:
    """Empty where it has none of that name."""
    return str((read_body(found).get("metadata") or {}).get(name, ""))


def read_key(body: Mapping[str, Any]) -> str:
    """What made a credit note, where we did."""
    return str((body.get("metadata") or {}).get("palier", ""))


def add_lines(stripe_id: str, invoice_id: int, lines: Sequence[OurLine], *, at: datetime) -> Told:
    """In one call for each hundred. The caller has looked which ones are there. Raises Refused where it is no draft."""
    told = None
    for start in range(0, len(lines), LINES_AT_ONCE):
        told = add_some(stripe_id, invoice_id, lines[start : start + LINES_AT_ONCE], at=at)
    return told or read_invoice(stripe_id, at=at)


def add_some(stripe_id: str, invoice_id: int, lines: Sequence[OurLine], *, at: datetime) -> Told:
    params: dict[str, Any] = {"lines": [write_line(line, invoice_id) for line in lines]}
    answer = perform(
        ADD,
        name_addition(stripe_id, lines),
        params,
        lambda client, options: client.v1.invoices.add_lines(stripe_id, cast(Any, params), options),
        find=lambda client: find_added(client, stripe_id, lines),
        at=at,
    )
    return tell(answer, at=at)


def name_addition(stripe_id: str, lines: Sequence[OurLine]) -> str:
    """By what is added: the same lines are added once, and others, where some were taken away by hand, again."""
    return f"{stripe_id} {sha256(' '.join(line.key for line in lines).encode()).hexdigest()[:24]}"


def find_added(client: "StripeClient", stripe_id: str, lines: Sequence[OurLine]) -> "Invoice | None":
    page = client.v1.invoices.line_items.list(stripe_id, {"limit": LINES_AT_ONCE})
    there = {read_metadata(line, LINE_KEY) for line in page.auto_paging_iter()}
    return retrieve(client, stripe_id) if {line.key for line in lines} <= there else None


def is_undecided(operation: str, key: str) -> bool:
    """Whether an earlier sending has no outcome yet. Where its effect shows, the same call brings the answer."""
    sent = StripeCall.objects.filter(operation=operation, key=key)
    return sent.exclude(state__in=[StripeCallState.DONE, StripeCallState.REFUSED]).exists()


def write_line(line: OurLine, invoice_id: int) -> dict[str, Any]:
    period = {"start": write_seconds(line.start), "end": write_seconds(line.end)}
    body: dict[str, Any] = {
        "amount": line.amount,
        "description": line.description,
        "discountable": False,
        "period": period,
        "metadata": {LINE_KEY: line.key, INVOICE_KEY: str(invoice_id)},
    }
    return body | ({"tax_amounts": [write_tax(tax) for tax in line.taxes]} if line.taxes else {})


def write_tax(tax: OurTax) -> dict[str, Any]:
    rate = {"display_name": tax.name[:50], "inclusive": tax.is_inclusive, "percentage": format_decimal(tax.percent)}
    return {"amount": tax.amount, "taxable_amount": tax.taxable, "tax_rate_data": rate}


def tax_lines(stripe_id: str, taxes: Mapping[str, Sequence[OurTax]], *, at: datetime) -> Told:
    """Say which taxes are on lines that Stripe drew: id of the line → taxes."""
    lines = [{"id": line, "tax_amounts": [write_tax(tax) for tax in each]} for line, each in taxes.items()]
    params: dict[str, Any] = {"lines": lines}
    name = sha256(" ".join(f"{line} {taxes[line]}" for line in sorted(taxes)).encode()).hexdigest()[:24]
    answer = perform(
        UPDATE,
        f"{stripe_id} {name}",
        params,
        lambda client, options: client.v1.invoices.update_lines(stripe_id, cast(Any, params), options),
        find=lambda client: None,  # the same taxes once more are the same taxes
        at=at,
    )
    return tell(answer, at=at)


def finalise(stripe_id: str, *, is_collected: bool = True, at: datetime) -> Told:
    """From here on it never changes. Raises Refused: it stays a draft, and a later call asks again."""
    answer = perform(
        FINALISE,
        stripe_id,
        {"auto_advance": is_collected},
        lambda client, options: client.v1.invoices.finalize_invoice(
            stripe_id, {"auto_advance": is_collected, "expand": EXPANDED}, options
        ),
        find=lambda client: find_moved(client, stripe_id, {"open", "paid", "uncollectible", "void"}),
        at=at,
    )
    return tell(answer, at=at)


def find_moved(client: "StripeClient", stripe_id: str, states: set[str]) -> "Invoice | None":
    invoice = retrieve(client, stripe_id)
    return invoice if invoice.status in states else None


def void(stripe_id: str, *, at: datetime) -> Told:
    answer = perform(
        VOID,
        stripe_id,
        {},
        lambda client, options: client.v1.invoices.void_invoice(stripe_id, {}, options),
        find=lambda client: find_moved(client, stripe_id, {"void"}),
        at=at,
    )
    return tell(answer, at=at)


def give_up(stripe_id: str, *, at: datetime) -> Told:
    """Uncollectible."""
    answer = perform(
        GIVE_UP,
        stripe_id,
        {},
        lambda client, options: client.v1.invoices.mark_uncollectible(stripe_id, {}, options),
        find=lambda client: find_moved(client, stripe_id, {"uncollectible"}),
        at=at,
    )
    return tell(answer, at=at)


def pay_outside(stripe_id: str, *, at: datetime) -> Told:
    """The money came in past Stripe: it collects nothing any more."""
    answer = perform(
        PAY_OUTSIDE,
        stripe_id,
        {"paid_out_of_band": True},
        lambda client, options: client.v1.invoices.pay(stripe_id, {"paid_out_of_band": True}, options),
        find=lambda client: find_moved(client, stripe_id, {"paid"}),
        at=at,
    )
    return tell(answer, at=at)


def delete_draft(stripe_id: str, *, at: datetime) -> None:
    """One of our own, which is gone with its lines. Raises Refused where it is none any more."""
    perform(
        DELETE,
        stripe_id,
        {},
        lambda client, options: client.v1.invoices.delete(stripe_id, {}, options),
        find=lambda client: find_gone(client, stripe_id),
        at=at,
    )


def find_gone(client: "StripeClient", stripe_id: str) -> "StripeObject | None":
    from stripe import InvalidRequestError

    try:
        retrieve(client, stripe_id)
    except InvalidRequestError as error:
        if error.code != "resource_missing":
            raise
        from stripe import StripeObject

        return StripeObject.construct_from({"id": stripe_id, "deleted": True}, None)
    return None


def is_missing(refusal: Refused) -> bool:
    return refusal.code == "resource_missing"


def list_pending_items(customer: str, invoice_id: int, *, at: datetime) -> list[str]:
    """The ids of items that we made for an invoice and that are on none of Stripe's: another may sweep them up."""

    def ask(client: "StripeClient", paging: Paging) -> "ListObject[InvoiceItem]":
        return client.v1.invoice_items.list(cast(Any, {"customer": customer, "pending": True, **paging}))

    return [item.id for item in list_all(ask, at=at) if read_metadata(item, INVOICE_KEY) == str(invoice_id)]


def delete_item(item_id: str, *, at: datetime) -> None:
    perform(
        "invoice_item.delete",
        item_id,
        {},
        lambda client, options: client.v1.invoice_items.delete(item_id, {}, options),
        find=lambda client: None,  # what is gone is refused as missing, which is as good
        at=at,
    )


def make_credit_note(key: str, params: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """`key` is in its metadata as `palier`, by which it is found again. Its body."""
    sent: dict[str, Any] = {**params, "metadata": {"palier": key}, "email_type": "none"}
    answer = perform(
        "credit_note.create",
        key,
        sent,
        lambda client, options: client.v1.credit_notes.create(cast(Any, sent), options),
        find=lambda client: find_credit_note(client, str(params["invoice"]), key),
        at=at,
    )
    return answer.body if "amount" in answer.body else read_credit_note(answer.stripe_id, at=at)


def find_credit_note(client: "StripeClient", invoice: str, key: str) -> "CreditNote | None":
    page = client.v1.credit_notes.list({"invoice": invoice, "limit": LINES_AT_ONCE})
    return next((note for note in page.auto_paging_iter() if read_metadata(note, "palier") == key), None)


def read_credit_note(stripe_id: str, *, at: datetime) -> dict[str, Any]:
    return read_body(read(lambda client: client.v1.credit_notes.retrieve(stripe_id), at=at))


def list_credit_notes(invoice: str, *, at: datetime) -> list[dict[str, Any]]:
    def ask(client: "StripeClient", paging: Paging) -> "ListObject[CreditNote]":
        return client.v1.credit_notes.list(cast(Any, {"invoice": invoice, **paging}))

    return [read_body(note) for note in list_all(ask, at=at)]


def list_refunds(payment_intent: str, *, at: datetime) -> list[dict[str, Any]]:
    def ask(client: "StripeClient", paging: Paging) -> "ListObject[Refund]":
        return client.v1.refunds.list(cast(Any, {"payment_intent": payment_intent, **paging}))

    return [read_body(refund) for refund in list_all(ask, at=at)]


def read_refund(stripe_id: str, *, at: datetime) -> dict[str, Any]:
    return read_body(read(lambda client: client.v1.refunds.retrieve(stripe_id), at=at))


def find_paid_invoices(payment_intent: str, *, at: datetime) -> list[str]:
    """The ids of the invoices that a payment intent pays."""
    about = {"type": "payment_intent", "payment_intent": payment_intent}

    def ask(client: "StripeClient", paging: Paging) -> "ListObject[InvoicePayment]":
        return client.v1.invoice_payments.list(cast(Any, {"payment": about, **paging}))

    return [read_id(read_body(each).get("invoice")) for each in list_all(ask, at=at)]
