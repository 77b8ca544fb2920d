"""How far usage is from what the same weekday and hours brought before: robust, so that one odd week teaches nothing.

Deviations are counted in units of 1.4826 × the median absolute deviation, which is the standard deviation where errors
are normal (Hampel 1974; Rousseeuw and Croux 1993). Pure: quantities are exact decimals, times are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

WEEKS = 8  # of the same weekday and hours that are looked at
ENOUGH_WEEKS = 4  # before anything is said
NORMAL = Decimal("1.4826")
LEAST_SPREAD = Decimal("0.15")  # of what is expected: usage that was the same for weeks may still vary by so much
LEAST_SHARE_OF_MEAN = Decimal("0.25")  # of the mean: a quiet hour may become as busy as others are
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Deviation:
    """`actual` beside what was expected; `score` in robust deviations, below zero where there was less."""

    actual: Decimal
    expected: Decimal
    score: Decimal

    @property
    def extra(self) -> Decimal:
        """What there was more than expected; below zero: less."""
        return self.actual - self.expected


def measure_deviation(
    actual: Decimal, weeks: Sequence[Decimal], *, months: Sequence[Decimal] = (), mean: Decimal = ZERO, least: Decimal
) -> Deviation | None:
    """How odd `actual` is beside the same span of the weeks before, the last one first; None with too few of them.

    Expected is a band: from the median of the weeks to last week's value, so that a new level is told in its first week
    alone, and to what came at the same place of the months before, so that a month's end is no surprise when it comes
    again. `months` are the values at that place, the last month first: of two the one that is nearer to the median
    counts, for what happened once is no custom. Within the band the score is zero, outside it is the distance to the
    nearer edge over the spread; less than `least` off is nothing. `mean` is what hours bring on the average, by which
    quiet ones are judged.
    """
    if len(weeks) < ENOUGH_WEEKS:
        return None
    middle = median(weeks)
    if middle == 0 and mean == 0:
        return None  # nothing to be different from
    spread = max(
        NORMAL * median(abs(value - middle) for value in weeks), LEAST_SPREAD * middle, LEAST_SHARE_OF_MEAN * mean
    )
    known = [middle, weeks[0]]
    if months:
        known.append(min(months[:2], key=lambda value: abs(value - middle)))
    low, high = min(known), max(known)
    off = actual - high if actual > high else actual - low if actual < low else ZERO
    if abs(off) < least or spread == 0:
        off = ZERO
    return Deviation(actual, middle, ZERO if off == 0 else (off / spread).quantize(Decimal("0.01")))
