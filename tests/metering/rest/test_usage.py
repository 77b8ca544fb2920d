from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from metering.ingest import ingest_events
from metering.keys import issue_key
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import change_meter, create_meter
from metering.models import Pruning
from metering.rest import views
from tests.metering.makers import NOON, make_account, make_event, make_key, make_meter

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER = "2026-11-01", "2026-12-01"


def utc(day: int, hour: int = 0, minute: int = 0, *, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


class Api:
    """Reads with a key."""

    def __init__(self, client: Client, secret: str) -> None:
        self.client, self.header = client, f"Bearer {secret}"

    def get(self, path: str = "usage", **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query, HTTP_AUTHORIZATION=self.header)

    def read(self, **query: Any) -> list[dict[str, Any]]:
        response = self.get(**{"start": NOVEMBER, "end": DECEMBER} | query)
        assert response.status_code == 200, response.content
        return list(response.json()["series"])

    def list_quantities(self, **query: Any) -> list[str]:
        [series] = self.read(**query)
        return [point["quantity"] for point in series["points"]]


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client, issue_key(name="reader", scopes=["usage:read"], at=NOON).secret)


@pytest.fixture(autouse=True)
def _sent() -> None:
    make_account("acme", aliases=["shop"])
    make_account("other")
    create_meter(
        key="bandwidth",
        name="Bandwidth",
        unit="byte",
        event_type="request",
        aggregation="sum",
        value="bytes",
        dimensions=["region", "plan"],
        at=NOON,
    )
    make_meter("requests")
    rows = [
        (utc(9, 22, 59), 1, "acme", {"region": "eu", "plan": "pro"}),
        (utc(9, 23), 10, "acme", {"region": "eu", "plan": "free"}),
        (utc(10, 5, 40), Decimal("100.5"), "acme", {"region": "us"}),
        (utc(10, 5), 7, "other", {"region": "us"}),
    ]
    events = [
        make_event(str(number), time=at, subject=subject, bytes=size, **data)
        for number, (at, size, subject, data) in enumerate(rows)
    ]
    ingest_events(events, at=utc(11))


def is_problem(response: Any, status: int, code: str, field: str = "") -> bool:
    body = response.json()
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), body
    assert body["code"] == ("invalid" if field else code), body
    if field:
        assert [(each["field"], each["code"]) for each in body["errors"]] == [(field, code)], body
    return True


def test_a_total_of_each_account_and_meter(api: Api):
    response = api.get(start=NOVEMBER, end=DECEMBER)
    body = response.json()
    assert (body["start"], body["end"], body["window"], body["time_zone"]) == (
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
        None,
        "UTC",
    )
    assert [
        (each["account"], each["meter"], each["points"][0]["quantity"], each["points"][0]["event_count"])
        for each in body["series"]
    ] == [
        ("acme", "bandwidth", "111.5", 3),
        ("acme", "requests", "3", 3),
        ("other", "bandwidth", "7", 1),
        ("other", "requests", "1", 1),
    ]
    assert body["series"][0] == {
        "account": "acme",
        "meter": "bandwidth",
        "unit": "byte",
        "aggregation": "sum",
        "group": {},
        "points": [
            {
                "start": "2026-11-01T00:00:00Z",
                "end": "2026-12-01T00:00:00Z",
                "quantity": "111.5",
                "event_count": 3,
            }
        ],
    }


def test_days_are_those_of_the_time_zone_and_told_by_its_clocks(api: Api):
    [series] = api.read(
        account="shop", meter="bandwidth", window="day", start="2026-11-09", end="2026-11-11", time_zone="Europe/Paris"
    )
    assert [(point["start"], point["end"], point["quantity"]) for point in series["points"]] == [
        ("2026-11-09T00:00:00+01:00", "2026-11-10T00:00:00+01:00", "1"),
        ("2026-11-10T00:00:00+01:00", "2026-11-11T00:00:00+01:00", "110.5"),
    ]


