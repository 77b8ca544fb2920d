import json
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.utils import timezone

from metering.api.events import receive_events
from metering.invariants import check
from metering.keys import revoke_key
from metering.models import Account, ApiKey, Event, HourlyRollup, Limit, Meter, RejectedEvent
from tests.metering.makers import make_account, make_key, make_meter
from tests.metering.senders import EVENT, URL, Sender, is_problem, make_ground

pytestmark = pytest.mark.django_db


@pytest.fixture
def send(client: Client) -> Any:
    return Sender(client, make_ground())


def test_a_list_of_events_is_answered_row_by_row(send):
    response = send([EVENT, EVENT | {"id": "2", "subject": "nobody"}, EVENT | {"id": "3", "type": "other"}, EVENT, 5])
    assert response.status_code == 200
    body = response.json()
    assert [row["fate"] for row in body["results"]] == ["accepted", "unmatched", "rejected", "duplicate", "rejected"]
    assert body["results"][0] == {
        "source": "shop",
        "id": "1",
        "fate": "accepted",
        "code": "",
        "field": "",
        "message": "",
        "skipped": [],
    }
    assert body["results"][2]["code"] == "unknown_type"
    assert body["results"][2]["message"] == "No meter counts this type; known are: request."
    assert body["counts"] == {
        "accepted": 1,
        "duplicate": 1,
        "conflict": 0,
        "rejected": 2,
        "unmatched": 1,
        "late": 0,
    }
    assert Event.objects.count() == 2
    assert Event.objects.get(event_id="1").api_key_id == ApiKey.objects.get().pk


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/JSON", "application/json; charset=UTF-8"],
)
def test_one_event_alone_is_taken(send, content_type):
    response = send(EVENT | {"specversion": "1.0", "data": {"a": 1}}, content_type=content_type)
    assert response.json()["counts"]["accepted"] == 1


def test_an_empty_list_is_taken_and_empty(send):
    assert send([]).json() == {
        "results": [],
        "counts": dict.fromkeys(["accepted", "duplicate", "conflict", "rejected", "unmatched", "late"], 0),
    }


def test_a_byte_order_mark_is_passed_over(send):
    assert send(b"\xef\xbb\xbf" + json.dumps([EVENT]).encode()).json()["counts"]["accepted"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"   ",
        b"\xef\xbb\xbf",
        b"nonsense",
        b"5",
        b"null",
        b'"text"',
        b"[",
        b'[{"id": "1"}',
        b'[{"id": NaN}]',
        b'[{"id": "1"},]',
        b"[" * 100_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 50_000,
        b'[{"id": "\x00"}]',
        b"\x00",
        b"\xff\xfe[\x00]\x00",
    ],
)
def test_a_body_that_is_no_json_is_malformed(send, body):
    assert is_problem(send(body), 400, "malformed")


