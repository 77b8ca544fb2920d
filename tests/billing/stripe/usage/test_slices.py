from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.stripe.usage.slices import (
    HOUR,
    LARGEST,
    NotForStripe,
    Slice,
    count_digits,
    cut_slices,
    find_last_slice,
    find_sealed,
    find_timestamp,
    is_too_old,
    make_identifier,
    split_value,
)

JAN = datetime(2026, 1, 1, tzinfo=UTC)
FEB = datetime(2026, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def test_a_period_is_cut_at_the_hours_of_utc():
    start = JAN + 30 * MINUTE
    assert cut_slices(start, JAN + 2 * HOUR + 17 * MINUTE) == [
        Slice(start, JAN + HOUR),
        Slice(JAN + HOUR, JAN + 2 * HOUR),
        Slice(JAN + 2 * HOUR, JAN + 2 * HOUR + 17 * MINUTE),
    ]
    assert cut_slices(JAN, JAN) == []


def test_an_hour_is_sealed_five_minutes_after_its_end():
    assert find_sealed(JAN, FEB, at=JAN + HOUR + 4 * MINUTE) == JAN
    assert find_sealed(JAN, FEB, at=JAN + HOUR + 5 * MINUTE) == JAN + HOUR
    assert find_sealed(JAN + 30 * MINUTE, FEB, at=JAN + 40 * MINUTE) == JAN + 30 * MINUTE


def test_all_of_a_period_is_sealed_when_it_ends():
    assert find_sealed(JAN, FEB, at=FEB - SECOND) == FEB - HOUR
    assert find_sealed(JAN, FEB, at=FEB) == FEB


def test_the_last_slice_ends_with_the_period():
    assert find_last_slice(JAN, FEB) == Slice(FEB - HOUR, FEB)
    assert find_last_slice(JAN, FEB + MINUTE) == Slice(FEB, FEB + MINUTE)
    assert find_last_slice(FEB, FEB + MINUTE) == Slice(FEB, FEB + MINUTE)


@given(st.integers(1, 3600), st.integers(1, 5000))
def test_a_time_is_within_its_slice_and_in_whole_seconds(seconds, revision):
    part = Slice(JAN, JAN + seconds * SECOND)
    moment = find_timestamp(part, revision)
    assert part.start <= moment < part.end
    assert moment.microsecond == 0


def test_a_later_revision_has_a_later_time():
    hour = Slice(JAN, JAN + HOUR)
    assert [find_timestamp(hour, revision) for revision in (1, 2)] == [JAN + 30 * MINUTE, JAN + 30 * MINUTE + SECOND]


def test_what_stripe_would_refuse_for_its_time_is_too_old():
    hour = Slice(JAN, JAN + HOUR)
    assert not is_too_old(hour, at=JAN + timedelta(days=34, hours=23))
    assert is_too_old(hour, at=JAN + timedelta(days=35))


@given(st.decimals(-(10**16), 10**16, places=12))
def test_parts_add_up_to_the_value_and_have_fifteen_digits_at_most(value):
    parts = split_value(value)
    assert sum(map(Fraction, parts)) == Fraction(value)
    assert all(count_digits(part) <= 15 for part in parts)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("5", ["5"]),
        ("0", ["0"]),
        ("123456789012345", ["123456789012345"]),
        ("123456789012345.5", ["123456789012345", "0.5"]),
        ("-123456789012345.5", ["-123456789012345", "-0.5"]),
        ("1000000000000000", [f"{LARGEST:f}", "1"]),
        ("999999999999999", [f"{LARGEST:f}"]),
        ("0.000000000001", ["0.000000000001"]),
    ],
)
def test_a_value_is_split_only_where_it_has_to_be(value, parts):
    assert split_value(Decimal(value)) == [Decimal(part) for part in parts]


def test_nobody_sends_thousands_of_events_for_one_hour():
    with pytest.raises(NotForStripe):
        split_value(Decimal(10) ** 20)


def test_an_identifier_is_of_its_slice_revision_and_part():
    terms = {"customer_id": "cus_1", "event_name": "palier_requests", "start": JAN, "revision": 1, "part": 1}
    others = [{"customer_id": "cus_2"}, {"event_name": "x"}, {"start": FEB}, {"revision": 2}, {"part": 2}]
    identifiers = {make_identifier(**terms | other) for other in [{}, *others]}
    assert make_identifier(**terms) == make_identifier(**terms)
    assert len(identifiers) == 6
    assert all(len(each) <= 100 for each in identifiers)
