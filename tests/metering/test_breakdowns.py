"""A quantity broken down by dimensions, or of some of their values alone."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from metering.accounts import find_account
from metering.breakdowns import UnknownDimension, plan_breakdown, read_dimensions
from metering.ingest import ingest_events
from metering.invariants import check
from metering.meters import change_meter, create_meter
from metering.models import HourlyRollup
from metering.readings import list_groups
from metering.spans import read_every
from tests.metering.makers import make_account, make_event

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=2)
LATER = START + timedelta(days=1)


def make_gauge(aggregation: str = "sum", dimensions: Sequence[str] = ("region", "plan"), **terms: Any) -> None:
    create_meter(
        key="gauge",
        name="Gauge",
        unit="unit",
        event_type="reading",
        aggregation=aggregation,
        value="level",
        dimensions=dimensions,
        at=START - timedelta(days=2),
        **terms,
    )


def send(*rows: tuple[datetime, Any, dict[str, Any]]) -> None:
    events = [
        make_event(f"{number} {at}", type="reading", time=at, level=level, **data)
        for number, (at, level, data) in enumerate(rows)
    ]
    ingest_events(events, at=END)


def read_groups(
    *group_by: str, start: datetime = START, end: datetime = END, filters: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Decimal]:
    breakdown = plan_breakdown(read_dimensions(["gauge"]), group_by=group_by, filters=filters or {})
    [span] = read_every([find_account("acme").id], meter_keys=["gauge"], bounds=[start, end], breakdown=breakdown)
    return {group: quantity for group, [(quantity, _)] in list_groups(span, [start, end])}


@pytest.fixture(autouse=True)
def account_id() -> int:
    return make_account("acme").id


ROWS = [
    (START, 1, {"region": "eu", "plan": "pro"}),
    (START, 10, {"region": "eu", "plan": "free"}),
    (START + timedelta(minutes=40), 100, {"region": "us", "plan": "pro"}),
    (START + timedelta(hours=1), 1000, {"plan": "pro"}),
    (START + timedelta(hours=1), 10000, {"region": 'a"b', "plan": 5}),
]


def test_groups_are_by_some_of_the_dimensions_and_a_missing_value_is_null():
    make_gauge()
    send(*ROWS)
    assert read_groups("region") == {'["eu"]': 11, '["us"]': 100, "[null]": 1000, '["a\\"b"]': 10000}
    assert read_groups("plan") == {'["free"]': 10, '["pro"]': 1101, "[5]": 10000}
    assert read_groups("plan", "region")['["free","eu"]'] == 10
    assert read_groups() == {"[]": 11111}


@pytest.mark.parametrize(
    ("filters", "quantity"),
    [
        ({"region": ["eu"]}, 11),
        ({"region": ["eu", "us"]}, 111),
        ({"region": ["null"]}, 1000),
        ({"plan": ["5"]}, 10000),
        ({"region": ["eu"], "plan": ["pro"]}, 1),
        ({"region": ["nowhere"]}, 0),
    ],
)
def test_a_filter_counts_only_some_values(filters, quantity):
    make_gauge()
    send(*ROWS)
    assert sum(read_groups(filters=filters).values()) == quantity


def test_groups_of_an_hour_that_is_split_come_from_its_events():
    make_gauge()
    send(*ROWS)
    assert read_groups("region", end=START + timedelta(minutes=41)) == {'["eu"]': 11, '["us"]': 100}
    assert read_groups("region", start=START + timedelta(minutes=30)) == {
        '["us"]': 100,
        "[null]": 1000,
        '["a\\"b"]': 10000,
    }


def test_versions_may_list_dimensions_in_another_order():
    make_gauge(dimensions=["region", "plan"])
    change_meter(
        "gauge",
        event_type="reading",
        value="level",
        dimensions=["plan", "host", "region"],
        starts_at=LATER,
        at=START - timedelta(days=1),
    )
    send(ROWS[0], ROWS[1], (LATER, 100, {"region": "eu", "plan": "pro", "host": "h1"}))
    assert read_groups("region") == {'["eu"]': 111}
    assert read_groups("plan") == {'["free"]': 10, '["pro"]': 101}
    assert read_groups("host") == {"[null]": 11, '["h1"]': 100}
    assert read_groups("region", filters={"host": ["h1"]}) == {'["eu"]': 100}


@pytest.mark.parametrize(
    ("aggregation", "terms", "groups"),
    [
        ("unique", {}, {'["eu"]': 2, '["us"]': 1}),
        ("max", {}, {'["eu"]': 7, '["us"]': 5}),
        ("avg", {}, {'["eu"]': Decimal("5.666666666667"), '["us"]': 5}),
        ("percentile", {"percentile": Decimal(40)}, {'["eu"]': 5, '["us"]': 5}),
        ("latest", {"carries_over": True}, {'["eu"]': 7, '["us"]': 5}),
        ("unique", {"carries_over": True}, {'["eu"]': 2, '["us"]': 1}),
    ],
)
def test_what_does_not_add_up_is_put_together_from_the_dimensions_left_out(aggregation, terms, groups):
    make_gauge(aggregation, **terms)
    send(
        (START, 5, {"region": "eu", "plan": "pro"}),
        (START, 5, {"region": "eu", "plan": "free"}),
        (START + timedelta(hours=1), 7, {"region": "eu", "plan": "free"}),
        (START + timedelta(hours=1), 5, {"region": "us", "plan": "free"}),
    )
    assert read_groups("region") == groups


def test_each_group_carries_its_own_level():
    make_gauge("latest", carries_over=True)
    send(
        (START, 5, {"region": "eu", "plan": "pro"}),
        (START + timedelta(hours=2), 7, {"region": "us", "plan": "pro"}),
        (LATER, 9, {"region": "us", "plan": "pro"}),
    )
    assert read_groups("region", start=LATER) == {'["eu"]': 5, '["us"]': 9}


def test_a_dimension_that_no_version_has_is_named():
    make_gauge()
    with pytest.raises(UnknownDimension, match="Meter gauge has no dimension 'host'"):
        read_groups("host")
    with pytest.raises(UnknownDimension, match="Meter gauge has no dimension 'host'"):
        read_groups("region", filters={"host": ["x"]})


@pytest.mark.parametrize("aggregation", ["sum", "unique"])
def test_the_longest_names_in_any_script_are_counted_or_skipped_with_a_reason(aggregation, account_id):
    """What an index of the database cannot take would be refused for ever, and with it all that is sent beside it."""
    make_gauge(aggregation, dimensions=["a", "b", "c", "d", "e"])
    lengths = {"a": 89, "b": 89, "c": 89, "d": 89, "e": 90}  # 446 letters of four bytes, and 16 of JSON: 1,800
    fits = {name: make_letters(count, first=ord(name)) for name, count in lengths.items()}
    over = fits | {"e": make_letters(91, first=5)}
    level = make_letters(198, first=6) if aggregation == "unique" else 1
    events = [
        make_event(str(number), type="reading", time=START, level=level, **data)
        for number, data in enumerate([fits, over])
    ]
    counted, skipped = ingest_events(events, at=END)
    assert (counted.fate, skipped.fate) == ("accepted", "accepted")
    assert (counted.skipped, [each.code for each in skipped.skipped]) == ((), ["dimension_too_long"])
    assert HourlyRollup.objects.get().event_count == 1
    assert list(check()) == []


def make_letters(count: int, *, first: int) -> str:
    """Of four bytes each, in an order that does not compress."""
    chance = random.Random(first)  # noqa: S311 (the same in every run)
    return "".join(chr(chance.randrange(0x20000, 0x2A6D0)) for _ in range(count))
