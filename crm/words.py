"""What a rep reads, in whole sentences of the active language."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from crm.evidence import Headline, restore_alert
from crm.expected import Expected
from metering.alerts import SnoozeFact
from metering.forecast.words import find_reason, read_params, word_chance
from metering.notices.words import word_alert
from metering.quantities import format_readable

LIMIT, CLOSE = Decimal(100), Decimal(80)  # percent
OF_LIMITS = ("usage", "forecast")
NOTHING = "–"
NO_BREAK = "\N{NO-BREAK SPACE}"


def say_why(headline: Headline, *, at: datetime) -> str:
    """`Requests at 104 % of 250 — limit reached, resets in 8 days`.

    What is not measured by a limit says what everybody was told: `Credit: 12 % left — resets in 8 days`.
    """
    reset = say_reset(headline.end, at=at)
    if headline.percent is None or headline.quantity is None or headline.kind not in OF_LIMITS:
        return _("%(title)s — %(reset)s") % {"title": word_alert(restore_alert(headline)).title, "reset": reset}
    return _("%(meter)s at %(percent)s of %(limit)s — %(state)s, %(reset)s") % {
        "meter": headline.meter_name,
        "percent": say_percent(headline.percent),
        "limit": say_quantity(headline.quantity, headline.unit),
        "state": say_state(headline.percent, chance=headline.p_hit if headline.kind == "forecast" else None),
        "reset": reset,
    }


def say_state(percent: Decimal, *, chance: Decimal | None = None) -> str:
    """Frozen figures are at their level or above it; live ones may have room again, after the limit was raised.

    `chance` is that of reaching the limit, where a forecast is why we call.
    """
    if percent >= LIMIT:
        return _("limit reached")
    if chance is not None:
        return _("%(chance)s likely to reach it") % {"chance": word_chance(chance)}
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


def say_outlook(expected: Expected | None) -> str:
    """The chance that a limit is reached before it resets."""
    if expected is None:
        return NOTHING
    if expected.is_learning:
        return _("still learning")
    return NOTHING if expected.chance is None else word_chance(expected.chance)


def say_dates(expected: Expected | None, *, zone: str) -> str:
    """`Thu 27 Nov (25 Nov – 30 Nov)`, by the account's clock: the range holds in 80 of 100 cases."""
    if expected is None or expected.is_learning or expected.hit_mid is None:
        return NOTHING
    day = say_day(expected.hit_mid, zone)
    if expected.hit_low is None or expected.hit_high is None:
        return day
    return f"{day} ({say_day(expected.hit_low, zone)} – {say_day(expected.hit_high, zone)})"


def say_day(moment: datetime, zone: str) -> str:
    return date_format(
        moment.astimezone(ZoneInfo(zone)), pgettext("date format: weekday, day and month, short", "D j M")
    )


def say_total(expected: Expected | None, unit: str) -> str:
    """`310 (280 – 350)`."""
    if expected is None or expected.is_learning:
        return NOTHING
    low, mid, high = (
        say_quantity(total, unit) for total in (expected.total_low, expected.total_mid, expected.total_high)
    )
    return f"{mid} ({low} – {high})"


def say_reason(expected: Expected | None) -> str:
    """`weekday traffic up 34 % since 12 Nov`."""
    if expected is None:
        return NOTHING
    return find_reason(expected.reason) % read_params(expected.reason_params) or NOTHING


def say_snooze(snooze: SnoozeFact | None, *, zone: str) -> str:
    """`Snoozed by Rosa until Thu 2 Jul or until 90 %.`; empty where nothing is snoozed."""
    if snooze is None:
        return ""
    words = {
        "who": snooze.made_by,
        "day": say_day(snooze.until, zone) if snooze.until else "",
        "level": say_percent(snooze.until_level) if snooze.until_level is not None else "",
    }
    if snooze.until is None:
        told = _("Snoozed by %(who)s until %(level)s.") % words
    elif snooze.until_level is None:
        told = _("Snoozed by %(who)s until %(day)s.") % words
    else:
        told = _("Snoozed by %(who)s until %(day)s or until %(level)s.") % words
    return f"{told} {snooze.reason}".rstrip()
