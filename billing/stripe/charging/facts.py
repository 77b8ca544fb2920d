"""An issued invoice as what is asked of it, and which of its lines Stripe's meters charge."""

from django.utils import translation
from django.utils.translation import gettext

from billing.lines import read_taxes
from billing.models import LINE_OF_PRICE, Invoice, InvoiceLine, Price
from billing.stripe.charging.composing import Asked, LineAsked, TaxFact, Wording


def read_asked(invoice: Invoice) -> Asked:
    """One query."""
    lines = invoice.lines.order_by("position")
    return Asked(
        id=invoice.pk,
        currency=invoice.currency,
        lines=tuple(describe_line(line, invoice) for line in lines),
        credited_minor=invoice.credited_minor,
        due_minor=invoice.due_minor,
        start=invoice.period_start,
        end=invoice.period_end,
    )


def describe_line(line: InvoiceLine, invoice: Invoice) -> LineAsked:
    return LineAsked(
        position=line.position,
        description=line.description,
        amount_minor=line.amount_minor,
        discount_minor=line.discount_minor,
        taxes=tuple(TaxFact(tax.name, tax.percent, tax.is_inclusive, tax.minor) for tax in read_taxes(line)),
        start=line.period_start or invoice.period_start,
        end=line.period_end or invoice.period_end,
    )


def word_lines(language: str) -> Wording:
    with translation.override(language):
        return Wording(
            discount=gettext("Discount: %s"),
            credit=gettext("Paid by credit"),
            credit_given=gettext("Given as credit"),
            rounding=gettext("Not asked: below the smallest amount that can be paid"),
            tax=gettext("Tax: %s"),
            usage=gettext("Usage that another invoice was to ask"),
        )


def list_price_positions(invoice: Invoice) -> dict[int, int]:
    """position of a line → id of the price it is of: they come first, in the order of the version's prices."""
    if invoice.period is None:
        return {}
    prices = (
        Price.objects.filter(version_id=invoice.period.version_id).order_by("position").values_list("pk", flat=True)
    )
    lines = invoice.lines.filter(kind=LINE_OF_PRICE).order_by("position").values_list("position", flat=True)
    return dict(zip(lines, prices, strict=True))
