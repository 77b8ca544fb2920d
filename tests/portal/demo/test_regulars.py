from datetime import UTC, datetime

import pytest

from metering.models import Alert, Forecast, Limit
from portal.demo.catalogue import seed_catalogue
from portal.demo.regulars import REGULARS, count_reached, list_months, live_through

AT = datetime(2026, 11, 3, 15, 30, tzinfo=UTC)


def test_their_past_is_the_two_months_before():
    assert list_months(AT) == [
        (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)),
        (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
    ]


@pytest.mark.parametrize("month", range(1, 13))
def test_in_every_season_some_come_to_their_limit_and_some_do_not(month):
    assert 3 <= count_reached(AT.replace(month=month)) <= 5


@pytest.mark.django_db
def test_they_live_through_it_once():
    seed_catalogue(at=AT)
    assert live_through(at=AT) == 30 + 31 + 2
    assert Limit.objects.values("account").distinct().count() == len(REGULARS)
    reached = Alert.objects.filter(kind="usage", level=100, ends_at__lte=AT, meter__key="requests")
    assert reached.count() == count_reached(AT)
    assert set(reached.values_list("state", "cause")) == {("told", "usage")}
    told = Alert.objects.filter(kind="forecast", state="told")
    assert min(alert.detected_at for alert in told) < datetime(2026, 10, 25, tzinfo=UTC)
    assert Forecast.objects.exists()
    before = (Alert.objects.count(), Forecast.objects.count())
    assert live_through(at=AT) == 0
    assert (Alert.objects.count(), Forecast.objects.count()) == before
