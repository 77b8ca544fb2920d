"""How an invoice is paid through Stripe, for those who look at it: by what, how far, and what went wrong, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import StripeDispute, StripeInvoice, StripeInvoiceState, StripeInvoiceStep
from billing.stripe.charging.rows import ALIVE
from billing.stripe.customers import CardFact, read_customer

UNSAID = _("the bank declined the payment and does not say why")
# Why a card may be lost or stolen is for the bank to say to its customer (docs.stripe.com, "Decline codes").
FAILURES: Mapping[str, Promise] = {
    "insufficient_funds": _("there was not enough money on the card's account"),
    "expired_card": _("the card has expired"),
    "incorrect_cvc": _("the card's security code was wrong"),
    "invalid_cvc": _("the card's security code was wrong"),
    "incorrect_number": _("the card's number was wrong"),
    "card_not_supported": _("the card does not take this kind of payment"),
    "currency_not_supported": _("the card does not take this currency"),
    "card_velocity_exceeded": _("the card's limit was reached"),
    "withdrawal_count_limit_exceeded": _("the card's limit was reached"),
    "processing_error": _("the bank had a problem; it may work later"),
    "try_again_later": _("the bank had a problem; it may work later"),
    "issuer_not_available": _("the bank had a problem; it may work later"),
    "authentication_required": _("the bank wants the payment to be confirmed"),
    "invoice_payment_intent_requires_action": _("the bank wants the payment to be confirmed"),
    "amount_too_small": _("the amount is too small to be collected"),
    "amount_too_large": _("the amount is too large to be collected at once"),
    "missing_payment_method": _("there is no card to collect it from"),
    "resource_missing": _("there is no card to collect it from"),
    "payment_intent_authentication_failure": _("the payment was not confirmed"),
}


@dataclass(frozen=True, slots=True)
class ChargingFact:
    """Of one invoice at Stripe. `pay_url` is Stripe's own page while something is to be paid there; `failure` is for
    customers, `detail` is what Stripe says and for staff alone. Amounts are in the currency's smallest unit.
    """

    id: int
    stripe_id: str
    state: str
    state_label: str
    step: str
    step_label: str
    total_minor: int
    refunded_minor: int
    currency: str
    card: CardFact | None
    pay_url: str
    attempt_count: int
    next_attempt_at: datetime | None
    failure: Promise | None
    detail: str
    needs_action: bool
    dispute: str
    dispute_label: str

    @property
    def is_stopped(self) -> bool:
        return self.step == StripeInvoiceStep.STOPPED

    @property
    def is_disputed(self) -> bool:
        return self.dispute != StripeDispute.NONE


def read_charging(invoice_id: int) -> list[ChargingFact]:
    """Its invoices at Stripe: none, one, or a second one over what came too late for the first. Two queries."""
    rows = list(StripeInvoice.objects.filter(ALIVE, invoice_id=invoice_id).order_by("pk"))
    customer = read_customer(rows[0].account_id) if rows else None
    return [describe_row(row, customer.card if customer else None) for row in rows]


def describe_row(row: StripeInvoice, card: CardFact | None) -> ChargingFact:
    is_open = row.state == StripeInvoiceState.OPEN
    return ChargingFact(
        id=row.pk,
        stripe_id=row.stripe_id,
        state=str(row.state),
        state_label=str(row.get_state_display()),
        step=str(row.step),
        step_label=str(row.get_step_display()),
        total_minor=row.total_minor,
        refunded_minor=row.refunded_minor,
        currency=row.currency,
        card=card,
        pay_url=row.hosted_invoice_url if is_open else "",
        attempt_count=row.attempt_count,
        next_attempt_at=row.next_attempt_at if is_open else None,
        failure=explain_failure(row.error_code) if is_open and row.error_code else None,
        detail=f"{row.error_code}: {row.error_message}" if row.error_message else "",
        needs_action=row.needs_action,
        dispute=str(row.dispute),
        dispute_label=str(row.get_dispute_display()),
    )


def explain_failure(code: str) -> Promise:
    """A decline code in words that its customer may read."""
    return FAILURES.get(code, UNSAID)
