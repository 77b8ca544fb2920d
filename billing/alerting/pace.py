"""How far a commitment should have come by now, if it were used evenly. Pure. No Django here."""

from datetime import datetime, timedelta
from fractions import Fraction

from billing.money import round_minor
from billing.proration import MICROSECOND

QUIET_PART = Fraction(1, 5)  # of the period: before that one busy day says too much
QUIET_TIME = timedelta(days=7)  # likewise, in periods of more than twice so long


def find_expected(promised_minor: int, *, start: datetime, end: datetime, at: datetime) -> int | None:
    """Of what was promised for [start, end) the part that is as large as the time that has passed, in smallest units.

    None while it is too early to say: in the first fifth, and in the first seven days of more than a fortnight; and
    where nothing was promised.
    """
    length = end - start
    part = Fraction((at - start) // MICROSECOND, length // MICROSECOND)
    if promised_minor <= 0 or part < QUIET_PART or (length > 2 * QUIET_TIME and at - start < QUIET_TIME):
        return None
    return round_minor(promised_minor * min(part, Fraction(1)))
