import logging
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from threading import Barrier

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering import alerts
from metering.calendars import DAY, HOUR
from metering.forecast import forecast_moved_limits, read_forecasts, read_latest_forecasts, running
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.models import Alert, Forecast, Limit
from tests.metering.forecast.makers import AT, DECEMBER, NOVEMBER, make_limit
from tests.metering.makers import make_events, make_meter
from tests.metering.threads import open_threads

pytestmark = pytest.mark.django_db

HALF_PAST = AT + HOUR / 2


@pytest.fixture(autouse=True)
def observed(monkeypatch):
    """The limits whose forecasts were observed, in the order of the calls."""
    calls: list[list[int]] = []
    monkeypatch.setattr(alerts, "observe_forecasts", lambda ids, *, at: calls.append(list(ids)))
    return calls


def use(count: int, *, at: datetime = AT, first: int = 1, subject: str = "acme") -> None:
    make_events(count, time=at, first=first, subject=subject, source=subject)


def make_limits(count: int) -> list[Limit]:
    meter = make_meter(at=NOVEMBER)
    return [make_limit(f"account-{number}", meter_id=meter.id) for number in range(count)]


def test_a_limit_that_moved_gets_a_forecast_of_the_hour(observed):
    limit = make_limit()
    use(3, at=AT - DAY)
    assert forecast_moved_limits(at=HALF_PAST) == 1
    [fact] = read_forecasts(limit.pk)
    assert (fact.made_at, fact.used, fact.quantity, fact.is_learning, fact.days_of_data) == (AT, 3, 1000, True, 1)
    assert observed == [[limit.pk]]


def test_a_second_run_in_the_same_hour_makes_none(observed):
    limit = make_limit()
    assert forecast_moved_limits(at=AT) == 1
    use(2)
    assert forecast_moved_limits(at=AT + HOUR - timedelta(seconds=1)) == 0
    assert forecast_moved_limits(at=AT + HOUR) == 1
    assert [fact.made_at for fact in read_forecasts(limit.pk)] == [AT + HOUR, AT]
    assert observed == [[limit.pk], [limit.pk]]


def test_what_stands_still_is_left_alone():
    make_limit()
    assert [forecast_moved_limits(at=AT + hours * HOUR) for hours in (0, 1, 30)] == [1, 0, 0]


def test_a_changed_limit_need_not_wait_for_the_next_hour():
    limit = make_limit()
    forecast_moved_limits(at=AT)
    terms = LimitTerms(meter_id=limit.meter_id, quantity=Decimal(2000), is_hard=False)
    hand_over_limits(account_ids=[limit.account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=AT)
    assert forecast_moved_limits(at=HALF_PAST) == 1
    assert [(fact.epoch, fact.quantity) for fact in read_forecasts(limit.pk)] == [(2, 2000), (1, 1000)]


def test_windows_that_have_ended_or_not_begun_get_none():
    limit = make_limit()
    assert forecast_moved_limits(at=NOVEMBER - HOUR) == 0
    assert forecast_moved_limits(at=DECEMBER) == 0
    limit.refresh_from_db()
    assert not limit.needs_forecast


def test_a_closed_window_gets_none():
    limit = make_limit()
    close_window(account_id=limit.account_id, start=NOVEMBER, end=DECEMBER, at=AT)
    assert forecast_moved_limits(at=AT) == 0


def test_an_unlimited_meter_gets_totals():
    limit = make_limit(quantity=None)
    forecast_moved_limits(at=AT)
    assert read_latest_forecasts([limit.pk])[limit.pk].p_hit is None


def raise_alert(limit: Limit, **columns) -> None:
    Alert.objects.create(
        account_id=limit.account_id, meter_id=limit.meter_id, limit=limit, starts_at=NOVEMBER, ends_at=DECEMBER,
        epoch=1, level=80, used=800, quantity=1000, crossed_at=AT, detected_at=AT, **columns,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "made"),
    [
        ({}, 1),
        ({"resolved_at": AT, "recovery": "fell"}, 0),
        ({"state": "superseded"}, 0),
    ],
)
def test_a_limit_that_stands_still_is_looked_at_daily_while_its_alert_stands(columns, made):
    limit = make_limit()
    forecast_moved_limits(at=HALF_PAST)
    raise_alert(limit, **columns)
    assert forecast_moved_limits(at=AT + DAY - timedelta(seconds=1)) == 0
    assert forecast_moved_limits(at=AT + DAY) == made
    assert forecast_moved_limits(at=AT + DAY + HOUR) == 0


