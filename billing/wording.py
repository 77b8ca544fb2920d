"""Money, prices and the steps of an amount in words, in the reader's language. Nothing is computed or rounded here."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.late.ledger import LateFact
from billing.late.policy import LateAction
from billing.lines import LineFact
from billing.money import EXACT, Money, find_exponent
from billing.periods import find_zone
from billing.rating import (
    Conversion,
    DimensionPrice,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    Rounding,
    Step,
    StepKind,
    TierTerms,
    trim,
)
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
    sentences = explain_steps(line.steps, line.unit, currency) or [_("nothing was used")]
    rounded = Money(line.amount_minor, currency).amount
    if rounded != line.amount_exact:
        values = {
            "exact": display_amount(line.amount_exact, currency),
            "rounded": display_amount(rounded, currency),
        }
        sentences.append(_("%(exact)s rounded to %(rounded)s") % values)
    return sentences


def explain_steps(steps: Iterable[Step], unit: str, currency: str) -> list[str]:
    """One sentence for each step. After a conversion the units are those that it leads to."""
    sentences = []
    for step in steps:
        if step.kind is StepKind.CONVERTED:
            metered, unit = format_exact(step.basis or Decimal(0), unit), "".join(step.values)
            values = {"metered": metered, "charged": format_exact(step.quantity, unit)}
            sentences.append(_("%(metered)s charged as %(charged)s") % values)
        else:
            sentences.append(explain_step(step, unit, currency))
    return sentences


def explain_step(step: Step, unit: str, currency: str) -> str:
    """One step: `first 10,000 requests at €0.002 = €20.00`, and where what was billed before is given back, so."""
    if step.quantity < 0:
        given = replace(step, quantity=-step.quantity, amount=-step.amount)
        return _("taken back: %(step)s") % {"step": explain_step(given, unit, currency)}
    if step.values:
        values = {"where": ", ".join(step.values), "step": explain_step(replace(step, values=()), unit, currency)}
        return _("%(where)s: %(step)s") % values
    values = {
        "quantity": count_units(step, unit),
        "number": format_exact(step.quantity),
        "price": display_amount(step.unit_amount, currency),
        "amount": display_amount(step.amount, currency),
        "tier": str(step.tier),
        "value": display_amount(step.quantity, currency),
        "rate": display_percent(step.unit_amount.scaleb(2, EXACT)),
    }
    return choose_sentence(step) % values


def count_units(step: Step, unit: str) -> str:
    """`12 requests`, or for packages of ten `2 × 10 requests`."""
    if step.basis is None:
        return format_exact(step.quantity, unit)
    return f"{format_exact(step.quantity)} × {format_exact(step.basis, unit)}"


def choose_sentence(step: Step) -> str:
    match step.kind:
        case StepKind.FEE:
            return _("flat fee of %(amount)s")
        case StepKind.INCLUDED | StepKind.CONVERTED:
            return _("%(quantity)s included")
        case StepKind.SEATS:
            return _("%(number)s × %(price)s = %(amount)s")
        case StepKind.UNITS | StepKind.PACKAGES:
            return _("%(quantity)s at %(price)s = %(amount)s")
        case StepKind.TIER if step.tier == 1:
            return _("first %(quantity)s at %(price)s = %(amount)s")
        case StepKind.TIER:
            return _("next %(quantity)s at %(price)s = %(amount)s")
        case StepKind.VOLUME:
            return _("all %(quantity)s at %(price)s = %(amount)s")
        case StepKind.TIER_FEE:
            return _("fee for reaching step %(tier)s = %(amount)s")
        case StepKind.FREE:
            return _("%(value)s free of charge")
        case StepKind.RATE if step.tier is None:
            return _("%(rate)s of %(value)s = %(amount)s")
        case StepKind.RATE if step.tier == 1:
            return _("%(rate)s of the first %(value)s = %(amount)s")
        case StepKind.RATE:
            return _("%(rate)s of the next %(value)s = %(amount)s")
        case StepKind.TRANSACTIONS:
            return _("%(price)s for each transaction: %(number)s = %(amount)s")
        case StepKind.SMALL:
            return _("at least %(price)s for each transaction: %(number)s = %(amount)s")
        case StepKind.LARGE:
            return _("at most %(price)s for each transaction: %(number)s = %(amount)s")
        case StepKind.MINIMUM:
            return _("%(amount)s more to reach the minimum")
        case StepKind.CAP:
            return _("%(amount)s to stay within the cap")


def display_percent(rate: Decimal) -> str:
    """`1.3%`, with every digit that counts."""
    return _("%(rate)s%%") % {"rate": format_exact(rate)}


def explain_price(price: PriceTerms, unit: str, currency: str) -> list[str]:
    """What a price asks before anything was used: `first 10,000 requests included`, `then €0.002 per request`."""
    return list(list_price_sentences(price, unit, currency))


def list_price_sentences(price: PriceTerms, unit: str, currency: str) -> Iterator[str]:
    if price.conversion is not None:
        yield describe_conversion(price.conversion)
        unit = price.conversion.unit
    if price.included_units:
        yield _("%(quantity)s included") % {"quantity": format_exact(price.included_units, unit)}
    unit_amount = price.unit_amount or Decimal(0)
    match price.model:
        case PriceModel.FLAT if price.per_seat:
            yield _("%(amount)s per seat and period") % {"amount": display_amount(unit_amount, currency)}
        case PriceModel.FLAT:
            yield _("%(amount)s per period") % {"amount": display_amount(unit_amount, currency)}
        case PriceModel.PER_UNIT:
            yield describe_unit_price(unit_amount, unit, currency)
        case PriceModel.GRADUATED | PriceModel.GRADUATED_PERCENTAGE:
            yield from (describe_tier(tier, unit, currency) for tier in price.tiers)
        case PriceModel.VOLUME:
            yield _("all at the price of the step that is reached")
            yield from (describe_tier(tier, unit, currency) for tier in price.tiers)
        case PriceModel.PACKAGE:
            yield describe_package(price, unit, currency)
        case PriceModel.PERCENTAGE if price.percentage is not None:
            yield from describe_percentage(price.percentage, currency)
        case PriceModel.DIMENSION:
            yield from (describe_row(row, unit, currency) for row in price.table)
            yield _("otherwise %(price)s") % {"price": describe_unit_price(unit_amount, unit, currency)}
    yield from describe_bounds(price, currency)


def describe_conversion(conversion: Conversion) -> str:
    values = {
        "one": format_exact(conversion.multiply_by, conversion.unit),
        "metered": format_exact(conversion.divide_by),
    }
    match conversion.rounding:
        case Rounding.UP:
            return _("%(metered)s metered are charged as %(one)s, rounded up") % values
        case Rounding.HALF:
            return _("%(metered)s metered are charged as %(one)s") % values
        case Rounding.DOWN:
            return _("%(metered)s metered are charged as %(one)s, rounded down") % values


def describe_package(price: PriceTerms, unit: str, currency: str) -> str:
    values = {
        "price": display_amount(price.unit_amount or Decimal(0), currency),
        "package": format_exact(price.package_size or Decimal(1), unit),
    }
    match price.package_rounding:
        case Rounding.UP:
            return _("%(price)s for each %(package)s begun") % values
        case Rounding.HALF:
            return _("%(price)s for each %(package)s, from half of it on") % values
        case Rounding.DOWN:
            return _("%(price)s for each complete %(package)s") % values


def describe_percentage(terms: PercentageTerms, currency: str) -> Iterator[str]:
    if terms.free_amount:
        yield _("first %(value)s free of charge") % {"value": display_amount(terms.free_amount, currency)}
    if terms.free_transactions:
        yield _("transactions free of charge: %(number)s") % {"number": terms.free_transactions}
    yield _("%(rate)s of the value") % {"rate": display_percent(terms.rate_percent)}
    if terms.fee:
        yield _("%(amount)s for each transaction") % {"amount": display_amount(terms.fee, currency)}
    if terms.minimum is not None:
        yield _("at least %(amount)s for each transaction") % {"amount": display_amount(terms.minimum, currency)}
    if terms.maximum is not None:
        yield _("at most %(amount)s for each transaction") % {"amount": display_amount(terms.maximum, currency)}


def describe_row(row: DimensionPrice, unit: str, currency: str) -> str:
    values = {"where": ", ".join(row.values), "step": describe_unit_price(row.unit_amount, unit, currency)}
    return _("%(where)s: %(step)s") % values


def describe_bounds(price: PriceTerms, currency: str) -> Iterator[str]:
    if price.minimum:
        yield _("at least %(amount)s per period") % {"amount": display_amount(price.minimum, currency)}
    if price.cap is not None:
        yield _("at most %(amount)s per period") % {"amount": display_amount(price.cap, currency)}


def describe_tier(tier: TierTerms, unit: str, currency: str) -> str:
    if tier.rate_percent is not None:
        asked = _("%(rate)s of the value") % {"rate": display_percent(tier.rate_percent)}
        end = display_amount(tier.up_to, currency) if tier.up_to is not None else ""
    else:
        asked = describe_unit_price(tier.unit_amount, unit, currency, size=tier.package_size or Decimal(1))
        end = format_exact(tier.up_to, unit) if tier.up_to is not None else ""
    values = {"price": asked, "end": end, "fee": display_amount(tier.flat_amount, currency)}
    text = (_("%(price)s above") if tier.up_to is None else _("%(price)s up to %(end)s")) % values
    return _("%(text)s, and %(fee)s once") % {"text": text, **values} if tier.flat_amount else text


def describe_unit_price(amount: Decimal, unit: str, currency: str, *, size: Decimal = Decimal(1)) -> str:
    values = {"price": display_amount(amount, currency), "unit": format_exact(size, unit)}
    return _("%(price)s for %(unit)s") % values


def display_period(start: datetime, end: datetime, time_zone: str) -> str:
    """[start, end) as the days the customer sees, the last one included: `Jan. 15, 2026 – Jan. 31, 2026`."""
    zone = find_zone(time_zone)
    days = (start.astimezone(zone), (end - timedelta(microseconds=1)).astimezone(zone))
    return " – ".join(date_format(day, "DATE_FORMAT") for day in days)


def explain_late(late: LateFact) -> str:
    """What a settlement did, in a sentence: how the count changed, what became of the difference, and where."""
    words = {
        "before": format_exact(late.quantity_before, late.unit),
        "now": format_exact(late.quantity, late.unit),
        "amount": display_money(abs(late.asked_minor or late.waived_minor), late.currency),
        "description": late.description,
        "number": late.number or "",
    }
    if late.action is LateAction.TAKE_BACK:
        counted = _("%(description)s: taken back, as the invoice is void")
    elif late.is_commitment:
        counted = _("%(description)s: what is missing to it changed")
    else:
        counted = _("%(description)s: %(before)s counted before, %(now)s now")
    return f"{counted % words}; {tell_outcome(late) % words}."


def tell_outcome(late: LateFact) -> str:
    if late.is_withdrawn:
        return _("%(amount)s was withdrawn")
    if late.action is LateAction.WAIVE:
        return _("%(amount)s is waived")
    if late.action is LateAction.NOTHING:
        return _("the price stays the same")
    if late.action is LateAction.TAKE_BACK and not late.asked_minor:
        return _("what waited was withdrawn")
    if not late.asked_minor:
        return _("a credit note gave it back already")
    if late.number is None:
        return _("%(amount)s will be billed") if late.asked_minor > 0 else _("%(amount)s will be credited")
    if late.asked_minor > 0:
        return _("%(amount)s billed on invoice %(number)s")
    return _("%(amount)s credited on invoice %(number)s")
