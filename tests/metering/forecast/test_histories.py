from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from metering.calendars import HOUR
from metering.forecast.histories import Asked, read_histories
from metering.ingest import ingest_events
from metering.meters import create_meter
from tests.metering.makers import make_account, make_event, make_events, make_meter

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 11, 10, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def ask(
    account_id: int, meter_id: int, aggregation: str, *, start=TEN, hours: int = 4, window=(TEN, TEN + DAY)
) -> Asked:
    return Asked(account_id, meter_id, aggregation, start, start + hours * HOUR, *window)


def read_one(asked: Asked) -> list[float | None]:
    values = read_histories({"it": asked})["it"].values
    return [None if np.isnan(value) else float(value) for value in values]


def make_gauge(aggregation: str, **terms) -> int:
    return create_meter(
        key=aggregation, name=aggregation, event_type="request", aggregation=aggregation, value="size", unit="unit",
        at=TEN, **terms,
    ).id  # fmt: skip


def send(*sizes: tuple[float, object]) -> None:
    """(hours after ten, value)"""
    events = [make_event(f"e{n}", time=TEN + at * HOUR, size=size) for n, (at, size) in enumerate(sizes)]
    ingest_events(events, at=TEN + 5 * HOUR)


def test_hours_that_add_up_hold_what_they_added_and_the_others_nothing():
    account, calls = make_account(at=TEN).id, make_meter(at=TEN).id
    traffic = make_meter("bytes", value="size", at=TEN).id
    make_events(2, time=TEN + HOUR / 2, size=5)
    make_events(1, time=TEN + 2 * HOUR, size=7, first=9)
    assert read_one(ask(account, calls, "count")) == [2, None, 1, None]
    assert read_one(ask(account, traffic, "sum")) == [10, None, 7, None]


def test_the_first_hour_is_known_though_it_lies_before_what_is_asked():
    account, calls = make_account(at=TEN).id, make_meter(at=TEN).id
    make_events(1, time=TEN)
    asked = {"later": ask(account, calls, "count", start=TEN + 3 * HOUR), "nobody": ask(account, calls + 1, "count")}
    found = read_histories({"later": asked["later"]})["later"]
    assert (found.first, found.start, found.end) == (TEN, TEN + 3 * HOUR, TEN + 7 * HOUR)
    assert read_histories(asked).keys() == {"later"}


def test_an_account_without_any_hour_has_no_first():
    account, calls = make_account(at=TEN).id, make_meter(at=TEN).id
    found = read_histories({1: ask(account, calls, "count")})[1]
    assert found.first is None
    assert np.isnan(found.values).all()


@pytest.mark.parametrize(
    ("aggregation", "terms", "hours"),
    [
        ("min", {}, [1, None, 4, None]),
        ("max", {}, [3, None, 4, None]),
        ("avg", {}, [2, None, 4, None]),
        ("latest", {}, [2, None, 4, None]),
        ("weighted_sum", {}, [6, None, 4, None]),
        ("percentile", {"percentile": Decimal(50)}, [2, None, 4, None]),
        ("unique", {}, [3, None, 1, None]),
    ],
)
def test_hours_of_levels_read_as_their_meter_does(aggregation, terms, hours):
    account, gauge = make_account(at=TEN).id, make_gauge(aggregation, **terms)
    send((0, 1), (0.25, 3), (0.5, 2), (2, 4))
    assert read_one(ask(account, gauge, aggregation)) == hours


def test_changes_of_a_level_come_with_what_they_weigh_within_their_hour():
    account, gauge = make_account(at=TEN).id, make_gauge("weighted_sum")
    send((0.5, 10), (1, 4))
    assert read_histories({1: ask(account, gauge, "weighted_sum")})[1].weights.tolist() == [18000, 0, 0, 0]


def test_the_latest_value_before_is_known():
    account, gauge = make_account(at=TEN).id, make_gauge("latest", carries_over=True)
    send((0, 1), (1, 8), (3, 5))
    found = read_histories({1: ask(account, gauge, "latest", start=TEN + 2 * HOUR)})[1]
    assert (found.before, found.values[1]) == (8, 5)


def test_a_distinct_value_is_new_once_in_each_window():
    account, users = make_account(at=TEN).id, make_gauge("unique")
    send((0, "ada"), (1, "ada"), (1, "bob"), (2, "ada"), (3, "ada"), (3, "bob"))
    window = (TEN + 2 * HOUR, TEN + 4 * HOUR)
    assert read_one(ask(account, users, "unique", window=window)) == [1, 1, 1, 1]


def test_a_distinct_value_that_carries_over_is_new_once():
    account, users = make_account(at=TEN).id, make_gauge("unique", carries_over=True)
    send((0, "ada"), (1, "ada"), (2, "bob"), (3, "ada"))
    assert read_one(ask(account, users, "unique", start=TEN + HOUR)) == [None, 1, None, None]


@pytest.mark.parametrize("accounts", [1, 5])
def test_any_number_of_histories_costs_a_statement_for_each_kind(accounts, django_assert_num_queries):
    ids = [make_account(f"account-{number}", at=TEN).id for number in range(accounts)]
    meters = [(make_meter(at=TEN).id, "count"), (make_gauge("max"), "max"), (make_gauge("unique"), "unique")]
    asked = {(account, meter): ask(account, meter, kind) for account in ids for meter, kind in meters}
    with django_assert_num_queries(3):
        assert len(read_histories(asked)) == 3 * accounts