def test_what_moves_while_it_is_forecast_is_due_again(monkeypatch):
    limit = make_limit()
    expect = running.expect_all
    monkeypatch.setattr(running, "expect_all", lambda *args, **options: (expect(*args, **options), use(1))[0])
    forecast_moved_limits(at=AT)
    limit.refresh_from_db()
    assert (limit.used, limit.needs_forecast) == (1, True)


def test_a_limit_that_fails_does_not_stop_the_others(monkeypatch, caplog):
    bad, good = make_limits(2)
    expect = running.expect_one

    def fail(state, *args, **options):
        if state.limit_id == bad.pk:
            raise ZeroDivisionError
        return expect(state, *args, **options)

    monkeypatch.setattr(running, "expect_one", fail)
    with caplog.at_level(logging.ERROR, logger="metering.forecast.running"):
        assert forecast_moved_limits(at=AT) == 1
    assert f"limit {bad.pk} could not be forecast" in caplog.text
    assert [row.limit_id for row in Forecast.objects.all()] == [good.pk]
    monkeypatch.undo()
    monkeypatch.setattr(alerts, "observe_forecasts", lambda ids, *, at: None)
    assert [forecast_moved_limits(at=AT), forecast_moved_limits(at=AT + HOUR)] == [0, 1]  # not before the next hour


def test_a_past_that_cannot_be_read_costs_its_own_limit_alone(monkeypatch, caplog):
    bad, good = make_limits(2)
    read = running.read_histories

    def fail(asked):
        if bad.pk in asked:
            with connection.cursor() as cursor, running.transaction.atomic():
                cursor.execute("SELECT 1 / 0")
        return read(asked)

    monkeypatch.setattr(running, "read_histories", fail)
    assert forecast_moved_limits(at=AT) == 1
    assert f"the past of limit {bad.pk} could not be read" in caplog.text
    assert Forecast.objects.get().limit_id == good.pk


def test_batches_follow_each_other_to_the_end(observed):
    limits = make_limits(5)
    assert forecast_moved_limits(at=AT, batch=2) == 5
    assert [len(call) for call in observed] == [2, 2, 1]
    assert sorted(chain(*observed)) == [limit.pk for limit in limits]


def test_forecasts_and_their_alarms_are_on_record_together_or_not_at_all(monkeypatch):
    make_limit()

    def fail(ids, *, at):
        raise RuntimeError

    monkeypatch.setattr(alerts, "observe_forecasts", fail)
    with pytest.raises(RuntimeError):
        forecast_moved_limits(at=AT)
    assert not Forecast.objects.exists()
    assert Limit.objects.get().needs_forecast


@pytest.mark.parametrize("count", [1, 12])
def test_a_batch_costs_a_number_of_statements_that_limits_do_not_add_to(count):
    make_limits(count)
    use(1, subject="account-0")
    with CaptureQueriesContext(connection) as captured:
        assert forecast_moved_limits(at=AT) == count
    ends = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    statements = [each["sql"] for each in captured if not each["sql"].startswith(ends)]
    assert len(statements) == 16, statements


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_make_one_forecast_each(observed):
    limits = make_limits(6)
    with open_threads(2) as threads:
        made = threads.run_all(*[partial(forecast_moved_limits, at=AT, batch=2)] * 2)
    assert sum(made) == 6
    assert sorted(chain(*observed)) == [limit.pk for limit in limits]
    assert sorted(Forecast.objects.values_list("limit_id", flat=True)) == [limit.pk for limit in limits]


@pytest.mark.django_db(transaction=True)
def test_without_the_claim_both_work_and_the_record_keeps_one(monkeypatch, observed):
    """The control: the claim spares the second the work, the record refuses what was worked out twice."""
    limits = make_limits(3)
    unclaimed = running.CLAIM.replace("FOR UPDATE SKIP LOCKED", "").replace("OR forecast_at <", "OR forecast_at <=")
    monkeypatch.setattr(running, "CLAIM", unclaimed)
    both, expect, worked = Barrier(2), running.expect_all, []

    def expect_together(states, *args, **options):
        both.wait(timeout=20)
        worked.extend(state.limit_id for state in states)
        return expect(states, *args, **options)

    monkeypatch.setattr(running, "expect_all", expect_together)
    with open_threads(2) as threads:
        made = threads.run_all(*[partial(forecast_moved_limits, at=AT)] * 2)
    assert (len(worked), sorted(made)) == (6, [0, 3])
    assert sorted(chain(*observed)) == [limit.pk for limit in limits]
    assert Forecast.objects.count() == 3