def row(**fields: Any) -> str:
    return json.dumps(EVENT | fields)


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        ("5", "invalid", ""),
        ("null", "invalid", ""),
        ("[]", "invalid", ""),
        ("{}", "required", "source"),
        ('{"id": "1", "source": "s", "type": "t"}', "required", "subject"),
        (row(id=5), "invalid", "id"),
        (row(id=""), "required", "id"),
        (row(id="x" * 256), "too_long", "id"),
        (row(subject="x" * 121), "too_long", "subject"),
        (row(source="a\u0000b"), "invalid", "source"),
        (row(source="a\nb"), "invalid", "source"),
        (row(type=None), "invalid", "type"),
        (row(type="nothing"), "unknown_type", "type"),
        (row(specversion="0.3"), "invalid", "specversion"),
        (row(data_base64="AAAA"), "invalid", "data_base64"),
        (row(time="yesterday"), "invalid", "time"),
        (row(time=1700000000), "invalid", "time"),
        (row(time="2026-11-10T12:00:00"), "invalid", "time"),
        (row(time="2026-13-10T12:00:00Z"), "invalid", "time"),
        (row(time="0001-01-01T00:00:00+14:00"), "time_too_old", "time"),
        (row(time="9999-12-31T23:59:59-14:00"), "time_in_future", "time"),
        (row(data=5), "invalid", "data"),
        (row(data=[1]), "invalid", "data"),
        (row(data="x"), "invalid", "data"),
        (row(data={"text": "a\u0000b"}), "invalid", "data"),
        (row(data={"a\u0000b": 1}), "invalid", "data"),
        (row(data={"big": "x" * 70_000}), "too_long", "data"),
        ('{"id": "1", "source": "s", "type": "request", "subject": "a", "data": {"n": 1e400}}', "invalid", "data"),
        ('{"id": "1", "source": "s", "type": "request", "subject": "a", "data": {"n": 1e-400}}', "invalid", "data"),
        ('{"id": "1", "source": "s", "type": "request", "subject": "a", "data": {"n": 0e-99999}}', "invalid", "data"),
        (
            '{"id": "1", "source": "s", "type": "request", "subject": "a", "data": {"n": 1e99999999999999999999}}',
            "invalid",
            "data",
        ),
        (
            '{"id": "1", "source": "s", "type": "request", "subject": "a", "data": {"n": 1e400, "n": 1}}',
            "invalid",
            "data",
        ),
        (row(data={"a": 0})[:-2].replace("0", "9" * 5_000) + "}}", "invalid", "data"),
        (row(data={"a": 0})[:-2].replace("0", "0." + "9" * 5_000) + "}}", "invalid", "data"),
        (row(data={})[:-3] + '{"a":' * 40 + "1" + "}" * 40 + "}", "invalid", "data"),
        (row(data={})[:-3] + '{"a":' * 900 + "1" + "}" * 900 + "}", "invalid", "data"),
    ],
    ids=lambda value: value[:60],
)
def test_a_bad_row_is_rejected_and_the_good_ones_beside_it_stay(send, raw, code, field):
    response = send(f"[{row(id='before')}, {raw}, {row(id='after')}]")
    assert response.status_code == 200, response.content
    before, bad, after = response.json()["results"]
    assert (bad["fate"], bad["code"], bad["field"]) == ("rejected", code, field)
    assert bad["message"]
    assert (before["fate"], after["fate"]) == ("accepted", "accepted")
    assert set(Event.objects.values_list("event_id", flat=True)) == {"before", "after"}


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        (row(type="traffic"), "value_missing", "data.bytes"),
        (row(type="traffic", data={"bytes": "5"}), "value_not_a_number", "data.bytes"),
        (row(type="traffic", data={"bytes": True}), "value_not_a_number", "data.bytes"),
        (row(type="traffic", data={"bytes": None}), "value_not_a_number", "data.bytes"),
        (row(type="traffic", data={"bytes": "NaN"}), "value_not_a_number", "data.bytes"),
        (row(type="traffic", data={"bytes": 10**26}), "value_out_of_range", "data.bytes"),
        (row(type="traffic", data={"bytes": -(10**26)}), "value_out_of_range", "data.bytes"),
        (row(type="traffic", data={"bytes": 1e26}), "value_out_of_range", "data.bytes"),
        (
            row(type="traffic", data={"bytes": 0}).replace(" 0}", f" {'9' * 26}.9999999999999}}"),
            "value_out_of_range",
            "data",
        ),
    ],
    ids=lambda value: value[:60],
)
def test_a_value_that_a_meter_cannot_use_is_skipped_and_told(send, raw, code, field):
    make_meter("traffic", event_type="traffic", value="bytes")
    make_meter("calls", event_type="traffic")
    [answer] = send(f"[{raw}]").json()["results"]
    assert answer["fate"] == "accepted"
    [skip] = answer["skipped"]
    assert (skip["meter"], skip["code"], skip["field"]) == ("traffic", code, field)
    assert skip["message"]
    assert HourlyRollup.objects.get().meter.key == "calls"
    assert list(check()) == []


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80"])
@pytest.mark.parametrize(
    "place", [b'{"id":"%s"}', b'{"id":"1","source":"s","type":"request","subject":"a","data":{"a":"%s"}}']
)
def test_bytes_that_are_no_utf8_are_refused(send, place, text):
    response = send(b"[" + place % text + b", " + row(id="good").encode() + b"]")
    if response.status_code == 200:
        assert [each["fate"] for each in response.json()["results"]] == ["rejected", "accepted"]
    else:
        assert is_problem(response, 400, "malformed")


