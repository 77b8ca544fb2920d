from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest
from django.utils import translation

from metering.forecast import ForecastFact
from metering.forecast.maths.reasons import Code
from metering.forecast.words import word_chance, word_forecast, word_made, word_reason
from tests.metering.forecast.makers import AT, DECEMBER, NOVEMBER

FACT = ForecastFact(
    id=1, limit_id=1, account_id=1, meter_id=1, meter_key="calls", meter_name="Calls", unit="call", plan="pro",
    time_zone="UTC", start=NOVEMBER, end=DECEMBER, epoch=1, made_at=AT, used=Decimal(50_000), quantity=Decimal(100_000),
    is_learning=False, days_of_data=Decimal(56), p_hit=Decimal("0.86"), hit_low=datetime(2026, 11, 25, 8, tzinfo=UTC),
    hit_mid=datetime(2026, 11, 27, 20, tzinfo=UTC), hit_high=datetime(2026, 11, 30, 9, tzinfo=UTC),
    total_low=Decimal(98_765), total_mid=Decimal(104_321), total_high=Decimal(118_499), run_rate_total=Decimal(75_000),
    reason="weekday_up", reason_params={"percent": 34, "since": "2026-11-12"}, was_reached=None, reached_at=None,
    closing_total=None, graded_at=None, band=(),
)  # fmt: skip
QUIET = replace(
    FACT, p_hit=Decimal("0.04"), hit_low=None, hit_mid=None, hit_high=None, total_low=Decimal(65_012),
    total_mid=Decimal(72_034), total_high=Decimal(80_950),
)  # fmt: skip


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def say(fact: ForecastFact, **changes) -> str:
    return word_forecast(replace(fact, **changes)).replace("\N{NO-BREAK SPACE}", " ")


def test_a_limit_on_the_way_is_told_with_its_day_range_and_chance():
    assert say(FACT) == "Reaches 100,000 calls on Fri 27 Nov (25–30 Nov), 86 %"


def test_what_is_less_sure_may_be():
    assert say(FACT, p_hit=Decimal("0.62")) == "May reach 100,000 calls on Fri 27 Nov (25–30 Nov), 62 %"


def test_a_chance_without_dates_names_the_reset():
    bare = {"hit_low": None, "hit_mid": None, "hit_high": None}
    assert say(FACT, **bare) == "Reaches 100,000 calls by 1 Dec, 86 %"
    assert say(FACT, p_hit=Decimal("0.7"), **bare) == "May reach 100,000 calls by 1 Dec, 70 %"


def test_what_stays_within_is_told_with_its_total():
    assert say(QUIET) == "Stays within the limit: 72,000 of 100,000 calls expected by 1 Dec (65,000–81,000)"
    assert say(QUIET, p_hit=Decimal("0.35")) == (
        "May stay within the limit, 65 %: 72,000 of 100,000 calls expected by 1 Dec (65,000–81,000)"
    )


def test_a_reached_limit_is_no_forecast_any_more_but_its_total_is():
    reached = say(FACT, used=Decimal(100_000), p_hit=Decimal(1))
    assert reached == "The limit of 100,000 calls is reached: 104,000 calls expected by 1 Dec (98,800–118,000)"


def test_an_unlimited_meter_has_a_total():
    assert say(QUIET, quantity=None, p_hit=None) == "72,000 calls expected by 1 Dec (65,000–81,000)"


@pytest.mark.parametrize(
    ("days", "words"),
    [("4", "Learning: 3 more days"), ("6.2", "Learning: 1 more day"), ("6.99", "Learning: 1 more day")],
)
def test_who_learns_is_told_for_how_long(days, words):
    assert say(FACT, is_learning=True, days_of_data=Decimal(days)) == words


def test_bytes_carry_their_own_scale():
    sizes = {"unit": "byte", "quantity": Decimal(10**9), "total_mid": Decimal(720_345_678)}
    sizes |= {"total_low": Decimal(650_000_001), "total_high": Decimal(809_500_000)}
    assert say(QUIET, **sizes) == "Stays within the limit: 720 MB of 1 GB expected by 1 Dec (650 MB–810 MB)"


