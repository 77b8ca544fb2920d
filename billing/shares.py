"""Which part a period is of the whole one that its version would have: less where it was begun or cut within one."""

from datetime import datetime
from fractions import Fraction

from billing.models import Period
from billing.periods import find_period
from billing.plans import PlanTerms
from billing.proration import WHOLE, find_part_of


def read_share(period: Period, terms: PlanTerms, *, zone: str) -> Fraction:
    """The whole where nothing of its terms depends on it. Otherwise as read_part."""
    return read_part(period, terms, zone=zone) if depends_on_part(terms) else WHOLE


def read_part(period: Period, terms: PlanTerms, *, zone: str) -> Fraction:
    """By second or by day, as the version says.

    The period comes with its subscription. One statement where that has begun another cycle since.
    """
    whole_start, whole_end = find_period(period.starts_at, terms.periods.cycle(read_anchor(period)), zone)
    return find_part_of(
        period.starts_at,
        period.ends_at,
        whole_start=whole_start,
        whole_end=whole_end,
        by=terms.periods.proration,
        time_zone=zone,
    )


def depends_on_part(terms: PlanTerms) -> bool:
    """A commitment is prorated, and so are the minimum and the cap of a price."""
    return bool(terms.commitment_minor) or any(price.is_bounded for price in terms.prices)


def read_anchor(period: Period) -> datetime:
    """What its cycle began with: a change to periods of another kind may have moved the subscription's anchor since."""
    anchor = period.subscription.anchor
    if anchor <= period.starts_at:
        return anchor
    begun = Period.objects.filter(
        subscription=period.subscription_id, starts_at__lte=period.starts_at, is_prorated=False
    )
    return begun.latest("starts_at").starts_at
