from datetime import timedelta

import pytest

from metering.calendars import DAY, HOUR
from metering.forecast import read_forecasts, record_forecast, thinning
from metering.forecast.thinning import thin_forecasts
from metering.models import Forecast, Limit
from tests.metering.forecast.makers import AT, DECEMBER, expect, make_limit

pytestmark = pytest.mark.django_db

LATER = DECEMBER + 91 * DAY


@pytest.fixture
def limit() -> Limit:
    """Three forecasts of one day and one of the next, all graded."""
    limit = make_limit()
    for moment in (AT, AT + HOUR, AT + 2 * HOUR, AT + DAY):
        record_forecast(limit.pk, expect(), at=moment)
    grade()
    return limit


def grade() -> None:
    Forecast.objects.update(graded_at=DECEMBER, closing_total=1)
    Limit.objects.update(graded_at=DECEMBER)


def test_of_what_was_graded_long_ago_the_last_of_each_day_is_kept(limit):
    assert thin_forecasts(days=90, at=LATER) == 2
    assert [fact.made_at for fact in read_forecasts(limit.pk)] == [AT + DAY, AT + 2 * HOUR]
    assert thin_forecasts(days=90, at=LATER) == 0


@pytest.mark.parametrize("at", [DECEMBER + 90 * DAY, DECEMBER + 121 * DAY])
def test_what_ended_shortly_before_or_was_looked_at_long_ago_is_left(limit, at):
    assert thin_forecasts(days=90, at=at) == 0


def test_what_is_not_graded_is_kept(limit):
    Forecast.objects.update(graded_at=None, closing_total=None)
    assert thin_forecasts(days=90, at=LATER) == 0


def test_epochs_are_thinned_apart(limit):
    Forecast.objects.filter(made_at=AT).update(epoch=2)
    assert thin_forecasts(days=90, at=LATER) == 1


def test_much_is_dropped_in_steps(limit, monkeypatch):
    monkeypatch.setattr(thinning, "AT_ONCE", 1)
    assert thin_forecasts(days=90, at=LATER + timedelta(hours=1)) == 2
