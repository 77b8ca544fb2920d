"""What a meter event must be beyond the contract, each rule by itself."""

from decimal import Decimal

import pytest

from stripe_simulator.meters.rules import (
    DAY,
    Refusal,
    check_summary_window,
    check_timestamp,
    read_payload,
    read_value,
)

NOW = 1_790_000_000
METER = {
    "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
    "default_aggregation": {"formula": "sum"},
    "value_settings": {"event_payload_key": "value"},
}
COUNTER = METER | {"default_aggregation": {"formula": "count"}}


@pytest.mark.parametrize("text", ["123456789012345", "-0.000000000000001", "000123456789012345", "1.50"])
def test_a_value_may_have_fifteen_digits(text: str):
    assert read_value(text, "value") == Decimal(text)


@pytest.mark.parametrize("text", ["1234567890123456", "0.1234567890123456", "1.000000000000000"])
def test_a_sixteenth_digit_is_too_many(text: str):
    with pytest.raises(Refusal) as raised:
        read_value(text, "value")
    assert raised.value.code == "meter_event_value_too_many_digits"


@pytest.mark.parametrize("text", ["1E-12", "1e3", "NaN", "Infinity", "", "1,5", " 1", "0x1", None])
def test_a_value_is_a_number_in_plain_notation(text: str | None):
    with pytest.raises(Refusal) as raised:
        read_value(text, "value")
    assert raised.value.code == "meter_event_invalid_value"


def test_a_payload_names_its_customer():
    with pytest.raises(Refusal) as raised:
        read_payload(METER, {"value": "1"})
    assert raised.value.code == "meter_event_no_customer_defined"


def test_a_payload_holds_a_value_unless_the_meter_counts():
    with pytest.raises(Refusal) as raised:
        read_payload(METER, {"stripe_customer_id": "cus_1"})
    assert raised.value.code == "meter_event_invalid_value"
    assert read_payload(COUNTER, {"stripe_customer_id": "cus_1"}) == ("cus_1", Decimal(1))


def test_a_timestamp_is_at_most_35_days_old_and_5_minutes_ahead():
    check_timestamp(NOW - 35 * DAY, NOW)
    check_timestamp(NOW + 300, NOW)
    with pytest.raises(Refusal, match="in the past"):
        check_timestamp(NOW - 35 * DAY - 1, NOW)
    with pytest.raises(Refusal, match="in the future"):
        check_timestamp(NOW + 301, NOW)


@pytest.mark.parametrize(("grouping", "step"), [(None, 60), ("hour", 3600), ("day", DAY)])
def test_a_summary_is_aligned_with_what_it_is_grouped_by(grouping: str | None, step: int):
    start = NOW - NOW % DAY
    check_summary_window(start, start + step, grouping)
    with pytest.raises(Refusal, match="aligned"):
        check_summary_window(start, start + step + 30, grouping)
