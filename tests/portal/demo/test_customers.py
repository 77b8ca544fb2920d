"""The demo's facts must come out on any day, also when the log spans the end of a month."""

from datetime import UTC, datetime

import pytest

from billing.plans import list_plans
from portal.demo.catalogue import fit_plan, seed_catalogue
from portal.demo.customers import Cast, create_customers
from portal.demo.log import LOG, find_shift, read_requests
from portal.demo.story import LEVELS, Story
from portal.invariants import find_violations

MIDDLE_OF_A_MONTH = datetime(2026, 11, 22, 12, tzinfo=UTC)
JUST_AFTER_NEW_YEAR = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)
SECOND_DAY = datetime(2026, 12, 2, 18, tzinfo=UTC)


@pytest.mark.django_db
def test_a_client_gets_the_smallest_plan_that_nearly_holds_it():
    plans = seed_catalogue(at=MIDDLE_OF_A_MONTH)
    fitting = {count: fit_plan(plans, count).slug for count in (1, 16, 17, 44, 45, 111, 112, 277, 278, 444, 445, 5000)}
    assert fitting == {
        1: "free", 16: "free", 17: "starter", 44: "starter", 45: "team", 111: "team", 112: "business",
        277: "business", 278: "scale", 444: "scale", 445: "enterprise", 5000: "enterprise",
    }  # fmt: skip


@pytest.mark.django_db
def test_seeding_twice_changes_nothing():
    first = seed_catalogue(at=MIDDLE_OF_A_MONTH)
    assert seed_catalogue(at=SECOND_DAY) == first


@pytest.mark.parametrize(
    ("now", "month_before"),
    [
        (MIDDLE_OF_A_MONTH, datetime(2026, 10, 1, tzinfo=UTC)),
        (SECOND_DAY, datetime(2026, 10, 1, tzinfo=UTC)),
        (JUST_AFTER_NEW_YEAR, datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_the_month_before_is_that_before_the_log_begins(now, month_before):
    requests = read_requests()
    assert Cast(requests, find_shift(requests, end=now)).month_before[0] == month_before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("now", [SECOND_DAY, JUST_AFTER_NEW_YEAR])
def test_each_account_passes_the_levels_it_should(now):
    story = Story(at=now)
    seed_catalogue(at=now)
    assert create_customers(story.cast, at=now) == 1_753
    story.import_file(LOG, end=now)
    levels = story.expect_levels()
    assert {80, 100} < set(levels.values()) <= set(LEVELS)
    assert 50 < len(levels) < 300
    assert story.read_levels() == levels
    assert list(find_violations()) == []


@pytest.mark.django_db
def test_customers_are_created_once():
    requests = read_requests()
    cast = Cast(requests, find_shift(requests, end=MIDDLE_OF_A_MONTH))
    seed_catalogue(at=MIDDLE_OF_A_MONTH)
    assert create_customers(cast, at=MIDDLE_OF_A_MONTH) == 1_753
    assert create_customers(cast, at=MIDDLE_OF_A_MONTH) == 0
    assert len(list_plans(at=MIDDLE_OF_A_MONTH)) == 6
