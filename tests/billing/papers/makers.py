"""An issued invoice with every kind of line, and a reader of what became of it."""

import io
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pypdf

from billing import coupons, credit_notes, invoicing, items, profiles, tax_rates
from billing.credits import grants
from billing.models import CreditDestination, Invoice
from billing.rating import PriceTerms
from tests.billing.makers import BANDWIDTH, BASE_FEE, FEB, JAN, MID_JAN, REQUESTS, make_plan, make_subscription, use

ISSUED = FEB + timedelta(hours=1)
SELLER = {
    "name": "Vendor & Co",
    "address": "1 High Street\nTown",
    "tax_number": "GB123",
    "email": "billing@vendor.example",
    "payment": "IBAN GB00 0000",
}


def issue_invoice(
    *,
    name: str = "Acme SA",
    language: str = "en",
    currency: str = "EUR",
    time_zone: str = "UTC",
    prices: Sequence[PriceTerms] = (BASE_FEE, REQUESTS, BANDWIDTH),
    vat: str = "20",
    credit_minor: int = 0,
    item: str = "",
    percent_off: str = "",
    sizes: Sequence[int] = (100_000_000,) * 12,
) -> Invoice:
    """January of acme, used and closed: taxed, with a discount, an item and credit where they are asked for."""
    plan = make_plan("growth", currency=currency, prices=prices, limits=())
    subscription = make_subscription(plan=plan, time_zone=time_zone, started_at=JAN)
    account_id = subscription.account_id
    profiles.set_profile(
        account_id=account_id,
        legal_name=name,
        address="1 rue Haute\n75002 Paris",
        country="FR",
        tax_number="FR40303265045",
        time_zone=time_zone,
        language=language,
    )
    if vat:
        rate = tax_rates.create_tax_rate(name="VAT", percent=Decimal(vat))
        tax_rates.set_tax_rates(account_id=account_id, rate_ids=[rate])
    if item:
        items.add_item(
            account_id=account_id,
            subscription_id=subscription.id,
            currency=currency,
            kind="one_off",
            description=item,
            unit_amount=Decimal(15),
            key="item",
            at=MID_JAN,
        )
    if percent_off:
        coupons.create_coupon(code="OFF", name="Off", percent=Decimal(percent_off))
        coupons.apply_coupon(code="OFF", account_id=account_id, at=JAN)
    if credit_minor:
        grants.grant_credit(
            account_id=account_id,
            currency=currency,
            amount_minor=credit_minor,
            at=JAN,
        )
    use("acme", sizes=sizes, time=MID_JAN)
    fact = invoicing.close_period(subscription.period_id, at=ISSUED)
    return Invoice.objects.get(number=fact.number)


def issue_note(invoice: Invoice, *, at: datetime = ISSUED, **terms: Any) -> str:
    """The number of a credit note over the invoice, off what is due unless told otherwise."""
    terms.setdefault("destination", CreditDestination.DUE)
    terms.setdefault("reason", "Counted twice")
    return credit_notes.issue_credit_note(invoice.pk, key="note", at=at, **terms).number


def open_pdf(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content))


def read_text(content: bytes) -> str:
    """All that is on the pages, in one line: spaces of any kind, and line ends, are one space."""
    text = " ".join(page.extract_text() for page in open_pdf(content).pages)
    return re.sub(r"\s+", " ", text.replace("\u200b", ""))
