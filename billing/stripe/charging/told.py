"""What Stripe says of an invoice, as values of our own. What a body lacks is empty: it may be of another version."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.models import StripeInvoiceState

LINE_KEY = "palier_line"  # in a line's metadata: which of our lines it is
INVOICE_KEY = "palier_invoice"  # in an invoice's: the id of Palier's

# None of these is left for one before it; what was read twice at once is written in either order.
RANKS = [
    StripeInvoiceState.DRAFT,
    StripeInvoiceState.OPEN,
    StripeInvoiceState.UNCOLLECTIBLE,
    StripeInvoiceState.PAID,
    StripeInvoiceState.VOID,
    StripeInvoiceState.DELETED,
]
RANK: dict[str, int] = {state.value: rank for rank, state in enumerate(RANKS)}


@dataclass(frozen=True, slots=True)
class TheirLine:
    """A line on Stripe's invoice, in Stripe's units. `key` is ours; `item` and `price` are of what meters charge."""

    stripe_id: str
    amount: int
    key: str
    item: str
    price: str
    description: str


@dataclass(frozen=True, slots=True)
class TheirPayment:
    """Money that Stripe has for an invoice. `key` is the id of the payment intent, charge or payment record."""

    key: str
    kind: str
    status: str
    amount: int
    paid_at: datetime | None
    error_code: str
    error_message: str
    needs_action: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Stripe's invoice, in Stripe's units. `lines` are the first ones; `has_more_lines` where there are others."""

    stripe_id: str
    status: str
    number: str
    currency: str
    total: int
    amount_paid: int
    amount_remaining: int
    noted_before: int
    noted_after: int
    starting_balance: int
    ending_balance: int
    attempt_count: int
    next_attempt_at: datetime | None
    hosted_invoice_url: str
    billing_reason: str
    subscription: str
    customer: str
    period_end: datetime | None
    created_at: datetime | None
    finalised_at: datetime | None
    paid_at: datetime | None
    error_code: str
    error_message: str
    invoice_id: int | None
    lines: tuple[TheirLine, ...]
    has_more_lines: bool
    payments: tuple[TheirPayment, ...]

    @property
    def is_draft(self) -> bool:
        return self.status == StripeInvoiceState.DRAFT

    @property
    def money(self) -> int:
        """What came in through Stripe's payments."""
        return sum(payment.amount for payment in self.payments if payment.status == "paid")

    @property
    def our_keys(self) -> set[str]:
        return {line.key for line in self.lines if line.key}


def read_told(body: Mapping[str, Any]) -> Told:
    """A body of the object `invoice`."""
    times = body.get("status_transitions") or {}
    problem = body.get("last_finalization_error") or {}
    lines = body.get("lines") or {}
    own = (body.get("metadata") or {}).get(INVOICE_KEY, "")
    return Told(
        stripe_id=body["id"],
        status=body.get("status") or "",
        number=body.get("number") or "",
        currency=(body.get("currency") or "").upper(),
        total=body.get("total") or 0,
        amount_paid=body.get("amount_paid") or 0,
        amount_remaining=body.get("amount_remaining") or 0,
        noted_before=body.get("pre_payment_credit_notes_amount") or 0,
        noted_after=body.get("post_payment_credit_notes_amount") or 0,
        starting_balance=body.get("starting_balance") or 0,
        ending_balance=body.get("ending_balance") or 0,
        attempt_count=body.get("attempt_count") or 0,
        next_attempt_at=read_time(body.get("next_payment_attempt")),
        hosted_invoice_url=read_address(body.get("hosted_invoice_url")),
        billing_reason=body.get("billing_reason") or "",
        subscription=find_subscription(body),
        customer=read_id(body.get("customer")),
        period_end=read_time(body.get("period_end")),
        created_at=read_time(body.get("created")),
        finalised_at=read_time(times.get("finalized_at")),
        paid_at=read_time(times.get("paid_at")),
        error_code=problem.get("code") or "",
        error_message=problem.get("message") or "",
        invoice_id=int(own) if own.isdecimal() else None,
        lines=tuple(map(read_line, lines.get("data") or ())),
        has_more_lines=bool(lines.get("has_more")),
        payments=tuple(read_payments(body)),
    )


def read_line(body: Mapping[str, Any]) -> TheirLine:
    parent = body.get("parent") or {}
    details = (body.get("pricing") or {}).get("price_details") or {}
    return TheirLine(
        stripe_id=body["id"],
        amount=body["amount"],
        key=(body.get("metadata") or {}).get(LINE_KEY, ""),
        item=(parent.get("subscription_item_details") or {}).get("subscription_item") or "",
        price=read_id(details.get("price")),
        description=body.get("description") or "",
    )


def read_payments(body: Mapping[str, Any]) -> Iterator[TheirPayment]:
    for each in (body.get("payments") or {}).get("data") or ():
        payment = each.get("payment") or {}
        kind = payment.get("type") or ""
        about = payment.get(kind)
        intent = about if isinstance(about, dict) else {}
        error = intent.get("last_payment_error") or {}
        yield TheirPayment(
            key=read_id(about),
            kind=kind,
            status=each.get("status") or "",
            amount=each.get("amount_paid") or 0,
            paid_at=read_time((each.get("status_transitions") or {}).get("paid_at")),
            error_code=error.get("decline_code") or error.get("code") or "",
            error_message=error.get("message") or "",
            needs_action=intent.get("status") == "requires_action",
        )


def find_subscription(body: Mapping[str, Any]) -> str:
    parent = body.get("parent") or {}
    return read_id((parent.get("subscription_details") or {}).get("subscription"))


def read_address(value: str | None) -> str:
    """Of a page that people are sent to: no other scheme is followed."""
    return value if value and value.startswith(("https://", "http://")) else ""


def read_id(value: Any) -> str:
    """Of an object that may be expanded."""
    if isinstance(value, Mapping):
        return str(value.get("id") or "")
    return value or ""


def read_time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
