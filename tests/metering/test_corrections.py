"""Corrections: what was sent wrongly counts no more, what replaces it does, and everything that was counted follows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from metering.accounts import create_account
from metering.alerts import check_limits
from metering.corrections import (
    AlreadyCorrected,
    CountChanged,
    EventFilter,
    HistoryPruned,
    InvalidFilter,
    InvalidReason,
    ReplacementRefused,
    TooManyEvents,
    UnknownEvent,
    find_retractable,
    replace_event,
    retract_event,
    retract_events,
)
from metering.events import Fate, UsageEvent
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.meters import change_meter, create_meter
from metering.models import Adjustment, Alert, Correction, Event, HourlyRollup, Limit, Pruning, ValueRollup
from metering.usage import read_usage
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WHY = {"reason": "sent twice", "made_by": "ops", "at": NOON + DAY}
ALL_DAY = EventFilter(start=NOON - DAY, end=NOON + DAY)


def make_limit(account_id: int, meter_id: int, quantity: int | None = 1_000) -> Limit:
    terms = LimitTerms(meter_id=meter_id, quantity=None if quantity is None else Decimal(quantity), is_hard=False)
    hand_over_limits(account_ids=[account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=NOON)
    return Limit.objects.get(account_id=account_id, meter_id=meter_id)


def read_used(limit: Limit) -> Decimal:
    limit.refresh_from_db()
    return limit.used


def quantity_of(account_id: int, meter_key: str) -> Decimal:
    return read_usage(account_id=account_id, meter_key=meter_key, start=NOVEMBER, end=DECEMBER).quantity


def assert_sound() -> None:
    assert list(check()) == []


def test_a_retracted_event_counts_no_more():
    account, requests, size = make_account(), make_meter(), make_meter("bytes", value="bytes", event_type="request")
    limits = make_limit(account.id, requests.id), make_limit(account.id, size.id)
    make_events(1, bytes=40), make_events(1, first=2, bytes=2)

    result = retract_event("test", "1", **WHY)

    assert [read_used(each) for each in limits] == [1, 2]
    assert quantity_of(account.id, "bytes") == 2
    assert result.event_count == 1
    assert [(each.meter_key, each.before, each.after) for each in result.changes] == [
        ("requests", 2, 1), ("bytes", 42, 2),
    ]  # fmt: skip
    row = Correction.objects.get()
    assert (row.source, row.event_id, row.kind, row.reason, row.made_by, row.made_at) == (
        "test", "1", "retract", "sent twice", "ops", NOON + DAY,
    )  # fmt: skip
    assert Event.objects.count() == 2
    assert_sound()


def test_the_last_event_of_an_hour_takes_its_rollups_with_it():
    account = make_account()
    create_meter(
        key="paths", name="Paths", event_type="request", aggregation="unique", value="path", unit="path", at=NOON
    )
    make_events(1, path="/")
    retract_event("test", "1", **WHY)
    assert not HourlyRollup.objects.exists()
    assert not ValueRollup.objects.exists()
    assert quantity_of(account.id, "paths") == 0
    assert_sound()


def test_retracting_again_changes_nothing():
    make_account(), make_meter()
    make_events(2)
    retract_event("test", "1", **WHY)
    again = retract_event("test", "1", reason="again", made_by="another", at=NOON + 2 * DAY)
    assert again.event_count == 0
    assert Correction.objects.get().reason == "sent twice"
    assert_sound()


def test_a_retracted_event_stays_a_duplicate():
    account, meter = make_account(), make_meter()
    limit = make_limit(account.id, meter.id)
    make_events(2)
    retract_event("test", "1", **WHY)
    assert [fate.fate for fate in make_events(1)] == [Fate.DUPLICATE]
    assert read_used(limit) == 1
    assert_sound()


def test_a_replacement_counts_in_place_of_the_event():
    account, meter = make_account(), make_meter("bytes", value="bytes", event_type="request")
    limit = make_limit(account.id, meter.id)
    make_events(1, bytes=40), make_events(1, first=2, bytes=2)

    result = replace_event("test", "1", make_event("1b", time=None, bytes=4), **WHY)

    assert read_used(limit) == 6
    assert result.replacement.fate is Fate.ACCEPTED
    assert Event.objects.get(event_id="1b").happened_at == NOON
    row = Correction.objects.get()
    assert (row.kind, row.replacement_source, row.replacement_id) == ("replace", "test", "1b")
    assert_sound()


def test_replacing_twice_with_the_same_is_quiet_and_with_another_is_refused():
    make_account(), make_meter()
    make_events(1)
    replace_event("test", "1", make_event("1b", time=None), **WHY)
    again = replace_event("test", "1", make_event("1b", time=None), **WHY)
    assert (again.event_count, again.replacement.fate) == (0, Fate.DUPLICATE)
    with pytest.raises(AlreadyCorrected, match="by test 1b"):
        replace_event("test", "1", make_event("1c", time=None), **WHY)
    with pytest.raises(AlreadyCorrected, match="correct that one"):
        retract_event("test", "1", **WHY)
    assert Correction.objects.count() == 1
    assert Event.objects.count() == 2
    assert_sound()


def test_a_replacement_can_be_corrected_itself():
    account, meter = make_account(), make_meter()
    limit = make_limit(account.id, meter.id)
    make_events(1)
    replace_event("test", "1", make_event("1b", time=None), **WHY)
    retract_event("test", "1b", **WHY)
    assert read_used(limit) == 0
    assert_sound()


def test_what_was_retracted_is_not_replaced():
    make_account(), make_meter()
    make_events(1)
    retract_event("test", "1", **WHY)
    with pytest.raises(AlreadyCorrected, match="retracted already"):
        replace_event("test", "1", make_event("1b", time=None), **WHY)
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (make_event("1"), "known"),
        (make_event("2"), "known"),
        (make_event("2", bytes=3), "conflict"),
        (make_event("3", type="nothing"), "unknown_type"),
        (make_event("3", time=NOON + 9 * DAY), "time_in_future"),
        (make_event(""), "required"),
    ],
)
def test_a_replacement_that_cannot_be_stored_is_refused_and_nothing_changes(event: UsageEvent, code: str):
    account, meter = make_account(), make_meter()
    limit = make_limit(account.id, meter.id)
    make_events(2)
    with pytest.raises(ReplacementRefused) as refused:
        replace_event("test", "1", event, **WHY)
    assert refused.value.fate.code == code
    assert read_used(limit) == 2
    assert not Correction.objects.exists()
    assert_sound()


def test_a_replacement_may_be_as_old_as_what_it_replaces():
    make_account(), make_meter()
    long_ago = NOON - 300 * DAY
    ingest_events([make_event("1", time=long_ago)], at=NOON, max_age=365 * DAY)
    result = replace_event("test", "1", make_event("1b", time=long_ago), **WHY)
    assert result.replacement.fate is Fate.ACCEPTED
    assert_sound()


def test_a_replacement_may_be_of_another_account_hour_and_type():
    acme, other = make_account(), make_account("other")
    requests, calls = make_meter(), make_meter("calls", event_type="call")
    limits = make_limit(acme.id, requests.id), make_limit(other.id, calls.id)
    make_events(3)
    moved = make_event("1b", subject="other", type="call", time=NOON - 5 * HOUR)
    result = replace_event("test", "1", moved, **WHY)
    assert [read_used(each) for each in limits] == [2, 1]
    assert [(each.account_key, each.before, each.after) for each in result.changes] == [("acme", 3, 2), ("other", 0, 1)]
    assert_sound()


def test_a_level_is_not_reached_by_what_is_counted_twice_for_a_moment():
    account, meter = make_account(), make_meter("bytes", value="bytes", event_type="request")
    make_limit(account.id, meter.id, 100)
    make_events(1, bytes=70)
    replace_event("test", "1", make_event("1b", time=None, bytes=60), **WHY)
    check_limits(at=NOON)
    assert not Alert.objects.exists()
    replace_event("test", "1b", make_event("1c", time=None, bytes=90), **WHY)
    assert Alert.objects.get().used == 90
    assert_sound()


def test_an_alert_that_spoke_is_over_when_its_level_is_left_and_speaks_no_second_time_that_day():
    account, meter = make_account(), make_meter()
    limit = make_limit(account.id, meter.id, 10)
    make_events(8)
    assert [alert.level for alert in Alert.objects.all()] == [80]
    retract_event("test", "1", **WHY)
    check_limits(at=NOON)
    assert Alert.objects.get().recovery == "fell"
    assert_sound()
    make_events(1, first=20)
    check_limits(at=NOON)
    assert list(Alert.objects.order_by("pk").values_list("level", "silence")) == [(80, ""), (80, "flap")]
    make_events(2, first=30)
    assert list(Alert.objects.filter(state="told").order_by("pk").values_list("level", flat=True)) == [80, 100]
    assert read_used(limit) == 10
    assert_sound()


def test_correcting_an_unmatched_event_counts_nothing_then_or_later():
    make_meter()
    make_events(2, subject="newcomer")
    assert retract_event("test", "1", **WHY).changes == ()
    account = create_account(key="newcomer", name="", at=NOON)
    assert quantity_of(account.id, "requests") == 1
    assert_sound()


def test_a_replacement_may_wait_for_its_account():
    account = make_account()
    make_meter()
    make_events(1)
    result = replace_event("test", "1", make_event("1b", subject="newcomer"), **WHY)
    assert result.replacement.fate is Fate.UNMATCHED
    assert quantity_of(account.id, "requests") == 0
    newcomer = make_account("newcomer")
    assert quantity_of(newcomer.id, "requests") == 1
    assert_sound()


def test_a_closed_window_is_adjusted():
    account, meter = make_account(), make_meter("bytes", value="bytes", event_type="request")
    limit = make_limit(account.id, meter.id)
    make_events(1, bytes=40), make_events(1, first=2, bytes=2)
    close_window(account_id=account.id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    make_events(1, first=3, bytes=1)
    replace_event("test", "1", make_event("1b", time=None, bytes=50), **WHY)
    retract_event("test", "2", **WHY)
    assert [(row.quantity, row.cause) for row in Adjustment.objects.order_by("pk")] == [
        (1, "late"), (10, "correction"), (-2, "correction"),
    ]  # fmt: skip
    limit.refresh_from_db()
    assert (limit.used_at_close, limit.used) == (42, 51)
    assert_sound()


def test_an_event_is_measured_by_the_version_of_its_time():
    account = make_account()
    size = make_meter("bytes", value="bytes", event_type="request")
    later = NOON.replace(minute=0) + 2 * HOUR
    change_meter("bytes", event_type="request", value="bytes * 10", starts_at=later, at=NOON)
    limit = make_limit(account.id, size.id)
    make_events(2, bytes=3)
    make_events(2, first=3, bytes=3, time=later + HOUR)
    assert read_used(limit) == 66
    retract_event("test", "1", **WHY)
    retract_event("test", "3", **WHY)
    assert read_used(limit) == 33
    assert_sound()


def test_an_event_that_no_meter_could_use_is_corrected_without_a_trace():
    make_account(), make_meter("bytes", value="bytes", event_type="request")
    make_events(1, bytes="many")
    assert retract_event("test", "1", **WHY).changes == ()
    assert_sound()


def test_the_hours_of_others_stay_as_they_are():
    acme, other = make_account(), make_account("other")
    make_meter()
    make_events(2), make_events(3, first=10, subject="other"), make_events(4, first=20, time=NOON + HOUR)
    retract_event("test", "1", **WHY)
    assert quantity_of(acme.id, "requests") == 5
    assert quantity_of(other.id, "requests") == 3
    assert_sound()


def test_what_is_not_stored_or_not_ones_own_is_unknown():
    acme, other = make_account(), make_account("other")
    make_meter()
    make_events(1), make_events(1, first=2, subject="nobody")
    for id_, account_id in [("9", None), ("1\0", None), ("1", other.id), ("2", acme.id)]:
        with pytest.raises(UnknownEvent):
            retract_event("test", id_, account_id=account_id, **WHY)
    with pytest.raises(ReplacementRefused, match="no account"):
        replace_event("test", "1", make_event("1b", subject="other"), account_id=acme.id, **WHY)
    assert retract_event("test", "1", account_id=acme.id, **WHY).event_count == 1


@pytest.mark.parametrize("reason", ["", "  ", "x" * 401, "\0"])
def test_a_correction_says_why(reason: str):
    make_account(), make_meter()
    make_events(1)
    with pytest.raises(InvalidReason):
        retract_event("test", "1", reason=reason, made_by="ops", at=NOON)


def test_the_ledger_is_append_only():
    make_account(), make_meter()
    make_events(1)
    retract_event("test", "1", **WHY)
    for sql in ("UPDATE metering_correction SET reason = ''", "DELETE FROM metering_correction"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_a_dry_run_says_what_would_change_and_changes_nothing():
    account, meter = make_account(), make_meter()
    limit = make_limit(account.id, meter.id)
    make_events(12), make_events(1, first=20, subject="nobody")
    found = find_retractable(ALL_DAY, at=NOON)
    assert (found.event_count, len(found.sample), found.sample[0].id) == (13, 10, "1")
    [change] = found.changes
    assert (change.account_key, change.meter_key, change.start, change.end) == ("acme", "requests", NOVEMBER, DECEMBER)
    assert (change.before, change.after, change.is_closed) == (12, 0, False)
    assert read_used(limit) == 12
    assert not Correction.objects.exists()
    assert_sound()


def test_without_a_window_the_change_is_of_the_hours():
    make_account(), make_meter()
    make_events(1), make_events(1, first=2, time=NOON + 3 * HOUR)
    [change] = find_retractable(ALL_DAY, at=NOON).changes
    assert (change.start, change.end, change.before, change.after) == (NOON, NOON + 4 * HOUR, 2, 0)


def test_all_that_match_are_retracted_when_they_are_as_many_as_was_told():
    account, meter = make_account(), make_meter()
    limit = make_limit(account.id, meter.id)
    make_events(30), make_events(5, first=100, time=NOON - 30 * HOUR)
    with pytest.raises(CountChanged) as changed:
        retract_events(ALL_DAY, expected_count=29, **WHY)
    assert changed.value.found == 30
    assert read_used(limit) == 35
    retract_event("test", "1", **WHY)
    assert retract_events(ALL_DAY, expected_count=29, **WHY).event_count == 29
    assert read_used(limit) == 5
    assert retract_events(ALL_DAY, expected_count=0, **WHY).event_count == 0
    assert Correction.objects.count() == 30
    assert_sound()


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        ({"subject": "shop"}, {"2"}),
        ({"type": "call"}, {"4"}),
        ({"source": "other"}, {"3"}),
        ({"start": NOON + HOUR}, {"4"}),
        ({"end": NOON + HOUR}, {"1", "2", "3"}),
        ({"source": "test", "type": "request"}, {"1", "2"}),
        ({"source": "\0"}, set()),
    ],
)
def test_a_filter_is_all_of_what_it_names(names, ids):
    account = make_account(aliases=["shop"])
    make_meter(), make_meter("calls", event_type="call")
    make_events(1), make_events(1, first=2, subject="shop"), make_events(1, first=3, source="other")
    make_events(1, first=4, type="call", time=NOON + HOUR)
    wanted = EventFilter(**{"start": NOON - DAY, "end": NOON + DAY, "account_id": account.id, **names})
    assert {event.id for event in find_retractable(wanted, at=NOON).sample} == ids


def test_an_account_retracts_its_own_alone():
    acme, other = make_account(), make_account("other")
    make_meter()
    make_events(1), make_events(2, first=2, subject="other"), make_events(1, first=9, subject="nobody")
    assert retract_events(ALL_DAY, expected_count=1, account_id=acme.id, **WHY).event_count == 1
    assert quantity_of(other.id, "requests") == 2


def test_a_filter_needs_a_window_and_takes_no_more_than_one_call_may(monkeypatch):
    monkeypatch.setattr("metering.matching.MATCHED_MAX", 3)
    make_account(), make_meter()
    make_events(4)
    with pytest.raises(TooManyEvents, match="More than 3"):
        find_retractable(ALL_DAY, at=NOON)
    with pytest.raises(InvalidFilter):
        find_retractable(EventFilter(start=NOON, end=NOON), at=NOON)


def test_hours_whose_events_were_pruned_are_not_corrected():
    account = make_account()
    make_meter()
    make_events(1)
    Pruning.objects.create(month="2026-08-01", event_count=1, kept_after=NOON + HOUR, pruned_at=NOON)
    for call in (
        lambda: retract_event("test", "1", **WHY),
        lambda: replace_event("test", "1", make_event("1b"), **WHY),
        lambda: find_retractable(ALL_DAY, at=NOON),
    ):
        with pytest.raises(HistoryPruned):
            call()
    assert quantity_of(account.id, "requests") == 1
    assert not Correction.objects.exists()
