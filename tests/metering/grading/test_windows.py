import threading
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import transaction
from django.db.utils import IntegrityError

from metering.grading import grade_windows, windows
from metering.grading.windows import grade_batch
from metering.limits import LimitTerms, close_window, end_windows, hand_over_limits
from metering.models import Alert, Forecast, Limit
from metering.tasks import grade_windows as task
from tests.metering.grading.makers import (
    AFTER,
    DECEMBER,
    MADE,
    close,
    day,
    make_alert,
    make_forecast,
    make_level,
    make_window,
    use,
)
from tests.metering.makers import make_meter
from tests.metering.threads import open_threads

pytestmark = pytest.mark.django_db


def grade(limit: Limit) -> tuple[bool | None, object]:
    close(limit)
    grade_windows(at=AFTER)
    limit.refresh_from_db()
    return limit.was_reached, limit.reached_at


def test_a_window_that_reached_its_limit_says_in_which_hour():
    limit = make_window()
    use(limit, 90, at=day(5))
    use(limit, 10, at=day(20, 14.5))
    assert grade(limit) == (True, day(20, 14))
    assert limit.graded_at == AFTER


def test_a_window_that_stayed_below_says_so():
    limit = make_window()
    use(limit, 99, at=day(5))
    assert grade(limit) == (False, None)


def test_an_unlimited_window_is_graded_by_nothing():
    limit = make_window(quantity=None)
    use(limit, 3, at=day(5))
    assert grade(limit) == (None, None)
    assert limit.graded_at == AFTER


@pytest.mark.parametrize(("events", "expected"), [(0, (False, None)), (1, (True, day(3)))])
def test_a_limit_of_zero_is_reached_by_the_first_use(events, expected):
    limit = make_window(quantity="0")
    if events:
        use(limit, events, at=day(3, 10.2))
    assert grade(limit) == expected


def test_a_level_that_fell_again_had_reached_the_limit_at_the_event():
    limit = make_window(meter_id=make_level())
    use(limit, 1, at=day(4, 10.25), amount=100)
    use(limit, 1, at=day(6), amount=20)
    assert grade(limit) == (True, day(4, 10.25))


def test_a_level_that_never_came_there_is_not_taken_for_the_first_hour_of_its_window():
    limit = make_window(meter_id=make_level())
    use(limit, 1, at=day(4), amount=99)
    assert grade(limit) == (False, None)


def test_a_total_that_sank_again_had_reached_the_limit():
    meter = make_meter("credits", event_type="credits", value="amount")
    limit = make_window("acme", "credits", meter_id=meter.id)
    use(limit, 1, at=day(4), amount=120)
    use(limit, 1, at=day(6), amount=-50)
    assert grade(limit) == (True, day(4))


def test_usage_that_came_after_the_window_was_closed_reaches_nothing():
    limit = make_window()
    use(limit, 99, at=day(5))
    close(limit)
    use(limit, 5, at=day(20))
    forecast = make_forecast(limit, at=day(2))
    grade_windows(at=AFTER)
    limit.refresh_from_db()
    forecast.refresh_from_db()
    assert (limit.used, limit.was_reached) == (104, False)
    assert (forecast.was_reached, forecast.closing_total) == (False, 99)


def test_late_usage_does_not_grade_again():
    limit = make_window()
    use(limit, 99, at=day(5))
    alert = make_alert(limit, at=day(5))
    grade(limit)
    use(limit, 5, at=day(20))
    assert grade_windows(at=AFTER + timedelta(days=30)) == 0
    alert.refresh_from_db()
    assert (alert.outcome, alert.graded_at) == ("not_reached", AFTER)


def test_a_window_nobody_closed_is_graded_some_days_after_its_end():
    limit = make_window()
    use(limit, 100, at=day(5))
    due = DECEMBER + timedelta(days=settings.ALERT_GRADING_DAYS)
    assert grade_windows(at=due - timedelta(seconds=1)) == 0
    assert grade_windows(at=due) == 1
    limit.refresh_from_db()
    assert (limit.was_reached, limit.reached_at) == (True, day(5))


def test_a_window_that_runs_is_not_graded():
    make_window()
    assert grade_windows(at=day(29)) == 0


def test_alerts_of_usage_and_forecast_are_graded_and_all_others_only_closed():
    limit = make_window()
    use(limit, 100, at=day(20))
    make_alert(limit, at=day(9))
    make_alert(limit, at=day(8), kind="forecast", level=Decimal(100), p_hit="0.9")
    make_alert(limit, at=day(7), kind="anomaly", unit="absolute", rule=None, quantity=None)
    make_alert(limit, at=day(7), kind="usage", unit="absolute", rule=None, level=Decimal(50), quantity=None)
    grade(limit)
    assert set(Alert.objects.filter(arming=MADE).values_list("kind", "unit", "outcome", "reached_at", "graded_at")) == {
        ("usage", "percent", "reached", day(20), AFTER),
        ("usage", "absolute", "reached", day(20), AFTER),
        ("forecast", "percent", "reached", day(20), AFTER),
        ("anomaly", "absolute", "not_graded", None, AFTER),
    }


