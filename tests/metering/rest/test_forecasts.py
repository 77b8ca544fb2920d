from datetime import UTC, datetime
from decimal import Decimal

import pytest

from metering.forecast import Expectation, record_forecast
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Limit
from tests.metering.makers import NOON, make_account, make_meter
from tests.metering.rest.makers import Caller, told

pytestmark = [pytest.mark.django_db, pytest.mark.time_machine(NOON, tick=False)]

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
LOW, MID, HIGH = (datetime(2026, 11, day, 6, tzinfo=UTC) for day in (20, 22, 25))


@pytest.fixture(autouse=True)
def account_id(db: None) -> int:
    """`acme` with a forecast of its minutes, one of its unlimited jobs, and none of its users."""
    account = make_account(aliases=["shop"])
    make_account("other")
    minutes, jobs, users = (make_meter(key) for key in ("minutes", "jobs", "users"))
    terms = [
        LimitTerms(minutes.id, Decimal(1000), is_hard=True),
        LimitTerms(jobs.id, None, is_hard=False),
        LimitTerms(users.id, Decimal(5), is_hard=False),
    ]
    hand_over_limits(account_ids=[account.id], terms=terms, start=START, end=END, at=NOON)
    limits = {limit.meter.key: limit.pk for limit in Limit.objects.select_related("meter")}
    totals = {"total_low": Decimal(900), "total_mid": Decimal("1200.5"), "total_high": Decimal(1500)}
    record_forecast(
        limits["minutes"],
        Expectation(
            p_hit=Decimal("0.86"), days_of_data=Decimal(56), used=Decimal("250.5"), hit_low=LOW, hit_mid=MID,
            hit_high=HIGH, reason="step_up", reason_params={"percent": 34, "since": "2026-11-05"}, **totals,
        ),
        at=NOON,
    )  # fmt: skip
    record_forecast(limits["jobs"], Expectation(p_hit=None, days_of_data=Decimal(3), is_learning=True), at=NOON)
    return account.id


@pytest.mark.parametrize("name", ["acme", "shop"])
def test_forecasts_tell_chance_dates_totals_and_reason(name):
    same = {"made_at": "2026-11-10T12:00:00Z", "resets_at": "2026-12-01T00:00:00Z", "epoch": 1}
    nought = {"low": "0", "mid": "0", "high": "0"}
    assert Caller("limits:read").get(f"/api/v1/accounts/{name}/forecasts").json() == {
        "account": "acme",
        "at": "2026-11-10T12:00:00Z",
        "forecasts": [
            same
            | {"meter": "jobs", "unit": "job", "is_learning": True, "days_of_data": "3.00", "used": "0", "limit": None}
            | {"chance": None, "reaches_at": None, "total_at_close": nought, "total_by_run_rate": "0"}
            | {"reason": {"code": ""}},
            same
            | {"meter": "minutes", "unit": "minute", "is_learning": False, "days_of_data": "56.00", "used": "250.5"}
            | {"limit": "1000", "chance": "0.860", "total_by_run_rate": "250.5"}
            | {"total_at_close": {"low": "900", "mid": "1200.5", "high": "1500"}}
            | {"reason": {"code": "step_up", "percent": 34, "since": "2026-11-05"}}
            | {
                "reaches_at": {
                    "low": "2026-11-20T06:00:00Z",
                    "mid": "2026-11-22T06:00:00Z",
                    "high": "2026-11-25T06:00:00Z",
                }
            },
        ],
    }


def test_who_has_no_limit_has_no_forecast():
    assert Caller("limits:read").get("/api/v1/accounts/other/forecasts").json()["forecasts"] == []


def test_what_is_not_there_or_not_allowed():
    assert told(Caller("limits:read").get("/api/v1/accounts/nobody/forecasts")) == (404, "unknown_account")
    assert told(Caller("events:write").get("/api/v1/accounts/acme/forecasts")) == (403, "missing_scope")


def test_an_account_reads_its_own_forecasts_and_knows_of_no_others(account_id):
    own = Caller("limits:read", account_id=account_id)
    assert own.get("/api/v1/accounts/shop/forecasts").json()["account"] == "acme"
    assert told(own.get("/api/v1/accounts/other/forecasts")) == (404, "unknown_account")


def test_the_cost_does_not_grow_with_limits(django_assert_num_queries):
    caller = Caller("limits:read")
    with django_assert_num_queries(3):  # the key, the limits, the forecasts
        caller.get("/api/v1/accounts/acme/forecasts")
