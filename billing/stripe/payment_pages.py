"""What a customer can pay, or has to confirm, on Stripe's pages."""

from dataclasses import dataclass

from billing.models import StripeInvoice, StripeInvoiceState
from billing.stripe.pages import find_origin, list_origins


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """The page of an open invoice. `needs_action`: the bank wants its customer to confirm the payment (3-D Secure)."""

    number: str
    url: str
    needs_action: bool


def list_payment_pages(account_id: int) -> list[PaymentPage]:
    """Of invoices that are not paid, oldest first; none without Stripe. One query."""
    origins = list_origins()
    if not origins:
        return []
    rows = StripeInvoice.objects.filter(account_id=account_id, state=StripeInvoiceState.OPEN, invoice__isnull=False)
    rows = rows.exclude(hosted_invoice_url="").select_related("invoice").order_by("pk")
    return [
        PaymentPage(row.invoice.number or "", row.hosted_invoice_url, row.needs_action)
        for row in rows
        if row.invoice is not None and find_origin(row.hosted_invoice_url) in origins
    ]
