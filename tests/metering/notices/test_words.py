from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from metering.alerts import AlertFact
from metering.notices import amounts
from metering.notices.words import AlertWords, word_alert

FACT = AlertFact(
    id=1,
    account_id=1,
    meter_id=1,
    meter_key="requests",
    meter_name="Requests",
    unit="request",
    level=Decimal(80),
    used=Decimal("812.5"),
    quantity=Decimal(1000),
    start=datetime(2026, 11, 1, tzinfo=UTC),
    end=datetime(2026, 12, 1, tzinfo=UTC),
    crossed_at=datetime(2026, 11, 10, 8, 10, tzinfo=UTC),
    detected_at=datetime(2026, 11, 10, 14, 5, tzinfo=UTC),
)
MONEY = {"meter_id": None, "meter_key": "", "meter_name": "", "unit": "", "details": {"currency": "EUR"}}


def say(**changes: object) -> AlertWords:
    """With plain spaces, which read better here."""
    words = word_alert(replace(FACT, **changes), language="en")
    return replace(
        words,
        **{
            name: getattr(words, name).replace("\xa0", " ")
            for name in ("title", "sentence", "percent", "used", "limit")
        },
    )


def test_usage_of_a_limit():
    words = say()
    assert words.title == "Requests: 80 % of the limit reached"
    assert words.sentence == (
        "812.5 requests used of a limit of 1,000 requests, 81.25 %, as of 10 November 2026, 14:05. "
        "It resets on 1 December 2026, 00:00."
    )
    assert (words.percent, words.limit, words.resets_on) == ("81.25 %", "1,000 requests", "1 December 2026, 00:00")


@pytest.mark.parametrize(
    ("used", "percent"),
    [
        ("800", "80 %"),
        ("799.9999", "79.99 %"),  # never read as reached before it is
        ("1005", "100.5 %"),
        ("10000", "1,000 %"),
        ("10000.1", "1,000 %"),  # beyond it the number says nothing more
        ("123456", "1,000 %"),
    ],
)
def test_percentages_are_rounded_down_shown_whole_where_whole_and_capped(used, percent):
    assert say(used=Decimal(used)).percent == percent


def test_the_first_use_of_a_limit_of_zero_is_all_of_it():
    assert say(used=Decimal(1), quantity=Decimal(0)).percent == "100 %"


def test_the_reset_is_told_by_the_accounts_clock_and_in_the_readers_language():
    fact = replace(FACT, end=datetime(2026, 11, 30, 23, tzinfo=UTC), time_zone="Europe/Paris")
    assert word_alert(fact, language="en").resets_on == "1 December 2026, 00:00"
    assert word_alert(fact, language="fr").resets_on == "1 décembre 2026, 00:00"


def test_a_quantity_without_a_limit():
    words = say(level_unit="absolute", level=Decimal(500), quantity=None)
    assert words.title == "Requests: 500 requests reached"
    assert words.sentence == (
        "812.5 requests used as of 10 November 2026, 14:05. The count starts anew on 1 December 2026, 00:00."
    )
    assert (words.percent, words.limit) == ("", "")


def test_a_forecast_says_when_and_how_surely():
    hits = {"hit_low": "2026-11-25T10:00:00Z", "hit_mid": "2026-11-26T20:00:00Z", "hit_high": "2026-11-30T01:00:00Z"}
    words = say(kind="forecast", level=Decimal(100), p_hit=Decimal("0.864"), details=hits)
    assert words.title == "Requests is likely to reach its limit on Thu 26 Nov"
    assert words.sentence == (
        "Likely to reach 1,000 requests on Thu 26 Nov (25–30 Nov), 86 %. "
        "So far 812.5 requests, 81.25 %. It resets on 1 December 2026, 00:00."
    )


def test_a_forecast_without_a_date_says_how_surely():
    words = say(kind="forecast", p_hit=Decimal("0.8"))
    assert words.sentence.startswith("Likely to reach 1,000 requests before it resets, 80 %.")


