"""Money, prices and the steps of an amount in words, in the reader's language. Nothing is computed or rounded here."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.lines import LineFact
from billing.money import Money, find_exponent
from billing.periods import find_zone
from billing.rating import PriceModel, PriceTerms, Step, StepKind, TierTerms, trim
from metering.quantities import format_exact

SYMBOLS = {"EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}

NO_BREAK_SPACE = "\u00a0"


def display_money(minor: int, currency: str) -> str:
    """An amount of a document with exactly the currency's decimals: `€1,234.50`, `1 234,50 €`, `¥525`, `KWD 1.500`."""
    return display_amount(Money(minor, currency).amount, currency)


def display_amount(amount: Decimal, currency: str) -> str:
    """An exact amount with every digit that counts, and at least the currency's decimals: `€0.00000000009`."""
    digits = -int(trim(amount).as_tuple().exponent)
    number = number_format(amount.copy_abs(), decimal_pos=max(digits, find_exponent(currency)), force_grouping=True)
    symbol = SYMBOLS.get(currency)
    values = {"symbol": symbol or currency, "space": NO_BREAK_SPACE, "number": number}
    if symbol:
        text = pgettext("an amount of money, such as €5.00", "%(symbol)s%(number)s") % values
    else:
        text = pgettext("an amount of money, such as CHF 5.00", "%(symbol)s%(space)s%(number)s") % values
    return f"−{text}" if amount < 0 else text


def explain_line(line: LineFact, currency: str) -> list[str]:
    """Why the line costs what it costs: one sentence for each step, and one where rounding changed the amount."""
    sentences = [explain_step(step, line.unit, currency) for step in line.steps]
    if not sentences:
        sentences.append(_("nothing was used"))
    rounded = Money(line.amount_minor, currency).amount
    if rounded != line.amount_exact:
        values = {
            "exact": display_amount(line.amount_exact, currency),
            "rounded": display_amount(rounded, currency),
        }
        sentences.append(_("%(exact)s rounded to %(rounded)s") % values)
    return sentences


def explain_step(step: Step, unit: str, currency: str) -> str:
    """One step: `first 10,000 requests at €0.002 = €20.00`."""
    values = {
        "quantity": format_exact(step.quantity, unit),
        "price": display_amount(step.unit_amount, currency),
        "amount": display_amount(step.amount, currency),
        "tier": step.tier,
    }
    match step.kind:
        case StepKind.FEE:
            return _("flat fee of %(amount)s") % values
        case StepKind.INCLUDED:
            return _("%(quantity)s included") % values
        case StepKind.UNITS:
            return _("%(quantity)s at %(price)s = %(amount)s") % values
        case StepKind.TIER if step.tier == 1:
            return _("first %(quantity)s at %(price)s = %(amount)s") % values
        case StepKind.TIER:
            return _("next %(quantity)s at %(price)s = %(amount)s") % values
        case StepKind.TIER_FEE:
            return _("fee for reaching step %(tier)s = %(amount)s") % values


def explain_price(price: PriceTerms, unit: str, currency: str) -> list[str]:
    """What a price asks before anything was used: `first 10,000 requests included`, `then €0.002 per request`."""
    return list(list_price_sentences(price, unit, currency))


def list_price_sentences(price: PriceTerms, unit: str, currency: str) -> Iterator[str]:
    if price.included_units:
        yield _("%(quantity)s included") % {"quantity": format_exact(price.included_units, unit)}
    match price.model:
        case PriceModel.FLAT:
            yield _("%(amount)s per period") % {"amount": display_amount(price.unit_amount or Decimal(0), currency)}
        case PriceModel.PER_UNIT:
            yield describe_unit_price(price.unit_amount or Decimal(0), unit, currency)
        case PriceModel.GRADUATED:
            yield from (describe_tier(tier, unit, currency) for tier in price.tiers)


def describe_tier(tier: TierTerms, unit: str, currency: str) -> str:
    values = {
        "price": describe_unit_price(tier.unit_amount, unit, currency),
        "end": format_exact(tier.up_to, unit) if tier.up_to is not None else "",
        "fee": display_amount(tier.flat_amount, currency),
    }
    text = (_("%(price)s above") if tier.up_to is None else _("%(price)s up to %(end)s")) % values
    return _("%(text)s, and %(fee)s once") % {"text": text, **values} if tier.flat_amount else text


def describe_unit_price(amount: Decimal, unit: str, currency: str) -> str:
    values = {"price": display_amount(amount, currency), "unit": format_exact(Decimal(1), unit)}
    return _("%(price)s for %(unit)s") % values


def display_period(start: datetime, end: datetime, time_zone: str) -> str:
    """[start, end) as the days the customer sees, the last one included: `Jan. 15, 2026 – Jan. 31, 2026`."""
    zone = find_zone(time_zone)
    days = (start.astimezone(zone), (end - timedelta(microseconds=1)).astimezone(zone))
    return " – ".join(date_format(day, "DATE_FORMAT") for day in days)