def test_a_day_on_which_clocks_change_has_its_own_hours(api: Api):
    day = {"account": "acme", "meter": "requests", "time_zone": "Europe/Paris", "window": "hour"}
    [autumn] = api.read(**day, start="2026-10-25", end="2026-10-26")
    assert len(autumn["points"]) == 25
    assert [point["start"] for point in autumn["points"][2:4]] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]
    [spring] = api.read(**day, start="2026-03-29", end="2026-03-30")
    assert len(spring["points"]) == 23


def test_hours_of_a_zone_at_half_an_hour_begin_within_ours(api: Api):
    [series] = api.read(
        account="acme",
        meter="requests",
        window="hour",
        start="2026-11-10T10:00",
        end="2026-11-10T12:00",
        time_zone="Asia/Kolkata",
    )
    assert [(point["start"], point["quantity"]) for point in series["points"]] == [
        ("2026-11-10T10:00:00+05:30", "0"),
        ("2026-11-10T11:00:00+05:30", "1"),
    ]


def test_months_and_the_bounds_that_cut_them(api: Api):
    [series] = api.read(account="acme", meter="requests", window="month", start="2026-10-15", end="2026-11-10T01:00")
    assert [(point["start"], point["quantity"]) for point in series["points"]] == [
        ("2026-10-15T00:00:00Z", "0"),
        ("2026-11-01T00:00:00Z", "2"),
    ]


def test_a_bound_within_an_hour_cuts_it(api: Api):
    exact = {"account": "acme", "meter": "bandwidth", "start": "2026-11-10T05:40:00Z"}
    assert api.list_quantities(**exact) == ["100.5"]
    assert api.list_quantities(**exact | {"start": "2026-11-10T05:40:00.000001Z"}) == ["0"]
    assert api.list_quantities(**exact | {"end": "2026-11-10T05:40:00Z"}) == ["0"]


def test_a_plus_sign_may_come_as_a_blank(api: Api):
    found = api.get(start="2026-11-10T00:00:00 01:00", end="2026-11-11T00:00:00 01:00", meter="requests")
    assert found.json()["start"] == "2026-11-09T23:00:00Z"


def test_several_accounts_and_meters(api: Api):
    assert [(each["account"], each["meter"]) for each in api.read(account=["other", "shop", "acme"])] == [
        ("other", "bandwidth"),
        ("other", "requests"),
        ("acme", "bandwidth"),
        ("acme", "requests"),
    ]
    assert len(api.read(meter=["requests", "bandwidth"], account="acme")) == 2


def test_groups_are_told_by_name_and_meters_without_the_dimension_are_left_out(api: Api):
    found = api.read(account="acme", group_by=["region", "account", "meter"])
    assert [(each["meter"], each["group"], each["points"][0]["quantity"]) for each in found] == [
        ("bandwidth", {"region": "eu"}, "11"),
        ("bandwidth", {"region": "us"}, "100.5"),
    ]
    found = api.read(account="acme", meter="bandwidth", group_by=["plan", "region"])
    assert {"plan": None, "region": "us"} in [each["group"] for each in found]


def test_every_point_of_a_group_is_there(api: Api):
    found = api.read(
        account="acme", meter="bandwidth", group_by="region", window="day", start="2026-11-09", end="2026-11-11"
    )
    assert [[point["quantity"] for point in each["points"]] for each in found] == [["11", "0"], ["0", "100.5"]]


@pytest.mark.parametrize(
    ("filters", "quantity"),
    [
        ({"filter[region]": "eu"}, "11"),
        ({"filter[region]": ["eu", "us"]}, "111.5"),
        ({"filter[region]": "eu", "filter[plan]": "free"}, "10"),
        ({"filter[plan]": "null"}, "100.5"),
        ({"filter[region]": "nowhere"}, "0"),
    ],
)
def test_a_filter_counts_some_values(api: Api, filters, quantity):
    assert api.list_quantities(account="acme", meter="bandwidth", **filters) == [quantity]


