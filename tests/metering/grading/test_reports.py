from datetime import timedelta
from decimal import Decimal

import pytest

from metering.catalogue import UnknownMeter
from metering.grading import grade_windows
from metering.grading.reports import AlarmRule, read_report
from metering.grading.samples import read_forecasts, read_strengths
from metering.grading.scores import Share, Watched
from metering.models import AlertRule, Limit
from tests.metering.grading.makers import (
    AFTER,
    DECEMBER,
    NOVEMBER,
    close,
    day,
    make_alert,
    make_forecast,
    make_level,
    make_window,
    use,
)

pytestmark = pytest.mark.django_db
YEAR = {"start": NOVEMBER - timedelta(days=300), "end": DECEMBER + timedelta(days=1)}


def grade(*limits: Limit) -> None:
    for limit in limits:
        close(limit)
    grade_windows(at=AFTER)


def find_row(report, rule: str | None, meter: str | None = None):
    [row] = [row for row in report.rules if row.rule == rule and (row.meter and row.meter.key) == meter]
    return row.score


def test_an_alert_before_the_limit_is_right_one_in_vain_is_wrong_and_a_window_without_is_missed():
    """Usage comes at once, so that the system itself tells but the hundred; what was told before is made here."""
    right, wrong, missed, calm = (make_window(name) for name in ("right", "wrong", "missed", "calm"))
    for limit in (right, missed):
        use(limit, 100, at=day(20))
    use(wrong, 10, at=day(20))
    use(calm, 10, at=day(20))
    make_alert(right, at=day(15), acted_on_at=day(16))
    make_alert(wrong, at=day(15))
    grade(right, wrong, missed, calm)
    report = read_report(**YEAR)
    score = find_row(report, None)
    assert (report.windows, report.reached) == (4, 2)
    assert (score.told, score.early, score.false, score.at_limit, score.missed) == (4, 1, 1, 2, 1)
    assert (score.precision, score.recall, score.acted_on) == (Share(1, 2), Share(1, 2), Share(1, 4))
    assert (score.lead_days.median, score.lead_share.median) == (5.0, pytest.approx(5 / 30))


def test_what_spoke_within_the_hour_that_reached_the_limit_spoke_before():
    limit = make_window()
    use(limit, 100, at=day(20, 10.5))
    make_alert(limit, at=day(20, 10.2))
    grade(limit)
    score = find_row(read_report(**YEAR), "Usage of a limit")
    assert (score.early, score.lead_days.median) == (1, 0.0)


def test_what_was_seen_too_late_warned_of_nothing():
    limit = make_window()
    use(limit, 100, at=day(20))
    make_alert(limit, at=day(20, 11))
    grade(limit)
    score = find_row(read_report(**YEAR), None)
    assert (score.early, score.at_limit, score.missed) == (0, 2, 1)


def test_a_limit_that_was_raised_after_the_warning_is_no_miss_and_no_false_alarm():
    limit = make_window(quantity="300")
    use(limit, 150, at=day(20))
    make_alert(limit, at=day(10), quantity=Decimal(100), epoch=1)
    Limit.objects.update(epoch=2)
    grade(limit)
    report = read_report(**YEAR)
    score = find_row(report, "Usage of a limit")
    assert (report.reached, score.early, score.false, score.recall) == (0, 1, 0, Share(1, 1))


def test_a_limit_that_was_reached_and_then_raised_is_missed_if_nothing_was_told_before():
    limit = make_window()
    use(limit, 100, at=day(10))
    make_window(quantity="300")
    limit.refresh_from_db()
    assert limit.epoch == 2
    grade(limit)
    report = read_report(**YEAR)
    assert (report.reached, find_row(report, None).missed) == (0, 1)


