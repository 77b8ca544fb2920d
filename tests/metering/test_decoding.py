import pytest

from metering.decoding import MalformedBody, TooManyEvents, decode_events
from metering.events import EventFate, UsageEvent

MAXIMUM = 3
GOOD = b'{"id": "1", "source": "s", "type": "t", "subject": "a", "data": {"n": 1.10}, "other": [1]}'


def test_one_event_and_a_list_of_one_are_the_same():
    [single], [listed] = (decode_events(body, maximum=MAXIMUM) for body in (GOOD, b"[" + GOOD + b"]"))
    for event in (single, listed):
        assert isinstance(event, UsageEvent)
        assert (event.source, event.id, event.type, event.subject, event.time) == ("s", "1", "t", "a", None)
        assert bytes(event.data) == b'{"n": 1.10}'


def test_a_broken_row_tells_which_it_is_as_far_as_it_can_be_read():
    rows = decode_events(b'[{"id": "7", "source": "s", "type": 5}, {"id": 7}, ' + GOOD + b"]", maximum=MAXIMUM)
    assert isinstance(rows[0], EventFate)
    assert (rows[0].id, rows[0].source, rows[0].field, rows[0].code) == ("7", "s", "type", "invalid")
    assert (rows[1].id, rows[1].source) == ("", "")
    assert isinstance(rows[2], UsageEvent)


@pytest.mark.parametrize("row", [GOOD, b"5", b"null", b"{}"])
def test_rows_are_counted_whatever_they_are(row):
    assert len(decode_events(b"[" + b",".join([row] * 3) + b"]", maximum=MAXIMUM)) == 3
    with pytest.raises(TooManyEvents, match="at most 3"):
        decode_events(b"[" + b",".join([row] * 4) + b"]", maximum=MAXIMUM)


def test_what_follows_the_last_row_must_be_json_too():
    with pytest.raises(MalformedBody):
        decode_events(b"[" + b",".join([b"5"] * 10) + b", nonsense]", maximum=MAXIMUM)
