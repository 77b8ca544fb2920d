from datetime import UTC, datetime
from decimal import Decimal

import pytest

from metering.ingest import ingest_events
from metering.limits import LimitTerms, hand_over_limits
from metering.reservations import hold_quantity
from tests.metering.makers import NOON, make_account, make_event, make_meter
from tests.metering.rest.makers import Caller, told

pytestmark = [pytest.mark.django_db, pytest.mark.time_machine(NOON, tick=False)]

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def account_id(db: None) -> int:
    """`acme`, a quarter through a hard limit of 1,000 minutes and somewhere in an unlimited number of jobs."""
    account = make_account(aliases=["shop"])
    make_account("other")
    minutes = make_meter("minutes", event_type="job", value="minutes")
    jobs = make_meter("jobs", event_type="job")
    terms = [LimitTerms(minutes.id, Decimal(1000), is_hard=True), LimitTerms(jobs.id, None, is_hard=False)]
    hand_over_limits(account_ids=[account.id], terms=terms, start=START, end=END, at=NOON)
    ingest_events([make_event("1", type="job", minutes=250.5)], at=NOON)
    hold_quantity(account_key="acme", meter_key="minutes", quantity=Decimal("0.25"), at=NOON)
    return account.id


@pytest.mark.parametrize("name", ["acme", "shop"])
def test_limits_tell_used_held_and_what_remains(name):
    response = Caller("limits:read").get(f"/api/v1/accounts/{name}/limits")
    window = {"starts_at": "2026-11-01T00:00:00Z", "resets_at": "2026-12-01T00:00:00Z", "epoch": 1}
    minutes = {"meter": "minutes", "unit": "minute", "used": "250.5", "held": "0.25", "limit": "1000"}
    jobs = {"meter": "jobs", "unit": "job", "used": "1", "held": "0", "limit": None}
    assert response.json() == {
        "account": "acme",
        "at": "2026-11-10T12:00:00Z",
        "limits": [
            jobs | {"remaining": None, "percent": None, "is_hard": False} | window,
            minutes | {"remaining": "749.25", "percent": "25.05", "is_hard": True} | window,
        ],
    }


def test_an_account_without_limits_has_an_empty_list():
    assert Caller().get("/api/v1/accounts/other/limits").json()["limits"] == []


def test_what_is_not_there_or_not_allowed():
    assert told(Caller().get("/api/v1/accounts/nobody/limits")) == (404, "unknown_account")
    assert told(Caller("events:write").get("/api/v1/accounts/acme/limits")) == (403, "missing_scope")


def test_an_account_reads_its_own_limits_and_knows_of_no_others(account_id):
    own = Caller("limits:read", account_id=account_id)
    assert own.get("/api/v1/accounts/shop/limits").json()["account"] == "acme"
    assert own.get("/api/v1/accounts/other/limits").json() == own.get("/api/v1/accounts/nobody/limits").json()
    assert told(own.get("/api/v1/accounts/other/limits")) == (404, "unknown_account")


@pytest.mark.parametrize("meters", [0, 20])
def test_limits_cost_two_statements(django_assert_num_queries, account_id, meters):
    terms = [LimitTerms(make_meter(f"m{n}").id, Decimal(1), is_hard=False) for n in range(meters)]
    hand_over_limits(account_ids=[account_id], terms=terms, start=START, end=END, at=NOON)
    caller = Caller()
    with django_assert_num_queries(2):  # the key, and the account with its limits
        assert len(caller.get("/api/v1/accounts/acme/limits").json()["limits"]) == 2 + meters