def test_each_rule_and_meter_has_a_row_and_all_together():
    limit, other = make_window(), make_window(meter="calls")
    use(limit, 100, at=day(20))
    use(other, 10, at=day(20))
    make_alert(limit, at=day(15))
    make_alert(limit, at=day(11), kind="forecast", level=Decimal(100), used=Decimal(20))
    make_alert(other, at=day(12), kind="forecast", level=Decimal(100), used=Decimal(5))
    grade(limit, other)
    report = read_report(**YEAR)
    rows = {
        (row.rule, row.meter and row.meter.key): (row.score.early, row.score.false)
        for row in report.rules
        if row.rule != ""  # of alerts that no rule made
    }
    assert rows == {
        (None, None): (2, 1),
        (None, "calls"): (0, 1),
        (None, "requests"): (2, 0),
        ("Forecast of reaching a limit", None): (1, 1),
        ("Forecast of reaching a limit", "calls"): (0, 1),
        ("Forecast of reaching a limit", "requests"): (1, 0),
        ("Usage of a limit", None): (1, 0),
        ("Usage of a limit", "calls"): (0, 0),
        ("Usage of a limit", "requests"): (1, 0),
    }
    assert report.rules[0] is report.total
    assert find_row(report, None).lead_days.median == 9.0
    only = read_report(**YEAR, meter_key="calls")
    assert [(row.rule, row.meter) for row in only.rules] == [(None, None), ("Forecast of reaching a limit", None)]
    assert (only.windows, only.reached) == (1, 0)


def test_a_period_holds_the_windows_that_ended_in_it():
    limit = make_window()
    grade(limit)
    assert read_report(start=NOVEMBER, end=DECEMBER).windows == 0
    assert read_report(start=DECEMBER, end=AFTER).windows == 1


def test_windows_without_a_limit_are_not_counted():
    grade(make_window(quantity=None))
    assert read_report(**YEAR).windows == 0


def test_of_too_many_windows_the_latest_are_read():
    limits = [make_window(f"acme-{number}") for number in range(3)]
    grade(*limits)
    report = read_report(**YEAR, most=2)
    assert (report.windows, report.is_cut) == (2, True)
    assert (read_report(**YEAR, most=3).is_cut, read_report(**YEAR).is_cut) == (False, False)


def test_forecasts_count_once_a_day_as_long_as_the_limit_was_not_reached():
    limit = make_window()
    use(limit, 60, at=day(10))
    use(limit, 60, at=day(20))
    make_forecast(limit, at=day(11, 6), p_hit="0.2")
    kept = {"hit_low": day(18), "hit_mid": day(22), "hit_high": day(24)}
    make_forecast(limit, at=day(11, 18), p_hit="0.7", used=Decimal(60), **kept)
    make_forecast(limit, at=day(12), p_hit="0.9", total_high=Decimal(110), run_rate_total=Decimal(100))
    make_forecast(limit, at=day(13), p_hit="0.9", is_learning=True)
    make_forecast(limit, at=day(14), p_hit=None)
    make_forecast(limit, at=day(21), p_hit="1", used=Decimal(120))
    grade(limit)
    found = [forecast for _, forecast in read_forecasts([limit.pk])]
    assert [(each.chance, each.run_rate_says, each.total_in_range, each.date_in_range) for each in found] == [
        (0.7, False, True, True),
        (0.9, True, False, None),
    ]
    assert (found[0].date_error_days, found[0].date_error_share) == (2.0, pytest.approx(2 / 30))
    [row] = read_report(**YEAR).forecasts
    assert (row.meter, row.score.count) == (None, 2)
    assert (row.score.brier, row.score.run_rate_brier) == (pytest.approx((0.09 + 0.01) / 2), 0.5)
    assert row.score.skill == pytest.approx(0.9)
    assert [(each.low, each.reached) for each in row.score.bins if each.reached.count] == [
        (0.7, Share(1, 1)),
        (0.9, Share(1, 1)),
    ]


@pytest.mark.parametrize(
    ("earliest", "latest", "expected"),
    [(day(20, 10.99), day(21), True), (day(20, 11), day(21), False), (day(1), day(20), True), (day(1), day(19), False)],
)
def test_a_range_of_dates_holds_the_hour_in_which_the_limit_was_reached(earliest, latest, expected):
    limit = make_window()
    use(limit, 100, at=day(20))
    make_forecast(limit, at=day(11), hit_low=earliest, hit_mid=latest, hit_high=latest)
    grade(limit)
    [(_, forecast)] = read_forecasts([limit.pk])
    assert forecast.date_in_range is expected


