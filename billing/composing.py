"""Invoices of periods, composed from facts: nothing is read here and nothing is written."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from django.utils.translation import gettext

from billing.commitments import true_up
from billing.documents import compose_lines
from billing.items import ONE, ItemFact
from billing.lines import LineFact, rate_readings
from billing.models import LINES_OF_PLAN, ItemKind, Period
from billing.money import Money
from billing.period_facts import PeriodFacts
from billing.periods import count_days, find_period
from billing.plans import PlanTerms
from billing.profiles import ProfileFact, UnknownProfile
from billing.proration import MICROSECOND, Proration, part_of_days
from billing.rating import Step, StepKind


def compose_period(facts: PeriodFacts) -> tuple[LineFact, ...]:
    """Prices and add-ons first, then the items in their order, then what the period is short of its commitment.

    Raises what rate_readings raises, and UnknownProfile where nobody pays.
    """
    profile = require_profile(facts)
    priced = rate_readings(facts.terms, facts.readings, facts.details, held=facts.period.held)
    missing = raise_to_commitment(facts.period, facts.terms, profile, priced)
    return compose_lines(
        [*priced, *map(make_item_line, facts.waiting), *missing], taxes=facts.taxes, discounts=facts.discounts
    )


def list_places(facts: PeriodFacts, lines: Iterable[LineFact]) -> list[tuple[int, int]]:
    """Which of these lines bills which item: (item id, position)."""
    first = sum(line.kind in LINES_OF_PLAN for line in lines) + 1
    return [(item.id, position) for position, item in enumerate(facts.waiting, start=first)]


def require_profile(facts: PeriodFacts) -> ProfileFact:
    if facts.profile is None:
        raise UnknownProfile(f"Account {facts.period.subscription.account_id} has no billing profile.")
    return facts.profile


def raise_to_commitment(
    period: Period, terms: PlanTerms, profile: ProfileFact, priced: Sequence[LineFact]
) -> Iterator[LineFact]:
    """A line over what the period's prices are short of what was promised of it, before discounts and taxes."""
    if not terms.commitment_minor:
        return
    billed = sum(line.amount_minor for line in priced)
    missing = Money(
        true_up(terms.commitment_minor, billed, part=find_part(period, terms, profile.time_zone)).missing_minor,
        terms.currency,
    )
    if missing.minor:
        step = Step(StepKind.MINIMUM, ONE, missing.amount, missing.amount)
        yield LineFact(
            position=0,
            description=gettext("Commitment"),
            meter_id=None,
            meter_key=None,
            meter_name="",
            unit="",
            quantity=ONE,
            event_count=None,
            steps=(step,),
            amount_exact=missing.amount,
            amount_minor=missing.minor,
            kind=ItemKind.TRUE_UP.value,
        )


def find_part(period: Period, terms: PlanTerms, zone: str) -> Fraction:
    """Which part it is of the whole period that its version would have: less where it was begun or cut within one."""
    whole_start, whole_end = find_period(period.starts_at, terms.periods.cycle(period.subscription.anchor), zone)
    if terms.periods.proration is Proration.DAY:
        return part_of_days(
            count_days(period.starts_at, period.ends_at, zone), count_days(whole_start, whole_end, zone)
        )
    return Fraction((period.ends_at - period.starts_at) // MICROSECOND, (whole_end - whole_start) // MICROSECOND)


def make_item_line(item: ItemFact) -> LineFact:
    """The line that bills an item; compose_lines gives it its place."""
    step = Step(StepKind.UNITS, item.quantity, item.unit_amount, item.amount_exact)
    return LineFact(
        position=0,
        description=item.description,
        meter_id=None,
        meter_key=None,
        meter_name="",
        unit="",
        quantity=item.quantity,
        event_count=None,
        steps=(step,),
        amount_exact=item.amount_exact,
        amount_minor=item.amount_minor,
        kind=item.kind,
        period=(item.period_start, item.period_end) if item.period_start and item.period_end else None,
    )
