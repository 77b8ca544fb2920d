"""Invoices of periods, composed from facts: nothing is read here and nothing is written."""

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext

from billing.documents import compose_lines
from billing.items import ONE, ItemFact
from billing.lines import LineFact, make_unmetered_line, rate_readings
from billing.models import LINES_OF_PLAN, ItemKind
from billing.money import Money
from billing.period_facts import PeriodFacts
from billing.profiles import ProfileFact, UnknownProfile
from billing.promises import compare_spend
from billing.rating import Step, StepKind


def compose_period(facts: PeriodFacts) -> tuple[LineFact, ...]:
    """Prices and add-ons first, then the items in their order, then what the period is short of its commitment.

    Raises what rate_readings raises, and UnknownProfile where nobody pays.
    """
    require_profile(facts)
    return compose_facts(facts)


def compose_facts(facts: PeriodFacts) -> tuple[LineFact, ...]:
    """The same where nobody is known to pay: a preview can be told all the same."""
    priced = rate_readings(facts.terms, facts.readings, facts.details, held=facts.period.held, part=facts.part)
    asked = [*priced, *map(make_item_line, facts.waiting)]
    lines = compose_lines(asked, taxes=facts.taxes, discounts=facts.discounts)
    missing = raise_to_commitment(facts, lines)
    return (*lines, *compose_lines(missing, taxes=facts.taxes, first=len(lines) + 1))


def list_places(facts: PeriodFacts, lines: Iterable[LineFact]) -> list[tuple[int, int]]:
    """Which of these lines bills which item: (item id, position)."""
    first = sum(line.kind in LINES_OF_PLAN for line in lines) + 1
    return [(item.id, position) for position, item in enumerate(facts.waiting, start=first)]


def require_profile(facts: PeriodFacts) -> ProfileFact:
    if facts.profile is None:
        raise UnknownProfile(f"Account {facts.period.subscription.account_id} has no billing profile.")
    return facts.profile


def raise_to_commitment(facts: PeriodFacts, lines: Iterable[LineFact]) -> Iterator[LineFact]:
    """A line over what the period comes to short of what was promised of it."""
    if not facts.terms.commitment_minor:
        return
    found = compare_spend(facts.period, facts.terms, lines, part=facts.part)
    if found.missing_minor:
        yield make_commitment_line(found.missing_minor, facts.terms.currency)


def make_commitment_line(missing_minor: int, currency: str) -> LineFact:
    missing = Money(missing_minor, currency)
    return make_unmetered_line(
        description=gettext("Commitment"),
        quantity=ONE,
        steps=(Step(StepKind.MINIMUM, ONE, missing.amount, missing.amount),),
        amount_exact=missing.amount,
        amount_minor=missing.minor,
        kind=ItemKind.TRUE_UP.value,
    )


def make_item_line(item: ItemFact) -> LineFact:
    """The line that bills an item; compose_lines gives it its place."""
    step = Step(StepKind.UNITS, item.quantity, item.unit_amount, item.amount_exact)
    return make_unmetered_line(
        description=item.description,
        quantity=item.quantity,
        steps=(step,),
        amount_exact=item.amount_exact,
        amount_minor=item.amount_minor,
        kind=item.kind,
        period=(item.period_start, item.period_end) if item.period_start and item.period_end else None,
    )