def test_periods_are_the_windows_of_limits(api: Api, monkeypatch):
    acme = make_account("third")
    meter = make_meter("calls", event_type="call")
    terms = [LimitTerms(meter_id=meter.id, quantity=Decimal(5), is_hard=False)]
    for start, end in [(utc(3), utc(3, month=12)), (utc(3, month=10), utc(3))]:
        hand_over_limits(account_ids=[acme.id], terms=terms, start=start, end=end, at=NOON)
    ingest_events(
        [make_event(str(day), source="calls", type="call", subject="third", time=utc(day)) for day in (2, 3, 4)],
        at=utc(5),
    )
    [series] = api.read(window="period")
    assert [(point["start"], point["end"], point["quantity"]) for point in series["points"]] == [
        ("2026-10-03T00:00:00Z", "2026-11-03T00:00:00Z", "1"),
        ("2026-11-03T00:00:00Z", "2026-12-03T00:00:00Z", "2"),
    ]
    monkeypatch.setattr(views.timezone, "now", lambda: utc(20))
    [series] = api.get(window="period").json()["series"]
    assert [point["quantity"] for point in series["points"]] == ["2"]
    assert is_problem(api.get(window="period", meter="nothing"), 400, "unknown_meter", "meter")


def test_without_bounds_it_is_this_month_so_far(api: Api, monkeypatch):
    monkeypatch.setattr(views.timezone, "now", lambda: utc(10, 5, 41))
    body = api.get(account="acme", meter="requests", time_zone="Europe/Paris").json()
    assert (body["start"], body["end"]) == ("2026-11-01T00:00:00+01:00", "2026-11-10T06:41:00+01:00")
    assert body["series"][0]["points"][0]["quantity"] == "3"


def test_each_aggregation_answers(api: Api):
    for aggregation in ("avg", "min", "max", "latest", "unique", "weighted_sum", "percentile"):
        create_meter(
            key=aggregation,
            name=aggregation,
            unit="byte",
            event_type="request",
            aggregation=aggregation,
            value="bytes",
            percentile=Decimal(50) if aggregation == "percentile" else None,
            at=NOON,
        )
    found = api.read(account="acme", start="2026-11-09", end="2026-11-11")
    assert {each["meter"]: each["points"][0]["quantity"] for each in found} == {
        "bandwidth": "111.5",
        "requests": "3",
        "avg": "37.166666666667",
        "min": "1",
        "max": "100.5",
        "latest": "100.5",
        "unique": "3",
        # 1 for 25 h 1 min, 10 for 25 h, 100.5 for 18 h 20 min, of 48 h
        "weighted_sum": "44.114930555556",
        "percentile": "10",
    }


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"time_zone": "Europe/Atlantis"}, "unknown_time_zone", "time_zone"),
        ({"window": "week"}, "invalid_choice", "window"),
        ({"start": "yesterday"}, "invalid", "start"),
        ({"start": "2026-02-30"}, "invalid", "start"),
        ({"end": "9999-12-31T23:59:59Z"}, "invalid", "end"),
        ({"start": "2026-12-02"}, "invalid", "end"),
        ({"meter": "nothing"}, "unknown_meter", "meter"),
        ({"meter": ["requests", "nothing"]}, "unknown_meter", "meter"),
        ({"group_by": "host"}, "unknown_dimension", "group_by"),
        ({"group_by": "region", "meter": "requests"}, "unknown_dimension", "group_by"),
        ({"group_by": "region", "meter": "nothing"}, "unknown_meter", "meter"),
        ({"filter[host]": "a"}, "unknown_dimension", "filter"),
        ({"windows": "day"}, "unknown", "windows"),
        ({"window": "hour", "start": "2020-01-01"}, "too_many_points", "window"),
        ({"window": "hour", "time_zone": "Asia/Kolkata"}, "too_many_points", "window"),
    ],
)
def test_what_cannot_be_asked_is_told_by_its_field(api: Api, query, code, field):
    response = api.get(**{"start": NOVEMBER, "end": DECEMBER} | query)
    assert is_problem(response, 400, code, field)


