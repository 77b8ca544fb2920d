import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from metering.alerts import check_limits, claim_alerts, list_alerts, record_crossings
from metering.alerts import detection as alerts
from metering.alerts.detection import is_reached, level_quantity
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.models import Alert, Limit
from metering.quantities import EXACT
from tests.metering.makers import make_account, make_event, make_events, make_meter
from tests.metering.threads import open_threads

NOVEMBER, DECEMBER, JANUARY = (
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def day(number: int, hour: int = 10) -> datetime:
    return NOVEMBER + timedelta(days=number - 1, hours=hour)


class Story:
    """One account and a meter that sums amounts, brought from total to total; checked after every step."""

    def __init__(self) -> None:
        self.meter_id = make_meter("storage", value="amount", unit="GB").id
        self.account_id = make_account("acme").id
        self.used = Decimal(0)
        self.sent = 0

    def limit(self, at: datetime, quantity: str | None, *, check: bool = True) -> None:
        start = NOVEMBER if at < DECEMBER else DECEMBER
        terms = LimitTerms(self.meter_id, None if quantity is None else Decimal(quantity), is_hard=False)
        end = DECEMBER if at < DECEMBER else JANUARY
        hand_over_limits(account_ids=[self.account_id], terms=[terms], start=start, end=end, at=at)
        if check:
            check_limits(at=at)

    def use(self, at: datetime, total: str, *, happened_at: datetime | None = None) -> None:
        """Bring the total of its window there."""
        self.sent += 1
        amount = EXACT.subtract(Decimal(total), self.used)
        event = make_event(str(self.sent), time=happened_at or at, amount=amount)
        [fate] = ingest_events([event], at=at)
        assert fate.fate in ("accepted", "late")
        self.used = Decimal(total)
        check_limits(at=at)

    def spoken(self) -> list[tuple[datetime, int]]:
        facts = list_alerts([self.account_id])
        return [(fact.detected_at, int(fact.level)) for fact in reversed(facts)]


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
    assert story.spoken() == [(day(6), 100)]
    assert list(Alert.objects.order_by("level").values_list("level", "state")) == [(80, "superseded"), (100, "told")]
    assert Limit.objects.get().next_crossing is None


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
    assert story.spoken() == [(day(10, 11), 100)]


def test_a_lowered_limit_speaks_anew_for_its_epoch(story):
    story.limit(day(1, 0), "100")
    story.use(day(6), "95")
    story.limit(day(8), "96")
    assert story.spoken() == [(day(6), 80), (day(8), 80)]
    assert list(Alert.objects.order_by("pk").values_list("epoch", "quantity")) == [(1, 100), (2, 96)]


def test_a_first_limit_below_what_was_used_speaks(story):
    story.limit(day(1, 0), None)
    story.use(day(6), "28.56")
    story.limit(day(7), "1")
    assert story.spoken() == [(day(7), 100)]


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


def test_a_closed_window_does_not_speak(story):
    story.limit(day(1, 0), "100")
    story.use(day(29), "60")
    close_window(account_id=story.account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    story.use(DECEMBER + timedelta(hours=2), "95", happened_at=day(30))
    assert Limit.objects.get().used == 95
    assert story.spoken() == []
    assert record_crossings([Limit.objects.get().pk], at=JANUARY) == 0


def test_closing_lets_a_changed_limit_speak_first(story):
    story.limit(day(1, 0), "1000")
    story.use(day(6), "500")
    story.limit(day(30), "400", check=False)
    close_window(account_id=story.account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    assert story.spoken() == [(DECEMBER, 100)]


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


@pytest.mark.parametrize(
    ("level", "used", "quantity", "reached"),
    [
        (80, "79.999999999999", "100", False),
        (80, "80", "100", True),
        (100, "99999999999999999999999999.999999999998", "99999999999999999999999999.999999999999", False),
        (80, "0", "0", False),
        (80, "0.000000000001", "0", True),
        (80, "-1", "0", False),
    ],
)
def test_a_level_is_compared_exactly(level, used, quantity, reached):
    assert is_reached(level, used=Decimal(used), quantity=Decimal(quantity)) is reached


def test_the_quantity_of_a_level_decides_as_the_level_does():
    step = Decimal("0.000000000001")
    for quantity in map(Decimal, ["0.000000000001", "0.000000000007", "3.333333333333", "12345678901234567890.1"]):
        for level in alerts.LEVELS:
            at = level_quantity(level, quantity)
            assert is_reached(level, used=at, quantity=quantity)
            assert not is_reached(level, used=EXACT.subtract(at, step), quantity=quantity)


# The periodic check


def make_limits(count: int, *, quantity: int = 10) -> list[int]:
    """Accounts `account-0`, … each with a limit on requests; returns their ids."""
    meter_id = make_meter("requests").id
    ids = [make_account(f"account-{number}").id for number in range(count)]
    for account_id in ids:
        terms = [LimitTerms(meter_id, Decimal(quantity), is_hard=False)]
        hand_over_limits(account_ids=[account_id], terms=terms, start=NOVEMBER, end=DECEMBER, at=NOON)
    return ids


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
        with django_assert_num_queries(12) as captured:  # four of them are savepoints
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


def record_at_once(monkeypatch) -> None:
    """Two checks of one limit, each of which sees that nothing is recorded before either records."""
    make_limits(1)
    Limit.objects.update(used=9, needs_check=False)
    limit_id = Limit.objects.get().pk
    both_looked, read_recorded_levels = threading.Barrier(2, timeout=20), alerts.read_recorded_levels

    def read_then_wait(limits):
        recorded = read_recorded_levels(limits)
        both_looked.wait()
        return recorded

    monkeypatch.setattr(alerts, "lock_limits", lambda ids: list(Limit.objects.filter(pk__in=list(ids))))
    monkeypatch.setattr(alerts, "read_recorded_levels", read_then_wait)
    with open_threads(2) as threads:
        threads.run_all(*[lambda: record_crossings([limit_id], at=NOON)] * 2)


@pytest.mark.django_db(transaction=True)
def test_the_constraint_alone_keeps_a_level_from_speaking_twice(monkeypatch):
    record_at_once(monkeypatch)
    assert Alert.objects.count() == 1


@pytest.fixture
def no_constraint(transactional_db) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE metering_alert DROP CONSTRAINT alert_speaks_once")
    yield
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM metering_alert")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        cursor.execute(
            "ALTER TABLE metering_alert ADD CONSTRAINT alert_speaks_once"
            " UNIQUE (account_id, meter_id, starts_at, epoch, level)"
        )


@pytest.mark.usefixtures("no_constraint")
def test_without_lock_and_constraint_a_level_does_speak_twice(monkeypatch):
    record_at_once(monkeypatch)
    assert Alert.objects.count() == 2


# Handing alerts out


@pytest.mark.django_db
def test_an_alert_is_handed_out_once_and_never_when_superseded():
    make_limits(3)
    Limit.objects.update(used=10)
    check_limits(at=NOON)
    first, second = claim_alerts(at=NOON, limit=2), claim_alerts(at=NOON + timedelta(minutes=1))
    assert [fact.level for fact in first + second] == [100, 100, 100]
    assert len({fact.id for fact in first + second}) == 3
    assert claim_alerts(at=NOON) == []
    assert Alert.objects.filter(claimed_at=None, state="superseded").count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_is_rolled_back_is_free_again():
    make_limits(1)
    Limit.objects.update(used=9)
    check_limits(at=NOON)
    with transaction.atomic():
        assert len(claim_alerts(at=NOON)) == 1
        transaction.set_rollback(True)
    with transaction.atomic():
        assert len(claim_alerts(at=NOON)) == 1


@pytest.mark.django_db(transaction=True)
def test_many_claimers_share_the_alerts_without_overlap():
    make_limits(12)
    Limit.objects.update(used=9)
    check_limits(at=NOON)

    def claim_all() -> list[int]:
        claimed: list[int] = []
        while True:
            with transaction.atomic():
                facts = claim_alerts(at=NOON, limit=2)
            if not facts:
                return claimed
            claimed += [fact.id for fact in facts]

    with open_threads(4) as threads:
        claimed = [alert_id for ids in threads.run_all(*[claim_all] * 4) for alert_id in ids]
    assert sorted(claimed) == sorted(Alert.objects.values_list("pk", flat=True))