def test_an_alert_is_graded_by_the_limit_that_it_saw():
    limit = make_window(quantity="300")
    use(limit, 100, at=day(10))
    use(limit, 50, at=day(20))
    told = make_alert(limit, at=day(9), quantity=Decimal(100))
    late = make_alert(limit, at=day(21), epoch=2)
    grade(limit)
    for alert in (told, late):
        alert.refresh_from_db()
    assert (told.outcome, told.reached_at) == ("reached", day(10))
    assert (late.outcome, late.reached_at) == ("not_reached", None)
    assert limit.was_reached is False


def test_an_alert_of_an_unlimited_window_has_nothing_to_grade():
    limit = make_window(quantity=None)
    alert = make_alert(limit, at=day(9), unit="absolute", rule=None, quantity=None)
    grade(limit)
    alert.refresh_from_db()
    assert alert.outcome == "not_graded"


def cut(limit: Limit, *, at: datetime, goes_on: bool = True) -> Limit:
    """As an upgrade does; the new plan allows 300."""
    with transaction.atomic():
        end_windows(account_id=limit.account_id, meter_ids=[limit.meter_id], at=at)
        if goes_on:
            terms = [LimitTerms(limit.meter_id, Decimal(300), is_hard=False)]
            hand_over_limits(account_ids=[limit.account_id], terms=terms, start=at, end=DECEMBER, at=at)
    limit.refresh_from_db()
    return limit


@pytest.mark.parametrize("is_level", [False, True])
def test_what_was_said_of_a_window_that_an_upgrade_cut_is_graded_by_the_whole(is_level):
    limit = make_window(meter_id=make_level() if is_level else None)
    use(limit, 1 if is_level else 90, at=day(5), amount=90)
    alert = make_alert(limit, at=day(6), kind="forecast", level=Decimal(100), p_hit="0.9")
    forecast = make_forecast(limit, at=day(6))
    cut(limit, at=day(8, 10.3))
    use(limit, 1 if is_level else 40, at=day(15, 3.5), amount=130)
    close_window(account_id=limit.account_id, start=limit.starts_at, end=limit.ends_at, at=day(8, 12))
    assert grade_windows(at=day(29)) == 0
    close_window(account_id=limit.account_id, start=limit.ends_at, end=DECEMBER, at=AFTER)
    assert grade_windows(at=AFTER) == 2
    for row in (limit, alert, forecast):
        row.refresh_from_db()
    assert (limit.was_reached, limit.used) == (False, 90)
    assert (alert.outcome, alert.reached_at) == ("reached", day(15, 3.5))
    assert (forecast.was_reached, forecast.reached_at, forecast.closing_total) == (True, day(15, 3.5), 130)


def test_what_was_said_of_a_window_whose_customer_left_is_not_graded():
    limit = make_window()
    use(limit, 90, at=day(5))
    alert, forecast = make_alert(limit, at=day(6)), make_forecast(limit, at=day(6))
    seen = make_forecast(limit, at=day(7), quantity=Decimal(90))
    close(cut(limit, at=day(8), goes_on=False))
    grade_windows(at=DECEMBER + timedelta(days=settings.ALERT_GRADING_DAYS))
    for row in (limit, alert, forecast, seen):
        row.refresh_from_db()
    assert (limit.was_reached, alert.outcome, alert.reached_at) == (False, "not_graded", None)
    assert (forecast.was_reached, forecast.closing_total) == (None, 90)
    assert (seen.was_reached, seen.reached_at) == (True, day(5))


def test_alerts_without_a_limit_are_closed_after_their_window():
    limit = make_window()
    alert = make_alert(limit, at=day(9), kind="budget", rule=None)
    Alert.objects.bulk_create([Alert(**{**values_of(alert), "limit": None, "meter": None, "subject": "EUR"})])
    due = DECEMBER + timedelta(days=settings.ALERT_GRADING_DAYS)
    grade_windows(at=due - timedelta(seconds=1))
    assert Alert.objects.get(subject="EUR").outcome == ""
    grade_windows(at=due)
    assert Alert.objects.get(subject="EUR").outcome == "not_graded"


def values_of(alert: Alert) -> dict:
    names = [field.attname for field in Alert._meta.concrete_fields if not field.primary_key]
    values = {name: getattr(alert, name) for name in names}
    return {name: value for name, value in values.items() if name not in ("limit_id", "meter_id")}


def test_an_alert_that_came_after_its_window_was_graded_takes_the_windows_grade():
    limit = make_window()
    use(limit, 100, at=day(20))
    grade(limit)
    alert = make_alert(limit, at=AFTER, state="suppressed", silence="late")
    grade_windows(at=AFTER + timedelta(hours=1))
    alert.refresh_from_db()
    assert (alert.outcome, alert.reached_at) == ("reached", day(20))


