"""Whatever is thrown at the endpoint: never a 5xx, a fate for every row, promises kept, memory flat."""

import gc
import gzip
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.invariants import check
from tests.metering.makers import make_account, make_key, make_meter

pytestmark = pytest.mark.django_db

URL = "/api/v1/events"
FATES = {"accepted", "duplicate", "conflict", "rejected", "unmatched", "late"}
PATIENT = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def post(client: Client) -> Iterator[Any]:
    make_account(), make_meter()
    make_meter("bytes", event_type="traffic", value="bytes")
    secret = make_key(at=timezone.now()).secret

    def send(body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        with transaction.atomic():
            response = client.post(
                URL, body, content_type=content_type, HTTP_AUTHORIZATION=f"Bearer {secret}", **headers
            )
            assert response.status_code in {200, 204, 400, 413, 415}, response.content
            transaction.set_rollback(True)
        return response

    yield send
    assert list(check()) == []


numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, -1, 10**26, 10**26 - 1, 2**64, True, False]),
)
texts = st.one_of(st.text(max_size=20), st.sampled_from(["", "\0", "\ud800", "é", "x" * 300, "\u202e", "\\", '"', "{"]))
values = st.recursive(
    st.none() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
times = st.one_of(
    st.datetimes().map(lambda each: each.isoformat() + "Z"),
    st.just(None),
    st.builds(lambda: timezone.now().isoformat()),
    values,
)
rows = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.sampled_from(["1", "2"]), texts, values),
        "source": st.one_of(st.just("shop"), texts, values),
        "type": st.one_of(st.sampled_from(["request", "traffic"]), values),
        "subject": st.one_of(st.sampled_from(["acme", "nobody"]), values),
        "time": times,
        "data": st.one_of(st.fixed_dictionaries({"bytes": values}), values),
        "specversion": st.sampled_from(["1.0", "0.3", 1]),
        "extension": values,
    },
)
good_rows = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", "3"]),
        "source": st.just("shop"),
        "type": st.sampled_from(["request", "traffic"]),
        "subject": st.sampled_from(["acme", "nobody"]),
        "data": st.fixed_dictionaries({"bytes": numbers}, optional={"more": values}),
    }
)


@PATIENT
@given(batch=st.lists(rows | good_rows | values, max_size=6) | rows)
def test_any_json_gets_a_fate_for_every_row(post, batch):
    response = post(json.dumps(batch).encode())
    if response.status_code == 200:
        results = response.json()["results"]
        assert len(results) == (len(batch) if isinstance(batch, list) else 1)
        assert {each["fate"] for each in results} <= FATES
        assert all(each["message"] for each in results if each["fate"] == "rejected")
    else:
        assert response["Content-Type"] == "application/problem+json"


@PATIENT
@given(batch=st.lists(good_rows, min_size=1, max_size=4), data=st.data())
def test_a_body_with_bytes_turned_is_never_an_error_of_ours(post, batch, data):
    body = bytearray(json.dumps(batch).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    post(bytes(body[: data.draw(st.integers(0, len(body)))]) or b" ")


@PATIENT
@given(body=st.binary(min_size=1, max_size=300))
def test_any_bytes_are_no_error_of_ours(post, body):
    post(body)


CLOUDEVENTS = ["application/cloudevents+json", "application/cloudevents-batch+json"]


@PATIENT
@given(batch=st.lists(rows | good_rows | values, max_size=6) | rows, content_type=st.sampled_from(CLOUDEVENTS))
def test_any_json_called_a_cloudevent_is_kept_or_a_problem(post, batch, content_type):
    response = post(json.dumps(batch).encode(), content_type)
    assert response.status_code in {204, 400}
    if response.status_code == 400:
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["detail"]


@PATIENT
@given(lines=st.lists(rows | good_rows | values | st.binary(max_size=40), max_size=6))
def test_any_lines_get_a_fate_each(post, lines):
    text = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    count = sum(bool(line.strip(b" \t\r\n")) for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    response = post(text or b"\n", "application/x-ndjson")
    assert len(response.json()["results"]) == count


header_texts = st.one_of(
    st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n"), max_size=30),
    st.sampled_from(["%", "%%", "%GG", "%00", "%ff", "%ed%a0%80", '"', '""', '"\\"', "1" * 300, "%41" * 300]),
)


@PATIENT
@given(
    headers=st.fixed_dictionaries(
        {"HTTP_CE_ID": header_texts},
        optional={
            f"HTTP_CE_{name}": st.sampled_from([known]) | header_texts
            for name, known in [("SOURCE", "shop"), ("TYPE", "request"), ("SUBJECT", "acme"), ("SPECVERSION", "1.0")]
        }
        | {"HTTP_CE_TIME": header_texts},
    ),
    body=st.one_of(values.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60)),
)
def test_any_headers_and_data_are_kept_or_a_problem(post, headers, body):
    response = post(body or b" ", **headers)
    assert response.status_code in {204, 400}


@PATIENT
@given(batch=st.lists(good_rows, min_size=1, max_size=4), data=st.data())
def test_gzip_with_bytes_turned_is_never_an_error_of_ours(post, batch, data):
    body = bytearray(gzip.compress(json.dumps(batch).encode()))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    post(bytes(body[: data.draw(st.integers(0, len(body)))]) or b" ", HTTP_CONTENT_ENCODING="gzip")


def read_resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.fixture
def silence() -> Iterator[None]:
    """The suite keeps every log record, and that of a refusal keeps its request."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_hostile_bodies_leave_no_memory_behind(post, silence):
    full = 5 * 1024 * 1024
    hostile = [
        b"[" + b"1," * (full // 2 - 2) + b"1]",
        b"[" + b"{}," * (full // 3 - 3) + b"{}]",
        b"[" * full,
        b'{"id":"1","source":"s","type":"request","subject":"acme","data":{"a":[' + b"[]," * 1_500_000 + b"[]]}}",
        b'{"id":"' + b"x" * (full - 100) + b'","source":"s","type":"request","subject":"acme"}',
        b"[" + b'{"id":"1","source":"s","type":"traffic","subject":"acme","data":{"bytes":1e308}},' * 999 + b"5]",
        b'{"a":"' + b"\\u0000" * 800_000 + b'"}',
    ]
    bomb = gzip.compress(b"[" * 200 * 1024 * 1024)

    def post_all() -> None:
        for body in hostile:
            post(body)
            post(body, "application/x-ndjson")
        post(bomb, HTTP_CONTENT_ENCODING="gzip")
        post(b"{}\n" * 1_500_000, "application/x-ndjson")

    post_all()
    gc.collect()
    before = read_resident_bytes()
    for _ in range(5):
        post_all()
    gc.collect()
    assert read_resident_bytes() - before < 30 * 1024 * 1024
