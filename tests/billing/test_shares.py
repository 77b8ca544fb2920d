from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from billing import plans, switching
from billing.models import Period
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms
from billing.proration import Proration
from billing.rating import flat_fee
from billing.shares import read_share
from tests.billing.makers import make_plan, make_subscription

pytestmark = pytest.mark.django_db


def promise(slug, periods):
    return make_plan(slug, prices=[flat_fee("Fee", Decimal(1))], commitment_minor=1, periods=periods)


def feb(day, hour=0):
    return datetime(2026, 2, day, hour, tzinfo=UTC)


def list_shares(zone="UTC"):
    periods = Period.objects.order_by("starts_at").select_related("subscription")
    return [read_share(period, plans.read_version(period.version_id), zone=zone) for period in periods]


@pytest.mark.parametrize(
    ("by", "shares"),
    [
        (Proration.SECOND, [Fraction(14 * 24 + 18, 28 * 24), Fraction(13 * 24 + 6, 28 * 24)]),
        (Proration.DAY, [Fraction(14, 28), Fraction(14, 28)]),
    ],
)
def test_the_parts_of_a_period_are_the_whole_of_it(by, shares):
    terms = PeriodTerms(proration=by)
    subscription = make_subscription(plan=promise("one", terms), started_at=feb(1))
    promise("two", terms)
    switching.change_plan(subscription.id, "two", at=feb(15, 18))
    assert list_shares() == shares
    assert sum(shares) == 1


def test_a_part_is_one_of_the_periods_it_was_cut_from_also_where_others_follow():
    """From the 10th to the 20th of a month from the 10th on, which has 28 days; the year begins with the change."""
    monthly = PeriodTerms(anchoring=Anchoring.ANNIVERSARY)
    yearly = PeriodTerms(Interval.YEAR, Anchoring.ANNIVERSARY)
    subscription = make_subscription(plan=promise("one", monthly), started_at=feb(10))
    promise("two", yearly)
    switching.change_plan(subscription.id, "two", at=feb(20))
    assert list_shares() == [Fraction(10, 28), 1]


def test_nothing_is_looked_up_where_no_term_depends_on_it(django_assert_num_queries):
    make_subscription(plan=make_plan(), started_at=feb(15))
    period = Period.objects.select_related("subscription").get()
    terms = plans.read_version(period.version_id)
    with django_assert_num_queries(0):
        assert read_share(period, terms, zone="UTC") == 1
