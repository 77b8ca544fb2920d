"""Filters and tags of the screens: they format, they never compute."""

from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.timezone import get_current_timezone_name, localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.late.ledger import LateFact
from billing.lines import LineFact
from billing.wording import display_money, explain_late, explain_line
from metering.forecast import ForecastFact, word_forecast, word_made, word_reason
from metering.outcomes import MeterCount
from metering.quantities import format_exact, format_expected, format_readable, name_unit

NBSP = "\N{NO-BREAK SPACE}"

register = template.Library()


@register.filter
def money(minor: int, currency: str) -> str:
    return display_money(minor, currency)


@register.filter
def late_words(late: LateFact) -> str:
    return explain_late(late)


@register.filter
def percent(value: Decimal) -> str:
    """`71.4 %`: one decimal, cut and not rounded, so that 80 % is not read before it is reached."""
    shown = (value * 10).to_integral_value("ROUND_DOWN") / 10
    plain = f"{shown:f}"
    decimals = 0 if shown == shown.to_integral_value() else 1
    return f"{number_format(Decimal(plain), decimal_pos=decimals, force_grouping=True)}{NBSP}%"


@register.simple_tag
def exact_level(level: Decimal) -> str:
    """A level of a limit as it is: `80 %`, `112.5 %`."""
    return f"{format_exact(level)}{NBSP}%"


@register.simple_tag
def quantity(value: Decimal, unit: str) -> str:
    """What a person reads first; when digits were left out, all of them are in the title."""
    readable, exact = format_readable(value, unit), format_exact(value, unit)
    if readable == exact:
        return readable
    return format_html('<data value="{}" title="{}">{}</data>', f"{value:f}", exact, readable)


@register.simple_tag
def bare_quantity(value: Decimal, unit: str) -> str:
    """The figure before `of 600 requests`: the unit's word stands once. Bytes keep theirs, which says the scale."""
    if unit == "byte":
        return quantity(value, unit)
    return format_html('<data value="{}">{}</data>', f"{value:f}", format_readable(value, "").rstrip())


@register.simple_tag
def expected_quantity(value: Decimal, unit: str) -> str:
    """The digits of a forecast that count, beside the unit's word that stands elsewhere; bytes keep theirs."""
    return format_expected(value, unit if unit == "byte" else "")


@register.filter
def forecast_words(forecast: ForecastFact) -> str:
    """What is expected, in a sentence."""
    return word_forecast(forecast)


@register.filter
def forecast_reason(forecast: ForecastFact) -> str:
    return word_reason(forecast)


@register.simple_tag
def forecast_made(forecast: ForecastFact) -> str:
    """Of when it is, where it is not fresh."""
    return word_made(forecast, at=now())


@register.simple_tag
def unit_words(unit: str) -> str:
    """The unit in the plural, for the head of a table."""
    return name_unit(unit, Decimal(2))


@register.simple_tag
def period(start: datetime, end: datetime) -> str:
    """`November 2026` for a whole month, otherwise its first and last day, in the active time zone."""
    first, last, after = localtime(start), localtime(end - timedelta(microseconds=1)), localtime(end)
    if first.day == 1 and after.day == 1 and (first.year, first.month) == (last.year, last.month):
        return date_format(first, "F Y")
    return _("%(first)s to %(last)s") % {"first": date_format(first, "j F Y"), "last": date_format(last, "j F Y")}


@register.filter
def day(moment: datetime) -> str:
    return date_format(localtime(moment), pgettext("date format: weekday, day and month, short", "D j M"))


@register.simple_tag
def moment(at: datetime) -> str:
    """To the second, in the active time zone: `2026-11-10 13:00:05`."""
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), f"{localtime(at):%Y-%m-%d %H:%M:%S}")


@register.simple_tag
def measured(count: MeterCount) -> str:
    """What an event is worth to a meter: a quantity, or the text of a value that is counted once."""
    return count.value if isinstance(count.value, str) else format_exact(count.value, count.unit)


@register.simple_tag
def time_zone_name() -> str:
    return get_current_timezone_name()


@register.filter
def reasons(line: LineFact, currency: str) -> list[str]:
    """Why the line costs what it costs, in sentences."""
    return explain_line(line, currency)