def test_small_numbers_of_things_stay_whole():
    totals = {"total_low": Decimal(7), "total_mid": Decimal(7), "total_high": Decimal(7), "quantity": Decimal(9)}
    assert say(QUIET, used=Decimal(3), **totals) == (
        "Stays within the limit: 7 of 9 calls expected by 1 Dec (7)"
    )  # fmt: skip


def test_days_are_those_of_the_account():
    assert say(FACT, time_zone="Asia/Tokyo") == "Reaches 100,000 calls on Sat 28 Nov (25–30 Nov), 86 %"


def test_a_range_over_the_end_of_a_month_names_both():
    assert "(28 Nov – 2 Dec)" in say(
        FACT, hit_low=datetime(2026, 11, 28, tzinfo=UTC), hit_mid=DECEMBER, hit_high=datetime(2026, 12, 2, tzinfo=UTC)
    )


def test_a_range_within_a_day_is_that_day():
    assert "on Fri 27 Nov (27 Nov)," in say(FACT, hit_low=FACT.hit_mid, hit_high=FACT.hit_mid)


def test_a_window_of_a_day_is_told_by_the_hour():
    hits = {"hit_low": AT + timedelta(hours=2), "hit_mid": AT + timedelta(hours=3), "hit_high": AT + timedelta(hours=5)}
    day = {"start": datetime(2026, 11, 20, tzinfo=UTC), "end": datetime(2026, 11, 21, tzinfo=UTC)}
    assert say(FACT, **day, **hits) == "Reaches 100,000 calls on Fri 20 Nov, 13:00 (12:00–15:00), 86 %"


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        ("0", "under 1 %"),
        ("0.004", "under 1 %"),
        ("0.995", "over 99 %"),
        ("0.999", "over 99 %"),
        ("1", "100 %"),
        ("0.125", "12 %"),
    ],
)
def test_a_chance_is_certain_only_when_it_is(chance, words):
    assert word_chance(Decimal(chance)).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("reason", "params", "words"),
    [
        ("weekday_up", {"percent": 34, "since": "2026-11-12"}, "weekday traffic up 34 % since 12 Nov"),
        ("weekday_down", {"percent": -20, "since": "2026-11-02"}, "weekday traffic down 20 % since 2 Nov"),
        ("step_up", {"percent": 150, "since": "2026-11-12"}, "usage up 150 % since 12 Nov"),
        ("step_down", {"percent": -50, "since": "2026-11-12"}, "usage down 50 % since 12 Nov"),
        ("trend_up", {"percent": 40, "since": "2026-10-20"}, "growing: up 40 % since 20 Oct"),
        ("trend_down", {"percent": -40, "since": "2026-10-20"}, "falling: down 40 % since 20 Oct"),
        ("batch", {"share": 0.93}, "93 % of the usage comes on few days"),
        ("intermittent", {"share": 0.3}, "used on 30 % of the days"),
        ("weekend", {"percent": -45}, "a weekend is ahead, which is 45 % quieter"),
        ("steady", {}, "steady usage"),
        ("unused", {}, "nothing used so far"),
        ("learning", {}, ""),
        ("already_reached", {}, ""),
        ("", {}, ""),
    ],
)
def test_each_reason_has_words(reason, params, words):
    said = word_reason(replace(FACT, reason=reason, reason_params=params))
    assert said.replace("\N{NO-BREAK SPACE}", " ") == words


def test_every_reason_of_the_maths_is_known_here():
    silent = {"learning", "already_reached"}
    params = {"percent": 1, "since": "2026-11-12", "share": 0.5}
    unknown = {code for code in get_args(Code) if not word_reason(replace(FACT, reason=code, reason_params=params))}
    assert unknown == silent


def test_a_forecast_that_is_not_fresh_says_of_when_it_is():
    assert word_made(FACT, at=AT + timedelta(minutes=119)) == ""
    assert word_made(FACT, at=AT + timedelta(hours=2)) == "as of Fri 20 Nov, 10:00"
