import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection, transaction

from metering.alerts import check_limits, detection, list_alerts, list_standing, observing, record_crossings
from metering.corrections import retract_event
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, close_window, end_windows, hand_over_limits
from metering.models import Alert, AlertCheck, Limit, Notice
from tests.metering.alerts.makers import make_rule
from tests.metering.alerts.story import DECEMBER, JANUARY, NOON, NOVEMBER, Story, day, make_limits
from tests.metering.makers import make_account, make_event, make_events, make_meter
from tests.metering.threads import open_threads


@pytest.fixture
def story(db) -> Story:
    return Story()


def test_a_level_speaks_once_whatever_follows(story):
    story.limit(day(1, 0), "100")
    for at, total in [(day(5), "79"), (day(6), "81"), (day(7), "85"), (day(8), "99")]:
        story.use(at, total)
    assert story.spoken() == [(day(6), 80)]


def test_eighty_and_then_a_hundred_are_two_alerts(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "82")
    story.use(day(12), "101")
    assert story.spoken() == [(day(6), 80), (day(12), 100)]


def test_a_level_is_reached_when_it_is_met_exactly(story):
    story.limit(day(1, 0), "0.000000000005")
    story.use(day(2), "0.000000000003")
    assert story.spoken() == []
    story.use(day(3), "0.000000000004")
    assert story.spoken() == [(day(3), 80)]


def test_levels_are_exact_where_a_float_is_not(story):
    story.limit(day(1, 0), "99999999999999999999999.999999999999")
    story.use(day(2), "79999999999999999999999.999999999999")
    assert story.spoken() == []
    story.use(day(3), "80000000000000000000000")
    assert story.spoken() == [(day(3), 80)]


def test_of_two_levels_at_once_the_higher_speaks_and_the_lower_is_on_record(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "130")
    assert story.spoken() == [(day(6), 125)]
    levels = Alert.objects.order_by("level").values_list("level", "state")
    assert list(levels) == [(80, "superseded"), (100, "superseded"), (125, "told")]
    assert Limit.objects.get().next_crossing == 150


def test_the_next_window_speaks_again(story):
    story.limit(day(1, 0), "100")
    story.use(day(20), "94")
    story.used = Decimal(0)
    story.limit(DECEMBER, "100")
    story.use(DECEMBER + timedelta(days=2), "95")
    assert story.spoken() == [(day(20), 80), (DECEMBER + timedelta(days=2), 80)]


def test_a_raised_limit_speaks_at_its_own_levels(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "92")
    story.limit(day(8), "300")
    story.use(day(9), "239")
    story.use(day(20), "245")
    assert story.spoken() == [(day(6), 80), (day(20), 80)]


def test_a_raise_that_leaves_the_total_above_a_level_does_not_say_it_again(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "95")
    story.limit(day(8), "115")
    assert story.spoken() == [(day(6), 80)]
    assert Limit.objects.get().next_crossing == 115
    story.use(day(9), "115")
    assert story.spoken() == [(day(6), 80), (day(9), 100)]


def test_a_raise_does_not_wake_a_lower_level_that_was_passed(story):
    story.limit(day(1, 0), "1000")
    story.use(day(5), "1000")
    story.limit(day(6), "1100")
    story.use(day(7), "1050")
    assert story.spoken() == [(day(5), 100)]


def test_a_limit_lowered_below_usage_speaks_at_the_next_check(story):
    story.limit(day(1, 0), "1000")
    story.use(day(6), "500")
    story.limit(day(10), "400", check=False)
    assert story.spoken() == []
    check_limits(at=day(10, 11))
    assert story.spoken() == [(day(10, 11), 125)]
    assert Alert.objects.get(state="told").cause == "limit_changed"


def test_a_lowered_limit_speaks_anew_for_its_epoch(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "95")
    story.limit(day(8), "96")
    assert story.spoken() == [(day(6), 80), (day(8), 80)]
    assert list(Alert.objects.order_by("pk").values_list("epoch", "quantity")) == [(1, 100), (2, 96)]


def test_a_first_limit_below_what_was_used_speaks_of_what_was_there_before_up_to_a_thousand_percent(story):
    story.limit(day(1, 0), None)
    story.use(day(6), "28.56")
    story.limit(day(7), "1")
    assert story.spoken() == [(day(7), 1000)]
    assert Alert.objects.get(state="told").cause == "limit_is_new"
    assert Limit.objects.get().next_crossing is None


