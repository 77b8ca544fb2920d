"""The band of a forecast: between which edges usage is expected to run until the window closes. No database."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from metering.numbers import PLACES, round_number

MICROSECOND = timedelta(microseconds=1)

Goal = tuple[Decimal, datetime | None]  # the total at close, and when the limit is reached if it is
Edge = list[tuple[datetime, Decimal]]


class BandPoint(NamedTuple):
    """What is expected to be used by a moment, in the meter's unit: `low` to `high` holds in 80 of 100 cases."""

    at: datetime
    low: Decimal
    mid: Decimal
    high: Decimal


def draw_band(
    *, start: datetime, end: datetime, used: Decimal, quantity: Decimal | None, low: Goal, mid: Goal, high: Goal
) -> tuple[BandPoint, ...]:
    """From what was `used` at `start` to the totals at `end`, by way of the dates on which the limit is reached.

    Each edge is a line with one bend, where it meets the limit: the upper on the earliest date, the lower on the
    latest. A forecast that was made when its window was over has no band.
    """
    if start >= end:
        return ()
    edges = [bend_edge(goal, start=start, end=end, used=used, quantity=quantity) for goal in (low, mid, high)]
    moments = sorted({moment for edge in edges for moment, _ in edge})
    return tuple(order_point(moment, *(read_edge(edge, moment) for edge in edges)) for moment in moments)


def bend_edge(goal: Goal, *, start: datetime, end: datetime, used: Decimal, quantity: Decimal | None) -> Edge:
    total, hit = goal
    edge = [(start, used), (end, total)]
    if quantity is not None and hit is not None and start < hit < end and used < quantity <= total:
        edge.insert(1, (hit, quantity))
    return edge


def read_edge(edge: Edge, moment: datetime) -> Decimal:
    """Along the straight line between two bends."""
    for (start, first), (end, last) in pairwise(edge):
        if moment == start:
            return first
        if moment < end:
            share = Fraction((moment - start) // MICROSECOND, (end - start) // MICROSECOND)
            return round_number(Fraction(first) + (Fraction(last) - Fraction(first)) * share, PLACES)
    return edge[-1][1]


def order_point(moment: datetime, low: Decimal, mid: Decimal, high: Decimal) -> BandPoint:
    """Edges with different bends may cross a little; the middle holds."""
    return BandPoint(moment, min(low, mid), mid, max(mid, high))
