"""How far a commitment should have come by now, if it were used evenly. Pure. No Django here."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from billing.money import EXACT, round_minor
from billing.proration import MICROSECOND

QUIET_PART = Fraction(1, 5)  # of the period: before that one busy day says too much
QUIET_TIME = timedelta(days=7)  # likewise, in periods of more than twice so long
PLACES = 12  # as many as an alert keeps


def find_expected(promised: Decimal, *, start: datetime, end: datetime, at: datetime) -> Decimal | None:
    """Of what was promised for [start, end) the part that is as large as the time that has passed, to twelve decimals.

    None while it is too early to say: in the first fifth, and in the first seven days of more than a fortnight; and
    where nothing was promised.
    """
    length = end - start
    part = Fraction((at - start) // MICROSECOND, length // MICROSECOND)
    if promised <= 0 or part < QUIET_PART or (length > 2 * QUIET_TIME and at - start < QUIET_TIME):
        return None
    exact = Fraction(promised) * min(part, Fraction(1))
    return Decimal(round_minor(exact * 10**PLACES)).scaleb(-PLACES, EXACT)
