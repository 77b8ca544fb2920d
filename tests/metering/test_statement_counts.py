"""What a request costs the database, exactly: a number of statements that neither rows nor accounts add to.

BEGIN and COMMIT are not counted: they are no statements that the server plans.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from metering.alerts import check_limits
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import create_meter
from metering.models import Alert, Event, Limit
from tests.metering.makers import make_account, make_key, make_meter
from tests.metering.senders import Sender

pytestmark = pytest.mark.django_db(transaction=True)

MOST = 6
ACCOUNTS = 40
NOW = timezone.now()
FULL_HOUR = NOW.replace(minute=0, second=0, microsecond=0)
SIZES = [(1, 1), (30, 1), (600, ACCOUNTS)]  # rows and accounts of a request: committed with others, and alone

Row = dict[str, Any]


@pytest.fixture
def account_ids() -> list[int]:
    return [make_account(f"account-{n}").id for n in range(ACCOUNTS)]


@pytest.fixture
def post(client: Client, account_ids: list[int]) -> Sender:
    return Sender(client, make_key(at=timezone.now()).secret)


def build_rows(count: int, accounts: int, *, name: str, **changes: Any) -> list[Row]:
    return [
        {
            "id": f"{name}-{n}", "source": "shop", "type": "request", "subject": f"account-{n % accounts}",
            "data": {"size": n % 50, "user": f"user-{n % 9}", "region": f"region-{n % 5}"},
        } | changes
        for n in range(count)
    ]  # fmt: skip


def make_gauges(**terms: Any) -> list[int]:
    """A meter of each aggregation, over the same events."""
    values = {"count": "", "unique": "user"}
    return [
        create_meter(
            key=each, name=each, event_type="request", aggregation=each, value=values.get(each, "size"), unit="unit",
            percentile=Decimal(95) if each == "percentile" else None, at=NOW, **terms,
        ).id
        for each in ("count", "sum", "min", "max", "avg", "latest", "unique", "weighted_sum", "percentile")
    ]  # fmt: skip


def open_windows(account_ids: list[int], meter_ids: list[int], *, offset: timedelta = timedelta(0)) -> None:
    """So wide that no level is reached, unless a test wants that."""
    terms = [LimitTerms(meter_id=each, quantity=Decimal(10_000_000), is_hard=False) for each in meter_ids]
    start = FULL_HOUR - timedelta(hours=2) + offset
    hand_over_limits(account_ids=account_ids, terms=terms, start=start, end=start + timedelta(days=30), at=NOW)


@contextmanager
def capture_statements() -> Iterator[list[str]]:
    statements: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield statements
    statements += [each["sql"] for each in captured if each["sql"] not in ("BEGIN", "COMMIT")]


def count_for_each_size(post: Sender, build: Callable[[int, int, str], list[Row]], fates: set[str]) -> list[int]:
    """The first request, in which this process learns the meters, is not counted."""
    post(build_rows(30, 1, name="first"))
    counts = []
    for number, (rows, accounts) in enumerate(SIZES):
        sent = build(rows, accounts, f"sent-{number}")
        with capture_statements() as statements:
            response = post(sent)
        assert {row["fate"] for row in response.json()["results"]} <= fates, response.json()["results"][:3]
        counts.append(len(statements))
    return counts


def require_constant(counts: list[int], expected: int) -> None:
    assert counts == [expected] * len(SIZES)
    assert expected <= MOST
    assert list(check()) == []


def send_plainly(count: int, accounts: int, name: str) -> list[Row]:
    return build_rows(count, accounts, name=name)


def test_plain_meters_cost_the_key_the_claim_the_rows_and_the_counting(post, account_ids):
    open_windows(account_ids, [make_meter().id, make_meter("bytes", value="size").id])
    require_constant(count_for_each_size(post, send_plainly, {"accepted"}), 4)


def test_dimensions_cost_no_more(post, account_ids):
    make_gauges(dimensions=["region", "user"])
    require_constant(count_for_each_size(post, send_plainly, {"accepted"}), 4)


def test_gauges_with_limits_cost_a_reading_and_a_writing_of_their_totals(post, account_ids):
    open_windows(account_ids, make_gauges())
    require_constant(count_for_each_size(post, send_plainly, {"accepted"}), 6)


def test_levels_that_carry_over_cost_the_same(post, account_ids):
    meter = create_meter(
        key="storage",
        name="Storage", event_type="request", aggregation="weighted_sum", value="size", unit="byte",
        carries_over=True, at=NOW,
    )  # fmt: skip
    open_windows(account_ids, [meter.id])
    require_constant(count_for_each_size(post, send_plainly, {"accepted"}), 6)


def test_unmatched_rows_are_not_counted(post):
    make_meter()
    counts = count_for_each_size(
        post, lambda count, accounts, name: build_rows(count, accounts, name=name, subject="nobody"), {"unmatched"}
    )
    require_constant(counts, 3)


def test_duplicates_cost_the_key_and_the_claim(post, account_ids):
    open_windows(account_ids, make_gauges())
    for number, (rows, accounts) in enumerate(SIZES):
        post(build_rows(rows, accounts, name=f"sent-{number}"))
    require_constant(count_for_each_size(post, send_plainly, {"duplicate"}), 2)


def mix(count: int, accounts: int, name: str) -> list[Row]:
    """Good rows, one that is refused, one of nobody, one sent twice, one known with other content."""
    good = build_rows(count, accounts, name=name)
    odd = [
        build_rows(1, 1, name=f"{name}-refused")[0] | {"time": "2001-01-01T00:00:00Z"},
        build_rows(1, 1, name=f"{name}-nobody")[0] | {"subject": "nobody"},
        good[0],
        build_rows(1, 1, name="first")[0] | {"data": {"size": 7}},
    ]
    return [*good, *odd]


def test_what_is_refused_among_others_costs_one_more_to_keep(post, account_ids):
    """Plainly counted it stays within six; with gauges that have limits it is the seventh."""
    meter_ids = make_gauges()
    counts = count_for_each_size(post, mix, {"accepted", "rejected", "unmatched", "duplicate", "conflict"})
    assert counts == [5] * len(SIZES)
    open_windows(account_ids, meter_ids)
    counts = count_for_each_size(
        post, lambda count, accounts, name: mix(count, accounts, f"again-{name}"),
        {"accepted", "rejected", "unmatched", "duplicate", "conflict"},
    )  # fmt: skip
    assert counts == [MOST + 1] * len(SIZES)
    assert list(check()) == []


def test_windows_that_begin_within_an_hour_cost_the_same_for_any_number(post, account_ids):
    """Gauges and sums alike are read anew, and the events of that hour are the seventh statement."""
    open_windows(account_ids, make_gauges(), offset=timedelta(hours=2) - timedelta(minutes=30))
    at = (FULL_HOUR - timedelta(minutes=10)).isoformat()
    counts = count_for_each_size(
        post, lambda count, accounts, name: build_rows(count, accounts, name=name, time=at), {"accepted"}
    )
    assert counts == [MOST + 1] * len(SIZES)
    assert list(check()) == []


def test_rows_that_are_all_refused(post):
    make_meter()
    counts = count_for_each_size(
        post, lambda count, accounts, name: build_rows(count, accounts, name=name, subject=""), {"rejected"}
    )
    assert counts == [2] * len(SIZES)


def read_rows_written() -> list[tuple[str, int, str]]:
    """Of each table of metering: how many rows there are, and which transactions wrote them where."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'metering\\_%' ORDER BY 1")
        tables = [name for (name,) in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f"SELECT count(*), md5(string_agg(xmin || ' ' || ctid, ',' ORDER BY ctid)) FROM {table}")  # noqa: S608 (PostgreSQL's own names)
            found.append((table, *cursor.fetchone()))
    return found