@pytest.mark.parametrize("text", ["\\ud800", "\\uDC00\\ud800", "\\ud83d\\ud83d\\ude00", "\\\\\\udfff", "cut \\ud83d"])
@pytest.mark.parametrize("place", ["id", "subject", "extension", "data"])
def test_half_a_surrogate_pair_is_the_fault_of_its_row_alone(send, place, text):
    """As what cuts a text in two sends it: a language whose letters are of 16 bits escapes the half of an emoji."""
    broken = row(**{place: {"a": "%"} if place == "data" else "%"}).replace("%", text)
    good = [row(id="good"), row(id="pair", data={"a": "%"}).replace("%", "\\ud83d\\ude00 \\\\ud800")]
    results = send(f"[{good[0]}, {broken} ,{broken},{good[1]}]").json()["results"]
    assert [each["fate"] for each in results] == ["accepted", "rejected", "rejected", "accepted"]
    assert results[1]["source"] == "shop"
    assert Event.objects.get(event_id="pair").data == {"a": "\U0001f600 \\ud800"}
    kept = RejectedEvent.objects.get()
    assert (bytes(kept.body), kept.times) == (broken.encode(), 2)
    assert list(check()) == []


def test_numbers_are_kept_exact(send):
    make_meter("traffic", event_type="traffic", value="bytes")
    values = ["0.1", "0.2", "99999999999999999999999999.999999999999", "-3e-2", "1.0000000000004", "0.0000000000005"]
    rows = [row(id=str(n), type="traffic", data={"bytes": 0}).replace(": 0}", f": {v}}}") for n, v in enumerate(values)]
    results = send(f"[{','.join(rows)}]").json()["results"]
    assert [each["fate"] for each in results] == ["accepted"] * 6, results
    total = HourlyRollup.objects.get().total
    assert total == Decimal("100000000000000000000000001.27")  # half a step goes up, less than half goes
    assert list(check()) == []


def test_a_time_out_of_range_says_which_are_in_range(send):
    old, new = timezone.now() - timedelta(days=40), timezone.now() + timedelta(hours=1)
    results = send([EVENT | {"time": old.isoformat()}, EVENT | {"time": new.isoformat()}]).json()["results"]
    assert [each["code"] for each in results] == ["time_too_old", "time_in_future"]
    earliest = timezone.now() - timedelta(days=35)
    assert f"it may be from {earliest:%Y-%m-%dT%H:}" in results[0]["message"]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_events_are_posted_and_read_and_nothing_else(client, method):
    response = getattr(client, method)(URL)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, POST")
    assert is_problem(response, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer palier_aaaaaaaaaaaa_" + "a" * 43,
        "Bearer \x00",
        "Bearer é",
        "x" * 9_000,
    ],
)
def test_without_a_key_of_ours_nothing_is_read(send, header):
    response = send([EVENT], key=None, HTTP_AUTHORIZATION=header)
    assert is_problem(response, 401, "invalid_key")
    assert response["WWW-Authenticate"] == 'Bearer realm="palier"'
    assert not Event.objects.exists()


def test_expired_and_revoked_keys_open_nothing(send):
    at = timezone.now()
    expired = make_key(at=at - timedelta(days=2), expires_at=at - timedelta(days=1)).secret
    revoked = make_key(at=at)
    revoke_key(revoked.id, at=at)
    assert send([EVENT], key=expired).json()["detail"] == "This API key has expired."
    assert send([EVENT], key=revoked.secret).json()["detail"] == "This API key was revoked."


def test_a_key_for_something_else_is_forbidden(send):
    ApiKey.objects.update(scopes=["usage:read"])
    assert is_problem(send([EVENT]), 403, "missing_scope")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/json; charset=latin-1"])
def test_other_media_are_not_taken(send, content_type):
    assert is_problem(send(json.dumps([EVENT]), content_type=content_type), 415, "unsupported_media")


