"""Filters and tags of the screens: they format, they never compute."""

from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.timezone import get_current_timezone_name, localtime
from django.utils.translation import gettext as _

from billing.rating import Step, StepKind
from metering.quantities import format_exact, format_readable, name_unit
from portal.amounts import NBSP, format_exact_money, format_money

register = template.Library()


@register.filter
def money(minor: int, currency: str) -> str:
    return format_money(minor, currency)


@register.filter
def exact_money(amount: Decimal, currency: str) -> str:
    return format_exact_money(amount, currency)


@register.filter
def exact_quantity(quantity: Decimal, unit: str = "") -> str:
    return format_exact(quantity, unit)


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


@register.filter
def unit_name(unit: str, value: Decimal) -> str:
    return name_unit(unit, value)


@register.simple_tag
def period(start: datetime, end: datetime) -> str:
    """`November 2026` for a whole month, otherwise its first and last day, in the active time zone."""
    first, last, after = localtime(start), localtime(end - timedelta(microseconds=1)), localtime(end)
    if first.day == 1 and after.day == 1 and (first.year, first.month) == (last.year, last.month):
        return date_format(first, "F Y")
    return _("%(first)s to %(last)s") % {"first": date_format(first, "j F Y"), "last": date_format(last, "j F Y")}


@register.simple_tag
def time_zone_name() -> str:
    return get_current_timezone_name()


@register.simple_tag
def step_reason(step: Step, unit: str, currency: str) -> str:
    """One reason for a part of an amount, in words."""
    values = {
        "quantity": format_exact(step.quantity, unit),
        "price": format_exact_money(step.unit_amount, currency),
        "tier": step.tier,
    }
    return REASONS[step.kind]() % values


REASONS = {
    StepKind.FEE: lambda: _("Flat fee of the plan"),
    StepKind.INCLUDED: lambda: _("%(quantity)s included in the plan"),
    StepKind.UNITS: lambda: _("%(quantity)s at %(price)s each"),
    StepKind.TIER: lambda: _("Step %(tier)s: %(quantity)s at %(price)s each"),
    StepKind.TIER_FEE: lambda: _("Step %(tier)s: fee for entering it"),
}
