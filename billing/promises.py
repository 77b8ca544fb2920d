"""What a period was promised to come to, and what it comes to so far: before taxes, and with discounts taken off."""

from collections.abc import Iterable
from fractions import Fraction

from billing.commitments import TrueUp, true_up
from billing.lines import LineFact
from billing.models import LINES_OF_PLAN, ItemKind, Period
from billing.plans import PlanTerms


def compare_spend(period: Period, terms: PlanTerms, lines: Iterable[LineFact], *, part: Fraction) -> TrueUp:
    """The commitment of a period that is that part of a whole one, and what is missing to it."""
    return true_up(terms.commitment_minor, add_spend(period, lines), part=part)


def add_spend(period: Period, lines: Iterable[LineFact]) -> int:
    """What the plan asks for the period: its prices and add-ons, and what a change within it made of their fees.

    Other items are no part of it: one-off charges, and what was used in other periods.
    """
    return sum(line.amount_minor - line.discount_minor for line in lines if is_spend(period, line))


def is_spend(period: Period, line: LineFact) -> bool:
    if line.kind != ItemKind.PRORATION:
        return line.kind in LINES_OF_PLAN
    if line.period is None:
        return False
    start, end = line.period
    return period.starts_at <= start and end <= period.ends_at