@pytest.mark.parametrize(
    ("kind", "title", "sentence"),
    [
        ("spend", "Spend: EUR 80 reached", "EUR 812.5 spent since 1 November 2026, 00:00, as of 10 November"),
        ("budget", "Your budget: 80 % reached", "EUR 812.5 spent of a budget of EUR 1,000, 81.25 %,"),
        ("credit", "Credit: down to 80 % of it", "EUR 812.5 left of EUR 1,000 of credit, 81.25 %,"),
        (
            "commitment",
            "Commitment: 80 % of its pace",
            "EUR 812.5 used, where EUR 1,000 by 10 November 2026, 14:05 would keep the pace: 81.25 %.",
        ),
    ],
)
def test_money_is_said_as_billing_says_it(monkeypatch, kind, title, sentence):
    monkeypatch.setattr(amounts, "WORDINGS", [lambda amount, currency: f"{currency} {amount.normalize():,f}"])
    unit = "absolute" if kind == "spend" else "percent"
    base = None if kind == "spend" else Decimal(1000)
    words = say(kind=kind, level_unit=unit, quantity=base, **MONEY)
    assert words.title == title
    assert words.sentence.startswith(sentence)


@pytest.mark.parametrize(
    ("actual", "cost", "title", "ending"),
    [
        ("900", "12.5", "a spike in usage", " That costs about EUR 12.5 more than usual."),
        ("3", "-4", "a drop in usage", " That costs about EUR 4 less than usual."),
        ("3", "", "a drop in usage", ""),
    ],
)
def test_unusual_usage_is_told_beside_what_is_usual(monkeypatch, actual, cost, title, ending):
    monkeypatch.setattr(amounts, "WORDINGS", [lambda amount, currency: f"{currency} {amount.normalize():f}"])
    hours = {"from": "2026-11-10T07:00:00+00:00", "until": "2026-11-10T08:00:00+00:00"}
    details = {"actual": actual, "expected": "120", "cost": cost, "currency": "EUR", **hours}
    words = say(kind="anomaly", level_unit="absolute", used=Decimal("7.5"), quantity=None, details=details)
    assert words.title == f"Requests: {title}"
    assert words.sentence == (
        f"{actual} requests from 10 November 2026, 07:00 to 10 November 2026, 08:00, "
        f"where about 120 requests is usual at this weekday and hour.{ending}"
    )


def test_days_of_a_forecast_in_two_months_each_name_their_own():
    hits = {"hit_low": "2026-11-28T10:00:00Z", "hit_mid": "2026-11-30T20:00:00Z", "hit_high": "2026-12-02T01:00:00Z"}
    sentence = say(kind="forecast", p_hit=Decimal("0.9"), details=hits).sentence
    assert sentence.startswith("Likely to reach 1,000 requests on Mon 30 Nov (28 Nov – 2 Dec), 90 %.")


def test_a_budget_of_one_meter_says_of_which():
    words = say(kind="budget", details={"currency": "EUR"}, subject="budget 3")
    assert words.title == "Your budget of Requests: 80 % reached"


def test_notes_say_what_the_reader_must_know():
    assert say(cause="limit_is_new").notes == ("The usage was there before this limit was.",)
    assert say(cause="limit_changed").notes == ("The limit was changed; the usage did not jump.",)
    assert say(cause="catch_up", time_zone="Europe/Paris").notes == (
        "Found at 10 November 2026, 15:05 after an outage; reached 10 November 2026, 09:10.",
    )
    assert say().notes == ()


def test_the_advice_is_a_larger_plan_or_a_talk_and_none_where_nobody_asked():
    assert word_alert(FACT, language="en").advice == ""
    assert word_alert(FACT, language="en", can_upgrade=True).advice == "A larger plan gives more room."
    assert word_alert(FACT, language="en", can_upgrade=False).advice == (
        "You are on our largest plan: talk to us about more room."
    )
    budget = replace(FACT, kind="budget", **MONEY)
    assert word_alert(budget, language="en", can_upgrade=True).advice == ""