def test_a_thousand_events_are_taken_and_one_more_is_not(send):
    thousand = [EVENT | {"id": str(n)} for n in range(1000)]
    assert send(thousand).json()["counts"]["accepted"] == 1000
    assert is_problem(send([*thousand, EVENT | {"id": "more"}]), 413, "too_many_events")
    assert is_problem(send([*thousand, 5]), 413, "too_many_events")
    assert Event.objects.count() == 1000


def test_six_megabytes_are_refused(send):
    assert is_problem(send(b"[" + b" " * 6_000_000 + b"]"), 413, "body_too_large")


def test_a_long_body_is_refused_before_it_is_read(rf):
    class Untouched:
        def read(self, *args: int) -> bytes:
            raise AssertionError("the body was read")

    request = rf.post(URL, HTTP_AUTHORIZATION=f"Bearer {make_key(at=timezone.now()).secret}")
    request.META |= {"CONTENT_LENGTH": "60000000", "CONTENT_TYPE": "application/json"}
    request.content_type = "application/json"
    request._stream = Untouched()
    assert receive_events(request).status_code == 413


def test_broken_chunks_are_the_senders_fault(rf):
    class Broken:
        def read(self, size: int) -> bytes:
            raise ValueError("invalid chunk size")

    request = rf.post(URL, HTTP_AUTHORIZATION=f"Bearer {make_key(at=timezone.now()).secret}")
    request.content_type = "application/json"
    request.META |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": Broken()}
    response = receive_events(request)
    assert (response.status_code, json.loads(response.content)["code"]) == (400, "body_cut_short")


def post_chunked(rf: RequestFactory, body: bytes) -> Any:
    request = rf.post(URL, HTTP_AUTHORIZATION=f"Bearer {make_key(at=timezone.now()).secret}")
    request.content_type = "application/json"
    request.META["HTTP_TRANSFER_ENCODING"] = "chunked"
    request.META["wsgi.input"] = stream = BytesIO(body)
    response = receive_events(request)
    response.read_bytes = stream.tell()
    return response


def test_a_body_in_chunks_is_read_only_as_far_as_it_may_be_long(rf):
    make_account(), make_meter()
    assert json.loads(post_chunked(rf, json.dumps([EVENT]).encode()).content)["counts"]["accepted"] == 1
    refused = post_chunked(rf, b" " * 20_000_000)
    assert refused.status_code == 413
    assert refused.read_bytes < 5_400_000


def test_a_body_cut_short_is_refused(rf):
    request = rf.post(URL, json.dumps([EVENT]), content_type="application/json")
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {make_key(at=timezone.now()).secret}"
    request.META["CONTENT_LENGTH"] = "5000"
    response = receive_events(request)
    assert (response.status_code, json.loads(response.content)["code"]) == (400, "body_cut_short")


def test_a_database_that_fails_halfway_is_a_503_and_leaves_nothing(send, monkeypatch):
    def fail(*args: Any, **options: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("metering.counting.record_crossings", fail)
    Limit.objects.create(
        account_id=Account.objects.get().pk,
        meter_id=Meter.objects.get().pk,
        starts_at=timezone.now() - timedelta(days=1),
        ends_at=timezone.now() + timedelta(days=1),
        quantity=0,
        next_crossing=0,
    )
    response = send([EVENT])
    assert is_problem(response, 503, "database_unavailable")
    assert response["Retry-After"] == "1"
    assert not Event.objects.exists()
    assert not HourlyRollup.objects.exists()


def test_a_request_costs_the_same_statements_whatever_its_size(send, django_assert_num_queries):
    def batch(first: int, size: int) -> list[dict[str, str]]:
        return [EVENT | {"id": str(first + n), "subject": "acme"} for n in range(size)]

    assert send(batch(9_000, 1)).status_code == 200  # this process learns the meters
    # the key; the savepoint of the test's transaction and its release; claim and look up; store; count
    for first, size in ((0, 1), (10, 1000)):
        with django_assert_num_queries(6):
            assert send(batch(first, size)).json()["counts"]["accepted"] == size
    with django_assert_num_queries(4):  # nothing to store and nothing to count
        assert send(batch(10, 1000)).json()["counts"]["duplicate"] == 1000
