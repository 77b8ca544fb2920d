"""What a rep reads, in whole sentences of the active language."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.money import Money, find_exponent
from crm.evidence import Headline
from metering.quantities import format_readable

FULL = Decimal(100)
NO_BREAK = "\N{NO-BREAK SPACE}"


def say_why(headline: Headline, *, at: datetime) -> str:
    """`Requests at 104 % of 250 — limit reached, resets in 8 days`."""
    return _("%(meter)s at %(percent)s of %(limit)s — %(state)s, %(reset)s") % {
        "meter": headline.meter_name,
        "percent": say_percent(headline.percent),
        "limit": say_quantity(headline.quantity, headline.unit),
        "state": _("limit reached") if headline.level >= FULL else _("close to the limit"),
        "reset": say_reset(headline.end, at=at),
    }


def say_percent(percent: Decimal) -> str:
    """Whole percents, rounded down: a level is never read before it is reached."""
    return f"{number_format(int(percent), force_grouping=True)}{NO_BREAK}%"


def say_quantity(quantity: Decimal, unit: str) -> str:
    """A figure beside its meter's name, which says what is counted: only bytes need their unit."""
    return format_readable(quantity, unit if unit == "byte" else "")


def say_reset(end: datetime, *, at: datetime) -> str:
    """`resets in 8 days`, in hours on the last day."""
    left = end - at
    if left <= timedelta(0):
        return _("its period has ended")
    if left >= timedelta(days=1):
        return ngettext("resets in %(days)s day", "resets in %(days)s days", left.days) % {"days": left.days}
    hours = max(left // timedelta(hours=1), 1)
    return ngettext("resets in %(hours)s hour", "resets in %(hours)s hours", hours) % {"hours": hours}


def say_money(minor: int, currency: str) -> str:
    """`1,234.50 EUR`, with the currency's own decimals."""
    return say_amount(Money(minor, currency).amount, currency)


def say_amount(amount: Decimal, currency: str) -> str:
    """An amount in whole units; unit prices may have more decimals than the currency."""
    places = max(find_exponent(currency), -int(amount.normalize().as_tuple().exponent))
    return f"{number_format(amount, decimal_pos=places, force_grouping=True)}{NO_BREAK}{currency}"
