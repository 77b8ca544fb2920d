"""What a rep reads, in whole sentences of the active language."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.evidence import Headline
from metering.quantities import format_readable

LIMIT, CLOSE = Decimal(100), Decimal(80)  # percent
NO_BREAK = "\N{NO-BREAK SPACE}"


def say_why(headline: Headline, *, at: datetime) -> str:
    """`Requests at 104 % of 250 — limit reached, resets in 8 days`."""
    return _("%(meter)s at %(percent)s of %(limit)s — %(state)s, %(reset)s") % {
        "meter": headline.meter_name,
        "percent": say_percent(headline.percent),
        "limit": say_quantity(headline.quantity, headline.unit),
        "state": say_state(headline.percent),
        "reset": say_reset(headline.end, at=at),
    }


def say_state(percent: Decimal) -> str:
    """Frozen figures are at their level or above it; live ones may have room again, after the limit was raised."""
    if percent >= LIMIT:
        return _("limit reached")
    return _("close to the limit") if percent >= CLOSE else _("room again")


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