def test_an_unknown_account_is_not_found(api: Api):
    assert is_problem(api.get(account=["acme", "nobody"]), 404, "unknown_account")
    assert is_problem(api.get(account="a\0b"), 400, "null_characters_not_allowed", "account.0")


def test_the_key_of_an_account_sees_its_own_usage_alone(client: Client):
    account_id = make_account("mine", aliases=["my-shop"]).id
    api = Api(client, issue_key(name="own", scopes=["usage:read"], account_id=account_id, at=NOON).secret)
    assert {each["account"] for each in api.read()} == {"mine"}
    assert {each["account"] for each in api.read(account="my-shop")} == {"mine"}
    assert is_problem(api.get(account="acme"), 404, "unknown_account")
    assert is_problem(api.get(account=["mine", "acme"]), 404, "unknown_account")


def test_another_scope_opens_neither(client: Client):
    stranger = Api(client, make_key().secret)
    assert is_problem(stranger.get(), 403, "missing_scope")
    assert is_problem(stranger.get("meters"), 403, "missing_scope")


def test_pruned_events_cannot_be_cut(api: Api):
    Pruning.objects.create(month=utc(1), event_count=1, kept_after=utc(20), pruned_at=utc(21))
    assert is_problem(api.get(start="2026-11-10T05:10", end=DECEMBER), 409, "history_pruned")
    assert api.list_quantities(account="acme", meter="requests") == ["3"]


@pytest.mark.parametrize("window", ["", "day", "month"])
@pytest.mark.parametrize("accounts", [["acme"], ["acme", "other"]])
def test_a_question_costs_the_same_statements_whatever_it_asks(api: Api, django_assert_num_queries, window, accounts):
    query = {"account": accounts, "start": NOVEMBER, "end": DECEMBER} | ({"window": window} if window else {})
    with django_assert_num_queries(3):  # the key, the accounts, the rollups
        api.get(**query)
    with django_assert_num_queries(4):  # and the meters' dimensions
        api.get(**query, group_by="region")
    with django_assert_num_queries(4):  # and the events of the hour that is split
        api.get(**query | {"end": "2026-11-20T10:10"})


def test_a_period_costs_one_statement_more(api: Api, django_assert_num_queries):
    account, meter = make_account("third"), make_meter("calls", event_type="call")
    terms = [LimitTerms(meter_id=meter.id, quantity=None, is_hard=False)]
    for month in (9, 10, 11):
        start, end = utc(1, month=month), utc(1, month=month + 1)
        hand_over_limits(account_ids=[account.id], terms=terms, start=start, end=end, at=NOON)
    with django_assert_num_queries(4):
        api.read(window="period", account="third", start="2026-09-01")


def test_meters_are_listed_with_their_versions(api: Api, django_assert_num_queries):
    change_meter(
        "bandwidth",
        event_type="request",
        value="bytes * 2",
        filter={"property": "status", "op": "<", "value": 500},
        dimensions=["region"],
        starts_at=utc(12),
        at=utc(10) + timedelta(hours=1),
    )
    with django_assert_num_queries(3):
        [bandwidth, requests] = api.get("meters").json()["meters"]
    assert requests["versions"] == [
        {"number": 1, "event_type": "request", "value": "", "filter": None, "dimensions": [], "starts_at": None}
    ]
    assert (bandwidth["key"], bandwidth["unit"], bandwidth["aggregation"], bandwidth["percentile"]) == (
        "bandwidth",
        "byte",
        "sum",
        None,
    )
    assert [(each["number"], each["value"], each["starts_at"]) for each in bandwidth["versions"]] == [
        (1, "bytes", None),
        (2, "bytes * 2", "2026-11-12T00:00:00Z"),
    ]