def test_a_replay_writes_no_row(post, account_ids):
    open_windows(account_ids, make_gauges())
    small, large = build_rows(5, 5, name="small"), build_rows(600, ACCOUNTS, name="large")
    post(small), post(large)
    assert Event.objects.count() == 605
    before = read_rows_written()
    for _ in range(2):
        for batch in (small, large, large[::-1]):
            assert post(batch).json()["counts"]["duplicate"] == len(batch)
    written = [(new, old) for new, old in zip(read_rows_written(), before, strict=True) if new != old]
    assert written == []


def test_what_is_new_is_seen_to_write_rows(post, account_ids):
    """The control of the look itself."""
    make_meter()
    post(build_rows(5, 5, name="first"))
    before = read_rows_written()
    post(build_rows(1, 1, name="second"))
    written = {new[0] for new, old in zip(read_rows_written(), before, strict=True) if new != old}
    assert {"metering_claim", "metering_hourlyrollup"} <= written


def reads_events(statement: str) -> bool:
    return "metering_event" in statement and not statement.lstrip().startswith(("COPY", "LOCK"))


@pytest.mark.parametrize(("adds_up", "readings"), [(True, 0), (False, 1)])
def test_a_level_check_reads_no_event_but_to_tell_when_what_does_not_add_up_reached_it(
    post, account_ids, adds_up, readings
):
    """Neither that of a request whose events reach a level, nor the periodic one. Then it reads once for all limits."""
    meter_ids = make_gauges()
    open_windows(account_ids, meter_ids[:2] if adds_up else meter_ids[2:])
    post(build_rows(ACCOUNTS, ACCOUNTS, name="first"))
    Limit.objects.update(quantity=3, next_crossing=Decimal("2.4"))
    with capture_statements() as statements:
        assert post(build_rows(600, ACCOUNTS, name="second")).json()["counts"]["accepted"] == 600
    assert Alert.objects.exists()
    assert sum(map(reads_events, statements)) == readings
    Limit.objects.update(quantity=2, next_crossing=Decimal("1.6"), needs_check=True, epoch=2)
    with capture_statements() as statements:
        assert check_limits(at=NOW) > 0
    assert sum(map(reads_events, statements)) == readings


def test_reaching_levels_costs_the_same_for_any_number_of_limits(post, account_ids):
    """What is on record of each level is sixteen statements and a savepoint more, once for each level of a window.

    Three of them tell when what does not add up reached it. With them a job is promised for each hundred notices.
    """
    meter_ids = make_gauges()
    open_windows(account_ids, meter_ids)
    post(build_rows(ACCOUNTS, ACCOUNTS, name="first"))
    Limit.objects.update(quantity=3, next_crossing=Decimal("2.4"))
    counts = []
    for name, accounts in (("one", 1), ("many", ACCOUNTS)):
        with capture_statements() as statements:
            post(build_rows(400, accounts, name=name))
        counts.append(sum("INTO jobs_job" not in statement for statement in statements))
    assert counts == [MOST + 16] * 2