def raises_alarm(chances: list[int], threshold: int, confirmations: int) -> bool:
    """The rule itself, forecast by forecast."""
    in_a_row = 0
    for chance in chances:
        in_a_row = in_a_row + 1 if chance >= threshold else 0
        if in_a_row == confirmations:
            return True
    return False


@pytest.mark.parametrize("confirmations", [1, 2, 3])
def test_a_windows_strength_passes_exactly_the_thresholds_at_which_the_rule_speaks(confirmations):
    sequences = [[9], [2, 9, 1, 8], [7, 7, 9, 9, 1], [1, 2, 3, 4, 5, 6], [9, 1, 9, 1, 9], [5, 5, 5]]
    limits = []
    for number, sequence in enumerate(sequences):
        limit = make_window(f"acme-{number}")
        for place, chance in enumerate(sequence):
            make_forecast(limit, at=day(2 + place), p_hit=Decimal(chance) / 10)
        limits.append(limit)
    grade(*limits)
    for limit, sequence in zip(limits, sequences, strict=True):
        [window] = read_strengths([limit.pk], confirmations=confirmations)
        for threshold in range(1, 11):
            speaks = window.strength is not None and window.strength >= threshold / 10
            assert speaks == raises_alarm(sequence, threshold, confirmations)


def test_each_epoch_of_a_window_has_a_strength_of_its_own():
    limit = make_window(quantity="300")
    use(limit, 150, at=day(20))
    for hour, chance in enumerate(("0.9", "0.8", "0.3", "0.4")):
        epoch = 1 if hour < 2 else 2
        make_forecast(limit, at=day(2, hour), p_hit=chance, epoch=epoch, quantity=Decimal(100 if epoch == 1 else 300))
    grade(limit)
    assert set(read_strengths([limit.pk], confirmations=2)) == {Watched(0.8, True), Watched(0.3, False)}


def test_the_advice_is_by_the_rule_that_is_live():
    AlertRule.objects.filter(kind="forecast", rule_set__is_live=True).update(p_on="0.7", confirmations=3)
    report = read_report(**YEAR)
    assert report.alarm == AlarmRule(0.7, 3)
    assert (report.advice.windows, report.advice.is_enough) == (0, False)


def test_windows_that_run_say_when_there_will_be_figures():
    limit = make_window()
    make_window("quiet")
    make_forecast(limit, at=day(2))
    report = read_report(**YEAR)
    assert (report.pending.windows, report.pending.first_ends_at) == (1, DECEMBER)
    assert (report.rules, report.forecasts, report.total) == ((), (), None)


def test_a_report_takes_as_many_statements_for_one_window_as_for_many(django_assert_num_queries):
    def report_on(names):
        for name in names:
            for meter in ("requests", "calls"):
                limit = make_window(name, meter)
                use(limit, 100, at=day(20))
                make_alert(limit, at=day(15))
                make_forecast(limit, at=day(2))
                close(limit)
        grade_windows(at=AFTER)
        with django_assert_num_queries(7):
            return read_report(**YEAR, meter_key="requests")

    assert report_on(["acme"]).windows == 1
    assert report_on(["beta", "gamma", "delta"]).windows == 4


def test_a_report_needs_a_period_and_a_meter_that_is_there():
    with pytest.raises(ValueError, match="ends after it starts"):
        read_report(start=DECEMBER, end=DECEMBER)
    with pytest.raises(UnknownMeter, match="No meter is called 'nothing'"):
        read_report(**YEAR, meter_key="nothing")


def test_a_level_counts_the_event_and_not_its_hour():
    limit = make_window(meter_id=make_level())
    use(limit, 1, at=day(20, 10.25), amount=100)
    make_alert(limit, at=day(20, 10))
    grade(limit)
    score = find_row(read_report(**YEAR), "Usage of a limit")
    assert (score.early, score.lead_days.median) == (1, pytest.approx(0.25 / 24))
