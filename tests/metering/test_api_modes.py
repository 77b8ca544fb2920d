"""Each way that events may be carried by a request: structured, batched, binary, plain JSON, lines."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metering.invariants import check
from metering.models import Event, HourlyRollup
from tests.metering.makers import make_meter
from tests.metering.senders import EVENT, Sender, is_problem, list_fates, make_ground

pytestmark = pytest.mark.django_db

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
FATES = {"HTTP_PREFER": "return=representation"}
ATTRIBUTES = {"HTTP_CE_SPECVERSION": "1.0"} | {f"HTTP_CE_{name.upper()}": value for name, value in EVENT.items()}


@pytest.fixture
def send(client: Client) -> Any:
    return Sender(client, make_ground())


def test_a_structured_event_is_stored(send):
    response = send(EVENT | {"specversion": "1.0", "data": {"a": 1}}, content_type=SINGLE)
    assert (response.status_code, response.content, "Content-Type" in response) == (204, b"", False)
    assert Event.objects.get().data == {"a": 1}


def test_a_batch_is_stored(send):
    assert send([EVENT, EVENT | {"id": "2"}], content_type=f"{BATCH}; charset=UTF-8").status_code == 204
    assert HourlyRollup.objects.get().total == 2


def test_an_empty_batch_is_no_error(send):
    assert send([], content_type=BATCH).status_code == 204


@pytest.mark.parametrize(("body", "content_type"), [([EVENT], SINGLE), (EVENT, BATCH), ("5", SINGLE), (" ", BATCH)])
def test_one_event_is_no_batch_and_a_batch_is_not_one_event(send, body, content_type):
    assert is_problem(send(body, content_type=content_type), 400, "malformed")
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/json", b'{"n": 1.10, "text": "\xc3\xa9"}', {"n": 1.1, "text": "é"}),
        ("application/json; charset=utf-8", b' {"n": 1} ', {"n": 1}),
        ("application/vnd.shop.order+json", b'\xef\xbb\xbf{"n": 1}', {"n": 1}),
        ("text/json", b"null", {}),
        ("", b'{"n": 1}', {"n": 1}),
        ("text/plain", b"", {}),
    ],
)
def test_a_binary_event_has_its_attributes_in_headers_and_its_data_as_the_body(send, content_type, body, data):
    assert send(body, content_type=content_type, **ATTRIBUTES).status_code == 204
    event = Event.objects.get()
    assert (event.source, event.event_id, event.type, event.subject) == ("shop", "1", "request", "acme")
    assert event.data == data


@pytest.mark.parametrize(
    ("header", "source"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),  # the example of the HTTP binding, 3.1.3.2
        ("%e2%82%ac", "€"),
        ("%41%2541", "A%41"),  # one round, not two
        ("100%", "100%"),
        ('"quoted \\"twice\\" %22"', 'quoted "twice" "'),
        ('"', '"'),
        ("Ã©", "é"),  # UTF-8 sent as it is, which WSGI reads as Latin-1
        ("urn:a:b?c=d&e", "urn:a:b?c=d&e"),
    ],
)
def test_a_header_is_unquoted_and_percent_decoded_once(send, header, source):
    assert send(b"", content_type="application/json", **ATTRIBUTES | {"HTTP_CE_SOURCE": header}).status_code == 204
    assert Event.objects.get().source == source


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"HTTP_CE_SUBJECT": None}, "required", "subject"),
        ({"HTTP_CE_ID": None}, "required", "id"),
        ({"HTTP_CE_ID": ""}, "required", "id"),
        ({"HTTP_CE_SPECVERSION": "0.3"}, "invalid", "specversion"),
        ({"HTTP_CE_TIME": "yesterday"}, "invalid", "time"),
        ({"HTTP_CE_TIME": "2026-11-10T12:00:00"}, "invalid", "time"),
        ({"HTTP_CE_TIME": "1969-11-10T12:00:00Z"}, "time_too_old", "time"),
        ({"HTTP_CE_SOURCE": "%FF"}, "invalid", "source"),
        ({"HTTP_CE_SOURCE": "\xff"}, "invalid", "source"),
        ({"HTTP_CE_SOURCE": "a%00b"}, "invalid", "source"),
        ({"HTTP_CE_ID": "a%0Ab"}, "invalid", "id"),
        ({"HTTP_CE_TYPE": "x" * 121}, "too_long", "type"),
    ],
)
def test_a_binary_event_that_cannot_be_counted_is_a_400_with_its_fate(send, changed, code, field):
    headers = {name: value for name, value in (ATTRIBUTES | changed).items() if value is not None}
    response = send(b"{}", **headers)
    assert is_problem(response, 400, code)
    [fate] = response.json()["results"]
    assert (fate["fate"], fate["field"]) == ("rejected", field)
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", [b"nonsense", b'{"a": 1', b"[" * 100_000, b'{"a": 1} {}'])
def test_binary_data_that_is_no_json_is_malformed(send, body):
    assert is_problem(send(body, **ATTRIBUTES), 400, "malformed")


@pytest.mark.parametrize("body", [b"5", b'"text"', b"[1]", b'{"a": "\\u0000"}', b'{"a": "\xff"}'])
def test_binary_data_that_is_no_object_we_can_keep_is_rejected(send, body):
    response = send(body, **ATTRIBUTES)
    assert response.status_code == 400
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/json; charset=latin-1", "application/octet-stream"]
)
def test_binary_data_of_another_kind_is_refused_in_a_sentence(send, content_type):
    response = send(b"data", content_type=content_type, **ATTRIBUTES)
    assert is_problem(response, 415, "unsupported_media")
    assert "the data must be JSON" in response.json()["detail"]


def test_a_structured_event_is_structured_whatever_its_headers_say(send):
    assert send(EVENT, content_type=SINGLE, **ATTRIBUTES | {"HTTP_CE_ID": "other"}).status_code == 204
    assert Event.objects.get().event_id == "1"


def test_the_same_event_is_a_duplicate_in_every_mode(send):
    make_meter("bytes", event_type="traffic", value="n")
    noon = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=12)
    event = EVENT | {"type": "traffic", "time": f"{noon:%Y-%m-%dT12:00:00Z}", "data": {"n": 1.5}}
    at = {"HTTP_CE_TIME": f"{noon:%Y-%m-%dT13:00:00}%2B01:00", "HTTP_CE_TYPE": "traffic"}
    fates = [
        list_fates(send(event)),
        list_fates(send(event, content_type=SINGLE, **FATES)),
        list_fates(send([event], content_type=BATCH, **FATES)),
        list_fates(send(json.dumps(event), content_type=LINES)),
        list_fates(send(b'{"n": 15e-1}', **ATTRIBUTES | at | FATES)),
    ]
    assert fates == [["accepted"], *[["duplicate"]] * 4]
    assert list(check()) == []


def test_lines_are_events_and_each_bad_one_has_a_fate_of_its_own(send):
    good = json.dumps(EVENT).encode()
    body = b"\xef\xbb\xbf\r\n" + b"\n".join([
        good, b"", b"   \r", b"{nonsense", b"[]", b"5", b'{"id": "9", "source": "shop"}', good + b",", b'{"id":"\xff"}',
        json.dumps(EVENT | {"id": "2"}).encode() + b"\r",
    ])  # fmt: skip
    response = send(body, content_type=LINES)
    assert response.status_code == 200
    results = response.json()["results"]
    assert [each["fate"] for each in results] == ["accepted", *["rejected"] * 6, "accepted"]
    assert [each["id"] for each in results] == ["1", "", "", "", "9", "", "", "2"]
    assert [each["code"] for each in results[1:7]] == [
        "invalid",
        "invalid",
        "invalid",
        "required",
        "invalid",
        "invalid",
    ]
    assert all(each["message"] for each in results[1:7])
    assert Event.objects.count() == 2


@pytest.mark.parametrize("body", ["\n", " \r\n\n"])
def test_a_stream_without_a_line_is_empty(send, body):
    assert send(body, content_type="application/ndjson").json()["results"] == []


def test_a_thousand_lines_are_taken_and_one_more_is_not(send):
    lines = [json.dumps(EVENT | {"id": str(n)}) for n in range(1000)]
    assert send("\n\n".join(lines), content_type=LINES).json()["counts"]["accepted"] == 1000
    assert is_problem(send("\n".join([*lines, "x"]), content_type=LINES), 413, "too_many_events")


def test_millions_of_line_ends_are_nothing(send):
    assert send(b"\n" * 5_000_000, content_type=LINES).json()["results"] == []
    assert is_problem(send(b"1\n" * 2_500_000, content_type=LINES), 413, "too_many_events")


@pytest.mark.parametrize("content_type", ["application/cloudevents+xml", "application/cloudevents-batch+avro", ""])
def test_another_medium_is_told_which_are_taken(send, content_type):
    response = send(json.dumps(EVENT), content_type=content_type)
    assert is_problem(response, 415, "unsupported_media")
    assert response["Accept-Post"] == f"{SINGLE}, {BATCH}, application/json, {LINES}"
