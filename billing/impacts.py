"""What usage beyond the usual costs: the period under way rated by the account's own prices, with it and without it."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext
from fractions import Fraction

from billing.details import Details, project_parts
from billing.lines import rate_readings
from billing.money import EXACT, Money, round_money
from billing.period_facts import PeriodFacts, read_facts
from billing.projections import NOT_GROWING, project_count, project_values
from billing.spending import list_running
from metering.usage import Reading


def estimate_extra_cost(account_id: int, meter_key: str, extra: Decimal, *, at: datetime) -> Money | None:
    """What `extra` units of what was used of the meter add to the bill of the period under way.

    Below zero they are units that were not used, and it is what they would have added, below zero. It is the price of
    what was used less that of what would have been used without them, rounded once: tiers, packages, included units,
    minimum and cap count. Events, single transactions and parts by dimension are less in proportion. Before discounts
    and taxes. None where no price of the account looks at the meter, or nobody is billed.
    Raises metering's HistoryPruned, and AmountTooLarge or InvalidQuantity as rating does.
    """
    periods = [period for period in list_running([account_id], at=at) if not period.is_free]
    facts = next((each for each in read_facts(periods) if looks_at(each, meter_key)), None)
    if facts is None:
        return None
    with localcontext(EXACT):
        exact = rate_meter(facts, meter_key) - rate_meter(take_off(facts, meter_key, extra), meter_key)
    return round_money(exact, facts.terms.currency)


def looks_at(facts: PeriodFacts, meter_key: str) -> bool:
    return any(price.meter_key == meter_key for price in facts.terms.prices)


def rate_meter(facts: PeriodFacts, meter_key: str) -> Decimal:
    """In whole units of the currency, exactly."""
    lines = rate_readings(facts.terms, facts.readings, facts.details, held=facts.period.held, part=facts.part)
    return sum((line.amount_exact for line in lines if line.meter_key == meter_key), start=Decimal(0))


def take_off(facts: PeriodFacts, meter_key: str, extra: Decimal) -> PeriodFacts:
    """The same period without so many units of the meter; no less than nothing is left."""
    [reading] = [each for each in facts.readings if each.meter_key == meter_key]
    left = max(reading.quantity - extra, Decimal(0))
    growth = Fraction(left) / Fraction(reading.quantity) if reading.quantity else NOT_GROWING
    return replace(
        facts,
        readings=[take_off_reading(each, meter_key, left, growth) for each in facts.readings],
        details=take_off_details(facts.details, meter_key, growth),
    )


def take_off_reading(reading: Reading, meter_key: str, left: Decimal, growth: Fraction) -> Reading:
    if reading.meter_key != meter_key:
        return reading
    return replace(reading, quantity=left, event_count=project_count(reading.event_count, growth))


def take_off_details(details: Details, meter_key: str, growth: Fraction) -> Details:
    return Details(
        parts={
            key: project_parts(parts, growth) if key[0] == meter_key else parts for key, parts in details.parts.items()
        },
        transactions={
            key: project_values(values, growth) if key == meter_key else values
            for key, values in details.transactions.items()
        },
    )
