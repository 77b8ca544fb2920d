"""What the customer would pay on each plan, from their own usage."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.periods import Interval
from billing.plans import PeriodTerms, create_plan
from billing.rating import flat_fee, per_unit
from portal.models import Role
from tests.portal import makers
from tests.portal.makers import read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

PAGE = "/a/acme/plans/"


def make_larger_plan(slug="scale", *, rank=2, fee="60", periods=None):
    """A higher fee and no price of requests."""
    terms = {"periods": periods} if periods else {}
    create_plan(
        slug=slug,
        name=slug.title(),
        rank=rank,
        currency="EUR",
        prices=[flat_fee("Base fee", Decimal(fee)), per_unit("Requests", meter_key="requests", unit_amount=Decimal(0))],
        at=makers.SEPTEMBER,
        **terms,
    )


def test_each_plan_is_priced_by_the_accounts_own_usage_now_and_before(account, owner):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.use(account, 300, time=datetime(2026, 9, 15, tzinfo=UTC))
    makers.issue_invoices(account, at=datetime(2026, 10, 1, 1, tzinfo=UTC))
    makers.open_periods(datetime(2026, 10, 2, tzinfo=UTC), makers.NOV_10)
    makers.use(account, 400)
    make_larger_plan()
    text = squeeze(read(owner, PAGE))
    # 49.00 and 300 of 400 requests; at the pace of 9.5 of 30 days 1,263, less the hundred that are included.
    assert "Growth Your plan" in text
    assert "€55.00 €72.26 €53.00 €49.00" in text
    assert "€60.00 €60.00 €12.26 less than today €60.00 €60.00" in text
    assert text.index("Scale") < text.index("Lowest at your pace")
    assert "September 2026 October 2026" in text


def test_a_plan_with_other_periods_is_not_called_lowest(account, owner):
    makers.subscribe(account)
    make_larger_plan("yearly", fee="1", periods=PeriodTerms(Interval.YEAR))
    text = squeeze(read(owner, PAGE))
    assert "Yearly Periods of another length" in text
    assert "Growth Your plan Lowest at your pace" in text
    assert "None of your periods is over yet" in text


def test_what_a_plan_asks_is_told_in_words(account, owner):
    makers.subscribe(account)
    make_larger_plan()
    text = squeeze(read(owner, PAGE))
    assert "€49.00 per period" in text
    assert "Limit on Requests 500 requests a period" in text


def test_without_a_plan_the_page_says_so(account, owner):
    assert "No plan yet" in squeeze(read(owner, PAGE))


def test_with_one_plan_alone_there_is_nothing_to_compare(account, owner):
    makers.subscribe(account)
    assert "Growth is the only plan on offer in your currency." in squeeze(read(owner, PAGE))


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
def test_costs_are_for_owners_and_billing(account, role):
    makers.subscribe(account)
    [client] = makers.log_in(makers.make_member(account, role))
    assert client.get(PAGE).status_code == 403
    assert PAGE not in client.get("/a/acme/").content.decode()


def test_the_page_is_reached_from_the_cost_and_from_every_page(account, owner):
    makers.subscribe(account)
    page = read(owner)
    assert page.count(f'href="{PAGE}"') == 2
    assert "What you would pay on other plans" in page


@pytest.mark.parametrize("plan_count", [2, 5])
def test_more_plans_cost_no_more_statements(account, owner, django_assert_max_num_queries, plan_count):
    makers.subscribe(account)
    for number in range(plan_count):
        make_larger_plan(f"scale-{number}", rank=number + 2)
    with django_assert_max_num_queries(40):
        read(owner, PAGE)
