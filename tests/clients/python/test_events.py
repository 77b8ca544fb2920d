import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from palier_client.events import DATA_MAX_BYTES, InvalidEvent, encode_event

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)


def encode(*, time: datetime | None = NOON, data: dict[str, Any] | None = None, **names: Any) -> bytes:
    event = {"source": "shop", "id": "1", "type": "request", "subject": "acme"} | names
    return encode_event(**event, time=time, data=data or {})


def test_an_event_is_one_line_of_json_by_the_names_of_cloudevents():
    row = encode(data={"bytes": 512, "city": "Orléans", "note": "two\nlines"})
    assert b"\n" not in row
    assert json.loads(row) == {
        "source": "shop",
        "id": "1",
        "type": "request",
        "subject": "acme",
        "time": "2026-11-10T12:00:00+00:00",
        "data": {"bytes": 512, "city": "Orléans", "note": "two\nlines"},
    }


def test_without_a_time_it_happens_now():
    before = datetime.now(UTC)
    time = datetime.fromisoformat(json.loads(encode(time=None))["time"])
    assert before <= time <= datetime.now(UTC)


def test_a_time_keeps_its_offset():
    paris = NOON.astimezone(timezone(timedelta(hours=1)))
    assert json.loads(encode(time=paris))["time"] == "2026-11-10T13:00:00+01:00"


@pytest.mark.parametrize("number", ["0.1", "12345678901234567890.123456789012", "-0", "1E+3", "0.000000000001"])
def test_a_decimal_keeps_all_its_digits(number: str):
    row = encode(data={"price": Decimal(number), "parts": [{"n": Decimal(number)}]})
    data = json.loads(row, parse_float=Decimal, parse_int=Decimal)["data"]
    assert str(data["price"]) == str(data["parts"][0]["n"]) == str(Decimal(number))


@pytest.mark.parametrize("field", ["source", "id", "type", "subject"])
@pytest.mark.parametrize("wrong", ["", None, 5, "x" * 256])
def test_a_name_is_a_text_that_is_neither_empty_nor_too_long(field: str, wrong: object):
    with pytest.raises(InvalidEvent, match=field):
        encode(**{field: wrong})


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        object(),
        {1, 2},
        b"bytes",
        "\ud800",
        {"deep": NOON},
        [Decimal("sNaN")],
    ],
)
def test_what_is_no_json_is_no_event(value: object):
    with pytest.raises(InvalidEvent, match="no JSON"):
        encode(data={"value": value})


def test_a_circle_is_no_event():
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(InvalidEvent, match="no JSON"):
        encode(data={"value": circle})


@pytest.mark.parametrize("time", [NOON.replace(tzinfo=None), "2026-11-10", 5])
def test_a_time_has_an_offset(time: Any):
    with pytest.raises(InvalidEvent, match="offset"):
        encode(time=time)


def test_data_may_be_as_long_as_the_server_takes_and_no_longer():
    room = DATA_MAX_BYTES - len('{"text":""}')
    assert len(encode(data={"text": "x" * room})) > DATA_MAX_BYTES
    with pytest.raises(InvalidEvent, match="65537 bytes"):
        encode(data={"text": "x" * (room + 1)})
