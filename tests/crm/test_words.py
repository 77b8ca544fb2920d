from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from crm.evidence import Headline
from crm.expected import Expected
from crm.words import say_dates, say_outlook, say_percent, say_quantity, say_reason, say_reset, say_total, say_why

AT = datetime(2026, 6, 22, 12, tzinfo=UTC)
JULY_1 = datetime(2026, 7, 1, tzinfo=UTC)


def make_headline(*, percent="104.00", quantity="250", unit="request", end=JULY_1, **fields):
    return Headline(
        meter_key="requests",
        meter_name="Requests",
        unit=unit,
        level=Decimal(100),
        used=Decimal(260),
        quantity=None if quantity is None else Decimal(quantity),
        percent=None if percent is None else Decimal(percent),
        start=datetime(2026, 6, 1, tzinfo=UTC),
        end=end,
        crossed_at=AT,
        detected_at=AT,
        **fields,
    )


@pytest.mark.parametrize(
    ("headline", "sentence"),
    [
        (make_headline(), "Requests at 104\xa0% of 250 — limit reached, resets in 8 days"),
        (make_headline(percent="86.40"), "Requests at 86\xa0% of 250 — close to the limit, resets in 8 days"),
        (make_headline(percent="5.20", quantity="5000"), "Requests at 5\xa0% of 5,000 — room again, resets in 8 days"),
        (
            make_headline(quantity="500000000", unit="byte"),
            "Requests at 104\xa0% of 500 MB — limit reached, resets in 8 days",
        ),
        (
            make_headline(percent="62.00", kind="forecast", p_hit=Decimal("0.86")),
            "Requests at 62\xa0% of 250 — 86\xa0% likely to reach it, resets in 8 days",
        ),
        (
            make_headline(kind="forecast", p_hit=Decimal("0.86")),
            "Requests at 104\xa0% of 250 — limit reached, resets in 8 days",
        ),
        (
            make_headline(percent=None, quantity=None, level_unit="absolute"),
            "Requests: 100 requests reached — resets in 8 days",
        ),
        (make_headline(end=AT), "Requests at 104\xa0% of 250 — limit reached, its period has ended"),
    ],
)
def test_one_sentence_says_why_we_call(headline, sentence):
    assert say_why(headline, at=AT) == sentence


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=8, hours=12), "resets in 8 days"),
        (timedelta(days=1), "resets in 1 day"),
        (timedelta(hours=23, minutes=59), "resets in 23 hours"),
        (timedelta(minutes=5), "resets in 1 hour"),
        (timedelta(0), "its period has ended"),
        (timedelta(days=-3), "its period has ended"),
    ],
)
def test_the_reset_is_told_in_days_and_on_the_last_day_in_hours(left, words):
    assert say_reset(AT + left, at=AT) == words


def make_expected(**fields):
    plain = {
        "made_at": AT,
        "chance": Decimal("0.86"),
        "is_learning": False,
        "hit_low": AT,
        "hit_mid": AT + timedelta(days=2),
        "hit_high": AT + timedelta(days=5, hours=11),
        "total_low": Decimal(280),
        "total_mid": Decimal(310),
        "total_high": Decimal(350),
        "reason": "weekday_up",
        "reason_params": {"percent": 34, "since": "2026-06-12"},
    }
    return Expected(**(plain | fields))


def test_what_is_expected_is_told_with_its_ranges():
    expected = make_expected()

    assert say_outlook(expected) == "86\xa0%"
    assert say_dates(expected, zone="UTC") == "Wed 24 Jun (Mon 22 Jun – Sat 27 Jun)"
    assert say_dates(expected, zone="Asia/Kolkata") == "Wed 24 Jun (Mon 22 Jun – Sun 28 Jun)"
    assert say_total(expected, "request") == "310 (280 – 350)"
    assert say_reason(expected) == "weekday traffic up 34\xa0% since 12 Jun"


@pytest.mark.parametrize(("expected", "outlook"), [(None, "–"), (make_expected(is_learning=True), "still learning")])
def test_what_nobody_can_expect_is_not_told(expected, outlook):
    assert say_outlook(expected) == outlook
    assert (say_dates(expected, zone="UTC"), say_total(expected, "request")) == ("–", "–")
    assert say_reason(None) == say_reason(make_expected(reason="")) == "–"


@pytest.mark.parametrize(
    ("percent", "words"), [("99.99", "99\xa0%"), ("100.00", "100\xa0%"), ("0.40", "0\xa0%"), ("12345.6", "12,345\xa0%")]
)
def test_a_percentage_is_never_rounded_up_to_a_level(percent, words):
    assert say_percent(Decimal(percent)) == words


def test_figures_follow_the_readers_language():
    with translation.override("fr"):
        assert say_quantity(Decimal(12500), "request") == "12\xa0500"
