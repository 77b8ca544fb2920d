"""What a period will have used when it ends, at the pace so far. Pure: no database, exact decimals.

The run rate: what was used, times the length of the period, divided by the time that has passed. It knows no weekdays
and no trend. Less than a day counts as a day, so that the first hour of a month is not taken seven hundred times.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import cycle, islice

from billing.money import EXACT, round_minor
from billing.rating.digits import trim

LEAST_ELAPSED = timedelta(days=1)
NOT_GROWING = Fraction(1)


def find_growth(start: datetime, end: datetime, *, at: datetime) -> Fraction:
    """What to multiply usage of [start, end) by that was read at `at`: 1 once the period is over, never less."""
    length = end - start
    elapsed = max(at - start, LEAST_ELAPSED)
    if elapsed >= length:
        return NOT_GROWING
    moment = timedelta(microseconds=1)
    return Fraction(length // moment, elapsed // moment)


def project_quantity(used: Decimal, growth: Fraction) -> Decimal:
    """To as many decimals as were used, half away from zero: what was counted in ones stays whole."""
    places = max(0, -int(trim(used).as_tuple().exponent))
    return Decimal(round_minor(Fraction(used) * growth * 10**places)).scaleb(-places, EXACT)


def project_count(used: int, growth: Fraction) -> int:
    return round_minor(used * growth)


def project_values(values: Sequence[Decimal], growth: Fraction) -> tuple[Decimal, ...]:
    """As many more as the pace makes of them, alike: those so far come again in their order."""
    return tuple(islice(cycle(values), project_count(len(values), growth)))