def test_forecasts_learn_what_came_by_the_limit_that_they_saw():
    limit = make_window(quantity="300")
    use(limit, 150, at=day(10))
    first = make_forecast(limit, at=day(2), quantity=Decimal(100))
    second = make_forecast(limit, at=day(3), epoch=2)
    unlimited = make_forecast(limit, at=day(4), quantity=None, p_hit=None)
    grade(limit)
    rows = Forecast.objects.order_by("made_at").values_list("was_reached", "reached_at", "closing_total", "graded_at")
    assert {first.pk, second.pk, unlimited.pk} == set(Forecast.objects.values_list("pk", flat=True))
    assert list(rows) == [
        (True, day(10), 150, AFTER),
        (False, None, 150, AFTER),
        (None, None, 150, AFTER),
    ]


def test_grading_again_changes_nothing():
    limit = make_window()
    use(limit, 100, at=day(20))
    make_alert(limit, at=day(9))
    make_forecast(limit, at=day(2))
    grade(limit)
    assert grade_windows(at=AFTER + timedelta(days=1)) == 0
    assert {row.graded_at for model in (Limit, Alert, Forecast) for row in model.objects.all()} == {AFTER}


def test_many_windows_take_batches_of_as_many_statements(django_assert_num_queries):
    for number in range(5):
        limit = make_window(f"acme-{number}")
        use(limit, 100, at=day(20))
        make_alert(limit, at=day(9))
        make_forecast(limit, at=day(2))
        close(limit)
    with django_assert_num_queries(10):  # two of them the savepoint of a test
        assert grade_batch(at=AFTER, batch=1) == 1
    with django_assert_num_queries(10):
        assert grade_batch(at=AFTER, batch=3) == 3
    assert grade_windows(at=AFTER) == 1


class Killed(BaseException): ...


@transaction.atomic
def die_after(step, **options) -> None:
    step(**options)
    raise Killed


def test_killed_within_a_batch_it_grades_the_same_windows_later():
    for number in range(2):
        limit = make_window(f"acme-{number}")
        use(limit, 100, at=day(20))
        make_alert(limit, at=day(9))
        close(limit)
    grade_batch(at=AFTER, batch=1)
    with pytest.raises(Killed):
        die_after(grade_batch, at=AFTER, batch=1)
    assert sorted(Alert.objects.filter(arming=MADE).values_list("outcome", flat=True)) == ["", "reached"]
    assert Limit.objects.filter(graded_at=None).count() == 1
    assert grade_windows(at=AFTER) == 1
    assert set(Alert.objects.values_list("outcome", flat=True)) == {"reached"}


@pytest.mark.django_db(transaction=True)
def test_two_at_once_grade_each_window_once(monkeypatch):
    for number in range(4):
        limit = make_window(f"acme-{number}")
        use(limit, 100, at=day(20))
        make_alert(limit, at=day(9))
        close(limit)
    both, take = threading.Barrier(2, timeout=20), windows.take_due

    def take_due(**options):
        taken = take(**options)
        both.wait()
        return taken

    monkeypatch.setattr(windows, "take_due", take_due)
    with open_threads(2) as threads:
        assert threads.run_all(*[lambda: grade_batch(at=AFTER, batch=2)] * 2) == [2, 2]
    assert Limit.objects.filter(graded_at=None).count() == 0
    assert set(Alert.objects.values_list("outcome", flat=True)) == {"reached"}


@pytest.mark.django_db(transaction=True)
def test_an_alert_that_somebody_holds_is_graded_by_the_next_run():
    limit = make_window()
    use(limit, 100, at=day(20))
    alert = make_alert(limit, at=day(9))
    close(limit)
    with open_threads(1) as threads, transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(claimed_at=day(9))
        assert threads.run_all(lambda: grade_windows(at=AFTER)) == [1]
    alert.refresh_from_db()
    assert alert.outcome == ""
    grade_windows(at=AFTER)
    alert.refresh_from_db()
    assert (alert.outcome, alert.reached_at) == ("reached", day(20))


def test_the_database_keeps_a_grade_whole():
    limit = make_window()
    with pytest.raises(IntegrityError, match="limit_is_graded_at_a_moment"), transaction.atomic():
        Limit.objects.filter(pk=limit.pk).update(was_reached=False)
    with pytest.raises(IntegrityError, match="limit_has_a_moment_exactly_when_reached"), transaction.atomic():
        Limit.objects.filter(pk=limit.pk).update(was_reached=True, graded_at=AFTER)


def test_beat_grades_every_five_minutes():
    assert ("metering.tasks.grade_windows", 300) in settings.PERIODIC_TASKS.values()
    limit = make_window()
    close(limit)
    Limit.objects.update(ends_at=day(2))
    task()
    limit.refresh_from_db()
    assert limit.graded_at is not None