def test_a_first_window_that_opens_over_what_was_used_speaks_of_what_was_there_before(story):
    ingest_events([make_event(time=day(3), amount=90)], at=day(3))
    story.limit(day(6), "100")
    assert Alert.objects.get().cause == "limit_is_new"


def test_a_window_that_follows_another_speaks_of_its_usage(story):
    story.limit(day(1, 0), "100")
    ingest_events([make_event(time=DECEMBER, amount=90)], at=DECEMBER)
    story.limit(DECEMBER + timedelta(minutes=5), "100")
    assert Alert.objects.get().cause == "usage"


def test_without_a_limit_nothing_speaks(story):
    story.limit(day(1, 0), None)
    story.use(day(6), "1000000")
    assert story.spoken() == []


def test_a_limit_of_zero_speaks_at_the_first_use(story):
    story.limit(day(1, 0), "0")
    story.use(day(6), "0")
    assert story.spoken() == []
    story.use(day(7), "1")
    story.use(day(8), "2")
    assert story.spoken() == [(day(7), 100)]


def test_what_a_closed_window_reaches_is_kept_silent_as_late(story):
    story.limit(day(1, 0), "100")
    story.use(day(29), "60")
    close_window(account_id=story.account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    story.use(DECEMBER + timedelta(hours=2), "105", happened_at=day(30))
    assert Limit.objects.get().used == 105
    assert story.spoken() == []
    assert story.silent() == [(DECEMBER + timedelta(hours=2), "late")]
    assert record_crossings([Limit.objects.get().pk], at=JANUARY) == 0
    assert not Alert.objects.filter(resolved_at=None).exists()


def test_what_was_reached_before_a_window_was_closed_is_not_late(story):
    story.limit(day(1, 0), "100")
    story.use(day(29), "85")
    close_window(account_id=story.account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    story.use(DECEMBER + timedelta(hours=2), "95", happened_at=day(30))
    assert story.silent() == []


def test_closing_lets_a_changed_limit_speak_first(story):
    story.limit(day(1, 0), "1000")
    story.use(day(6), "500")
    story.limit(day(30), "400", check=False)
    close_window(account_id=story.account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    assert story.spoken() == [(DECEMBER, 125)]


def test_an_event_sent_again_alerts_nobody(story):
    story.limit(day(1, 0), "100")
    event = make_event("same", time=day(6), amount=50)
    for _ in range(3):
        ingest_events([event], at=day(6))
    check_limits(at=day(6))
    assert story.spoken() == []


def test_ingestion_speaks_at_once_without_a_check(story):
    story.limit(day(1, 0), "100")
    ingest_events([make_event(time=day(6), amount=80)], at=day(6))
    assert story.spoken() == [(day(6), 80)]


def test_an_alert_tells_when_its_level_was_reached_and_when_it_was_seen(story):
    """Usage of three hours arrives at once, in no order: 80 was reached in the second, 100 in the third."""
    story.limit(day(1, 0), "100")
    times = [(day(6, 14), 30), (day(6, 16), 25), (day(6, 15), 50)]
    events = [make_event(str(n), time=moment, amount=amount) for n, (moment, amount) in enumerate(times)]
    ingest_events(events, at=day(6, 22))
    crossings = Alert.objects.order_by("level").values_list("level", "crossed_at", "detected_at")
    assert list(crossings) == [(80, day(6, 15), day(6, 22)), (100, day(6, 16), day(6, 22))]


def test_the_hour_of_a_level_does_not_count_what_came_before_the_window(db):
    """The window begins at 18:30; 18:00 holds 90 from before it. 80 of 100 was reached at 20:00."""
    meter_id, account_id = make_meter("storage", value="amount").id, make_account("acme").id
    start, end = datetime(2026, 10, 31, 18, 30, tzinfo=UTC), datetime(2026, 11, 30, 18, 30, tzinfo=UTC)
    hand_over_limits(
        account_ids=[account_id],
        terms=[LimitTerms(meter_id, Decimal(100), is_hard=False)],
        start=start,
        end=end,
        at=NOON,
    )
    before, after = start - timedelta(minutes=10), start + timedelta(minutes=10)
    ingest_events(
        [
            make_event("1", time=before, amount=90),
            make_event("2", time=after, amount=30),
            make_event("3", time=datetime(2026, 10, 31, 20, 5, tzinfo=UTC), amount=50),
        ],
        at=NOON,
    )
    assert Alert.objects.get().crossed_at == datetime(2026, 10, 31, 20, tzinfo=UTC)


def test_an_alert_of_the_windows_first_hour_lies_within_the_window(db):
    meter_id, account_id = make_meter("storage", value="amount").id, make_account("acme").id
    start, end = datetime(2026, 10, 31, 18, 30, tzinfo=UTC), datetime(2026, 11, 30, 18, 30, tzinfo=UTC)
    hand_over_limits(
        account_ids=[account_id],
        terms=[LimitTerms(meter_id, Decimal(100), is_hard=False)],
        start=start,
        end=end,
        at=NOON,
    )
    ingest_events([make_event(time=start + timedelta(minutes=10), amount=90)], at=NOON)
    assert Alert.objects.get().crossed_at == start


def test_an_alert_states_its_facts(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "81.5")
    [fact] = list_alerts([story.account_id])
    assert (fact.account_id, fact.meter_id) == (story.account_id, story.meter_id)
    assert (fact.meter_key, fact.meter_name, fact.unit) == ("storage", "Storage", "GB")
    assert (fact.level, fact.used, fact.quantity) == (80, Decimal("81.5"), 100)
    assert (fact.start, fact.end, fact.crossed_at, fact.detected_at) == (NOVEMBER, DECEMBER, day(6), day(6))


# Falling back, and rising again


def test_a_level_that_was_left_by_five_points_is_over_and_speaks_again_after_a_day(story):
    story.limit(day(1, 0), "100")
    for at, total in [(day(6), "85"), (day(7), "75.000000000001"), (day(7, 11), "75"), (day(8), "81")]:
        story.use(at, total)
    assert story.spoken() == [(day(6), 80), (day(8), 80)]
    assert story.resolved() == [(day(7, 11), 80, "fell")]


def test_jitter_around_a_level_is_one_alert(story):
    story.limit(day(1, 0), "100")
    for hour, total in enumerate(["80.1", "79.8", "80.2", "76", "80.3"]):
        story.use(day(6, hour), total)
    assert story.spoken() == [(day(6, 0), 80)]
    assert story.resolved() == []


def test_what_flaps_ten_times_in_an_hour_is_one_alert(story):
    story.limit(day(1, 0), "100")
    for minute in range(0, 60, 6):
        story.use(day(6) + timedelta(minutes=minute), "85")
        story.use(day(6) + timedelta(minutes=minute + 3), "60")
    assert story.spoken() == [(day(6), 80)]
    assert len(story.silent()) == 9
    assert {why for _, why in story.silent()} == {"flap"}


def test_a_level_may_speak_again_exactly_a_day_later(story):
    story.limit(day(1, 0), "100")
    for at, total in [(day(6), "85"), (day(6, 20), "60"), (day(7), "85")]:
        story.use(at, total)
    assert story.spoken() == [(day(6), 80), (day(7), 80)]


def test_of_several_levels_that_are_left_those_that_stand_stay(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "130")
    story.use(day(8), "90")
    assert [(int(fact.level), fact.state) for fact in list_standing([story.account_id], at=day(20))] == [
        (80, "superseded")
    ]
    story.use(day(9), "101")
    assert story.spoken() == [(day(6), 125), (day(9), 100)]


def test_a_retraction_that_brings_usage_below_a_level_ends_its_alert(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "85")
    retract_event("test", "1", reason="wrong", made_by="ann", at=day(7))
    check_limits(at=day(7))
    assert story.resolved() == [(day(7), 80, "fell")]


def test_levels_recur_every_twenty_five_points_beyond_a_hundred(story):
    story.limit(day(1, 0), "100")
    for number, total in enumerate(["124.9", "125", "149", "150", "1024", "5000"]):
        story.use(day(6, number), total)
    assert [level for _, level in story.spoken()] == [100, 125, 150, 1000]


# When the limit is another


def test_a_limit_that_was_taken_away_ends_its_alerts(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "92")
    story.limit(day(8), None)
    assert story.resolved() == [(day(8), 80, "limit_changed")]
    assert list_standing([story.account_id], at=day(20)) == []


def test_a_raise_that_clears_the_alarm_ends_it(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "92")
    story.limit(day(8), "117")  # 78.6 %: below the level, though not by five points
    assert story.resolved() == [(day(8), 80, "limit_changed")]


def test_an_alarm_that_outlived_a_raise_ends_when_usage_falls(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "95")
    story.limit(day(8), "115")
    story.use(day(9), "80")
    assert story.resolved() == [(day(9), 80, "fell")]
    assert list_standing([story.account_id], at=day(20)) == []


def test_usage_that_comes_before_the_check_after_a_raise_speaks_all_the_same(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "92")
    story.limit(day(8), "300", check=False)
    ingest_events([make_event("more", time=day(9), amount=153)], at=day(9))
    assert story.spoken() == [(day(6), 80), (day(9), 80)]
    assert Alert.objects.get(epoch=2).cause == "usage"
    assert story.resolved() == [(day(9), 80, "limit_changed")]


def test_a_window_that_is_cut_short_ends_its_alerts(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "92")
    end_windows(account_id=story.account_id, meter_ids=[story.meter_id], at=day(8))
    assert story.resolved() == [(day(8), 80, "limit_changed")]


def test_an_alarm_is_over_when_its_window_is(story):
    story.limit(day(1, 0), "100")
    story.use(day(20), "94")
    check_limits(at=DECEMBER - timedelta(seconds=1))
    assert story.resolved() == []
    check_limits(at=DECEMBER)
    assert story.resolved() == [(DECEMBER, 80, "window_ended")]
    ingest_events([make_event("late", time=day(30), amount=1)], at=DECEMBER + timedelta(hours=1))
    check_limits(at=DECEMBER + timedelta(hours=1))
    assert story.spoken() == [(day(20), 80)]


def test_nobody_hears_late_that_what_was_told_before_there_were_rules_has_ended(story):
    story.limit(day(1, 0), "100")
    limit = Limit.objects.get()
    Alert.objects.create(
        account_id=story.account_id, meter_id=story.meter_id, limit=limit, starts_at=NOVEMBER, ends_at=DECEMBER,
        epoch=1, level=80, used=85, quantity=100, crossed_at=day(6), detected_at=day(6),
    )  # fmt: skip
    check_limits(at=JANUARY)
    assert story.resolved() == [(JANUARY, 80, "window_ended")]
    assert not Notice.objects.exists()


# Rules


def test_an_absolute_level_speaks_whatever_the_limit_is(story):
    make_rule("usage", 50)
    story.limit(day(1, 0), None)
    ingest_events([make_event("at once", time=day(6), amount=50)], at=day(6))
    assert story.spoken() == [(day(6), 50)]
    fact = list_alerts([story.account_id])[0]
    assert (fact.level_unit, fact.quantity, fact.crossed_at) == ("absolute", None, day(6))


def test_an_absolute_level_does_not_speak_again_for_another_limit(story):
    make_rule("usage", 50)
    story.limit(day(1, 0), "1000")
    story.use(day(6), "60")
    story.limit(day(8), "500")
    story.use(day(9), "61")
    assert story.spoken() == [(day(6), 50)]


def test_ingestion_is_told_the_lowest_total_at_which_any_rule_speaks(story):
    make_rule("usage", 70, 90)
    story.limit(day(1, 0), "100")
    assert Limit.objects.get().next_crossing == 70
    story.use(day(6), "75")
    assert Limit.objects.get().next_crossing == 80
    story.use(day(7), "81")
    assert Limit.objects.get().next_crossing == 90


def test_of_rules_the_one_of_the_account_holds_before_that_of_its_plan_and_that_for_all(story):
    make_rule("usage", 60, unit="percent", plan="small")
    story.limit(day(1, 0), "100", plan="small")
    assert Limit.objects.get().next_crossing == 60
    make_rule("usage", 40, unit="percent", account_id=story.account_id)
    story.limit(day(2, 0), "101", plan="small")
    story.use(day(6), "90")
    assert story.spoken() == [(day(6), 40)]


def test_another_plan_brings_its_own_levels(story):
    make_rule("usage", 60, unit="percent", plan="large")
    story.limit(day(1, 0), "100", plan="small")
    story.use(day(6), "70")
    assert story.spoken() == []
    story.limit(day(7), "100", plan="large")
    assert story.spoken() == [(day(7), 60)]


# Whose clock


@pytest.mark.parametrize(("at", "window"), [("2026-11-30T22:59", 0), ("2026-11-30T23:30", 1)])
def test_usage_belongs_to_the_window_by_the_clock_of_the_account(db, at, window):
    """In Paris it is December an hour before it is in UTC."""
    bounds = [datetime(2026, month, day_, 23, tzinfo=UTC) for month, day_ in [(10, 31), (11, 30), (12, 31)]]
    meter_id, account_id = make_meter("storage", value="amount").id, make_account("acme").id
    for start, end in pairwise(bounds):
        terms = [LimitTerms(meter_id, Decimal(100), is_hard=False)]
        hand_over_limits(
            account_ids=[account_id],
            terms=terms,
            start=start,
            end=end,
            at=NOON,
            time_zones={account_id: "Europe/Paris"},
        )
    moment = datetime.fromisoformat(f"{at}:00+00:00")
    ingest_events([make_event(time=moment, amount=90)], at=moment)
    [fact] = list_alerts([account_id])
    assert (fact.start, fact.end, fact.time_zone) == (bounds[window], bounds[window + 1], "Europe/Paris")


def test_each_window_speaks_by_its_own_bounds_whatever_day_they_fall_on(db):
    """Anchored on the 31st: until 28 February, then until 31 March."""
    meter_id, account_id = make_meter("storage", value="amount").id, make_account("acme").id
    bounds = [datetime(2027, 1, 31, tzinfo=UTC), datetime(2027, 2, 28, tzinfo=UTC), datetime(2027, 3, 31, tzinfo=UTC)]
    for start, end in pairwise(bounds):
        terms = [LimitTerms(meter_id, Decimal(100), is_hard=False)]
        hand_over_limits(account_ids=[account_id], terms=terms, start=start, end=end, at=NOON)
    for moment in (bounds[1] - timedelta(seconds=1), bounds[1]):
        ingest_events([make_event(f"{moment}", time=moment, amount=85)], at=moment)
    assert [(fact.start, int(fact.level)) for fact in reversed(list_alerts([account_id]))] == [
        (bounds[0], 80),
        (bounds[1], 80),
    ]


# After an outage


def test_what_is_found_after_an_outage_says_so_and_only_the_highest_level_of_the_account_speaks(story):
    other = make_meter("requests", value="amount", event_type="other").id
    story.limit(day(1, 0), "100")
    terms = [LimitTerms(other, Decimal(100), is_hard=False)]
    hand_over_limits(account_ids=[story.account_id], terms=terms, start=NOVEMBER, end=DECEMBER, at=day(1))
    check_limits(at=day(6, 10))
    events = [
        make_event("1", time=day(6, 11), amount=85),
        make_event("2", time=day(6, 11), amount=101, type="other"),
    ]
    ingest_events(events[:1], at=day(6, 16))
    ingest_events(events[1:], at=day(6, 16))
    facts = list_alerts([story.account_id])
    assert [(int(fact.level), fact.cause, fact.crossed_at) for fact in facts] == [
        (100, "catch_up", day(6, 11)),
        (80, "catch_up", day(6, 11)),
    ]
    ingest_events([make_event("3", time=day(6, 11), amount=20)], at=day(6, 16))
    assert len(list_alerts([story.account_id])) == 2
    assert Alert.objects.filter(cause="catch_up", state="superseded").count() == 2


def test_what_is_reached_as_it_is_seen_is_no_catch_up(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "85")
    assert list_alerts([story.account_id])[0].cause == "usage"


def test_without_an_outage_what_was_sent_late_is_no_catch_up(story):
    story.limit(day(1, 0), "100")
    check_limits(at=day(6, 16))
    ingest_events([make_event("1", time=day(6, 11), amount=85)], at=day(6, 16) + timedelta(minutes=5))
    assert list_alerts([story.account_id])[0].cause == "usage"


@pytest.mark.django_db
def test_of_several_checks_the_latest_counts_as_the_last():
    check_limits(at=day(6))
    check_limits(at=day(5))
    assert AlertCheck.objects.get().checked_at == day(6)


# The periodic check


@pytest.mark.django_db
def test_a_check_finds_in_pages_what_moved_and_clears_its_flag():
    make_limits(7)
    Limit.objects.update(used=9)
    assert check_limits(at=NOON, batch=2) == 7
    assert not Limit.objects.filter(needs_check=True).exists()
    assert check_limits(at=NOON) == 0


@pytest.mark.django_db
def test_a_check_looks_at_what_moved_only():
    make_limits(2)
    check_limits(at=NOON)
    Limit.objects.update(used=9)  # without the flag, as ingestion never would
    assert check_limits(at=NOON) == 0


@pytest.mark.django_db
def test_a_check_reads_no_event_and_costs_the_same_for_any_number(django_assert_num_queries):
    make_limits(20)
    check_limits(at=NOON)
    for moved in (1, 19):
        Limit.objects.filter(pk__in=Limit.objects.filter(used=0)[:moved]).update(used=9, needs_check=True)
        with django_assert_num_queries(28) as captured:  # ten of them are savepoints, six promise to tell
            assert check_limits(at=NOON) == moved
        assert not any("metering_event" in query["sql"] for query in captured)


@pytest.mark.django_db(transaction=True)
def test_a_check_passes_over_what_another_transaction_holds():
    make_limits(2)
    Limit.objects.update(used=9)
    held = Limit.objects.order_by("pk")[0].pk
    with open_threads(1) as threads, transaction.atomic():
        Limit.objects.select_for_update().get(pk=held)
        assert threads.start(check_limits, at=NOON).result(20) == 1
    assert Limit.objects.get(needs_check=True).pk == held
    assert check_limits(at=NOON) == 1


# Once, however many work at it


@pytest.mark.django_db(transaction=True)
def test_each_level_is_on_record_once_however_many_check_and_ingest():
    account_ids = make_limits(5)
    stop = threading.Event()

    def ingest(worker: int) -> None:
        for number in range(20):
            make_events(1, subject=f"account-{number % 5}", time=NOON, source=f"{worker} {number}")

    def check_until_stopped() -> None:
        while not stop.is_set():
            check_limits(at=NOON, batch=2)

    with open_threads(6) as threads:
        checking = [threads.start(check_until_stopped) for _ in range(3)]
        threads.run_all(*[lambda worker=worker: ingest(worker) for worker in range(3)])
        stop.set()
        for each in checking:
            each.result(20)
    assert check_limits(at=NOON) == 0
    recorded = Counter(Alert.objects.values_list("account_id", "level"))
    assert recorded == {(account_id, level): 1 for account_id in account_ids for level in (80, 100)}
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
def test_eight_workers_and_two_schedulers_on_one_crossing_tell_it_once():
    [account_id] = make_limits(1)
    make_events(8, subject="account-0", first=100)  # 80 %, told once
    Alert.objects.filter(state="told").get()
    begin = threading.Barrier(10, timeout=20)

    def ingest() -> None:
        begin.wait()
        make_events(2, subject="account-0", time=NOON)  # the same events of all of them: a hundred

    def look() -> None:
        begin.wait()
        check_limits(at=NOON)

    with open_threads(10) as threads:
        threads.run_all(*[ingest] * 8, *[look] * 2)
    check_limits(at=NOON)
    told = Alert.objects.filter(state="told", account=account_id).order_by("level")
    assert list(told.values_list("level", flat=True)) == [80, 100]
    assert Notice.objects.filter(alert=told[1]).count() == 3  # one for each audience
    assert list(check()) == []


def record_at_once(monkeypatch) -> None:
    """Two checks of one limit, each of which sees that nothing is recorded before either records."""
    make_limits(1)
    Limit.objects.update(used=9, needs_check=False)
    limit_id = Limit.objects.get().pk
    both_looked, read_past = threading.Barrier(2, timeout=20), observing.read_past

    def read_then_wait(observations):
        past = read_past(observations)
        both_looked.wait()
        return past

    monkeypatch.setattr(detection, "lock_limits", lambda ids: list(Limit.objects.filter(pk__in=list(ids))))
    monkeypatch.setattr(observing, "read_past", read_then_wait)
    with open_threads(2) as threads:
        threads.run_all(*[lambda: record_crossings([limit_id], at=NOON)] * 2)


@pytest.mark.django_db(transaction=True)
def test_the_constraint_alone_keeps_a_level_from_speaking_twice(monkeypatch):
    record_at_once(monkeypatch)
    assert Alert.objects.count() == 1
    assert Notice.objects.count() == 3  # one for each audience


@pytest.fixture
def no_constraint(transactional_db) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE metering_alert DROP CONSTRAINT alert_speaks_once")
    yield
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM metering_notice")
        cursor.execute("DELETE FROM metering_alert")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        cursor.execute(
            "ALTER TABLE metering_alert ADD CONSTRAINT alert_speaks_once"
            " UNIQUE NULLS NOT DISTINCT (account_id, kind, unit, meter_id, subject, starts_at, epoch, level, arming)"
        )


@pytest.mark.usefixtures("no_constraint")
def test_without_lock_and_constraint_a_level_does_speak_twice(monkeypatch):
    record_at_once(monkeypatch)
    assert Alert.objects.count() == 2
