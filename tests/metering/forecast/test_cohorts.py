from datetime import timedelta
from decimal import Decimal

import pytest

from metering.calendars import DAY, HOUR
from metering.forecast import forecast_moved_limits, read_latest_forecasts
from metering.forecast.cohorts import CohortKey, Cohorts
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Limit
from tests.metering.forecast.makers import AT, DECEMBER, NOVEMBER, make_limit
from tests.metering.makers import make_account, make_events, make_meter

pytestmark = pytest.mark.django_db

OCTOBER = NOVEMBER - 31 * DAY


def fill_window(key: str, meter_id: int, *, plan: str = "pro", counts=(2, 2)) -> int:
    """An account with a window of October: so many events on its second and on its last day."""
    account = make_account(key, at=OCTOBER)
    terms = LimitTerms(meter_id=meter_id, quantity=Decimal(10), is_hard=False)
    hand_over_limits(account_ids=[account.id], terms=[terms], start=OCTOBER, end=NOVEMBER, at=OCTOBER)
    Limit.objects.filter(account=account.id).update(plan=plan)
    for count, at in zip(counts, (OCTOBER + DAY, NOVEMBER - HOUR), strict=True):
        make_events(count, time=at, subject=key, source=f"{key}-{at.day}")
    return account.id


@pytest.fixture
def calls() -> int:
    return make_meter(at=OCTOBER).id


def test_a_cohort_is_the_windows_that_accounts_of_the_plan_have_filled(calls):
    fill_window("umbra", calls)
    fill_window("delta", calls, plan="free")
    cohorts = Cohorts(AT)
    cohorts.learn_of([CohortKey("pro", calls)])
    [profile] = cohorts.find(CohortKey("pro", calls))
    assert len(profile.running) == 31 * 24
    assert (profile.running[23], profile.running[24], profile.running[-2], profile.running[-1]) == (0, 2, 2, 4)
    assert cohorts.find(CohortKey("free", calls)) == ()


def test_who_has_no_plan_has_no_cohort(calls, django_assert_num_queries):
    fill_window("umbra", calls, plan="")
    cohorts = Cohorts(AT)
    with django_assert_num_queries(0):
        cohorts.learn_of([CohortKey("", calls)])
    assert cohorts.find(CohortKey("", calls)) == ()


def test_a_window_that_still_runs_teaches_nobody(calls):
    fill_window("umbra", calls)
    cohorts = Cohorts(NOVEMBER - timedelta(seconds=1))
    cohorts.learn_of([CohortKey("pro", calls)])
    assert cohorts.find(CohortKey("pro", calls)) == []


def test_each_account_teaches_with_its_latest_window(calls):
    account_id = fill_window("umbra", calls)
    terms = LimitTerms(meter_id=calls, quantity=Decimal(10), is_hard=False)
    hand_over_limits(account_ids=[account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=NOVEMBER)
    Limit.objects.update(plan="pro")
    make_events(7, time=NOVEMBER, subject="umbra", source="later")
    cohorts = Cohorts(DECEMBER)
    cohorts.learn_of([CohortKey("pro", calls)])
    assert [profile.running[-1] for profile in cohorts.find(CohortKey("pro", calls))] == [7]


def test_a_run_reads_each_cohort_once(calls, django_assert_num_queries):
    fill_window("umbra", calls)
    cohorts = Cohorts(AT)
    with django_assert_num_queries(2):
        cohorts.learn_of([CohortKey("pro", calls), CohortKey("free", calls)])
        cohorts.learn_of([CohortKey("pro", calls)])


def test_a_new_account_is_forecast_by_its_plan(calls):
    for key in ("umbra", "delta"):
        fill_window(key, calls, counts=(1, 9))
    limit = make_limit(meter_id=calls, plan="pro", quantity=None)
    make_events(3, time=AT - DAY)
    forecast_moved_limits(at=AT)
    fact = read_latest_forecasts([limit.pk])[limit.pk]
    assert (fact.is_learning, fact.days_to_learn, fact.reason) == (True, 6, "learning")
    assert fact.total_mid > 3 * fact.used  # most comes at the end, as it did with the others
