"""Whatever is thrown at the endpoint: never a 5xx, a fate for every row, promises kept, memory flat."""

import gc
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
    make_meter("bytes", event_type="traffic", value_property="bytes")
    secret = make_key(at=timezone.now()).secret

    def send(body: bytes) -> Any:
        with transaction.atomic():
            response = client.post(URL, body, content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {secret}")
            assert response.status_code in {200, 400, 413, 415}, response.content
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
    for body in hostile:
        post(body)
    gc.collect()
    before = read_resident_bytes()
    for _ in range(5):
        for body in hostile:
            post(body)
    gc.collect()
    assert read_resident_bytes() - before < 30 * 1024 * 1024
