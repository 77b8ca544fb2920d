"""Compressed bodies: inflated as far as they may be long and no further, whatever they hold."""

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from django.test import Client

from metering.api.bodies import GZIP_MEMBERS_MAX, inflate
from metering.models import Event
from metering.problems import Problem
from tests.metering.senders import EVENT, Sender, is_problem, make_ground

pytestmark = pytest.mark.django_db

MAXIMUM = 5 * 1024 * 1024


@pytest.fixture
def send(client: Client) -> Any:
    sender = Sender(client, make_ground())

    def post(body: bytes, *, encoding: str = "gzip", **headers: Any) -> Any:
        return sender(body, HTTP_CONTENT_ENCODING=encoding, **headers)

    return post


def pack(value: Any) -> bytes:
    return gzip.compress(json.dumps(value).encode(), mtime=0)  # each process names its tests alike


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_compressed_body_is_inflated(send, encoding):
    assert send(pack([EVENT]), encoding=encoding).json()["counts"]["accepted"] == 1


@pytest.mark.parametrize("content_type", ["application/cloudevents+json", "application/x-ndjson"])
def test_every_mode_may_be_compressed(send, content_type):
    assert send(pack(EVENT), content_type=content_type).status_code in (200, 204)
    assert Event.objects.count() == 1


def test_the_data_of_a_binary_event_may_be_compressed(send):
    attributes = {f"HTTP_CE_{name.upper()}": value for name, value in EVENT.items()}
    assert send(pack({"n": 1}), **attributes).status_code == 204
    assert Event.objects.get().data == {"n": 1}


def test_members_one_after_the_other_are_one_body(send):
    text = json.dumps([EVENT]).encode()
    assert send(gzip.compress(text[:10]) + gzip.compress(text[10:])).json()["counts"]["accepted"] == 1


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "gzip, identity", "nonsense"])
def test_another_encoding_is_told_which_is_taken(send, encoding):
    response = send(pack([EVENT]), encoding=encoding)
    assert is_problem(response, 415, "unsupported_encoding")
    assert response["Accept-Encoding"] == "gzip"


GOOD = pack([EVENT])


@pytest.mark.parametrize(
    "body",
    [
        b"\x1f",
        json.dumps([EVENT]).encode(),
        zlib.compress(json.dumps([EVENT]).encode()),
        GOOD[:-1],
        GOOD[:-8],
        GOOD[:20],
        GOOD + b"trailing",
        GOOD[:-8] + b"\0" * 8,  # a wrong check sum
        GOOD[:10] + b"\xff" * 20,
        b"\x1f\x8b",
        gzip.compress(b"", mtime=0) * (GZIP_MEMBERS_MAX + 1),
    ],
    ids=lambda body: f"{len(body)} bytes, {zlib.crc32(body):x}",
)
def test_a_broken_one_is_the_senders_fault(send, body):
    assert is_problem(send(body), 400, "broken_gzip")
    assert not Event.objects.exists()


def test_a_body_may_be_as_long_inflated_as_it_may_be_plain(send):
    text = b" " * (MAXIMUM - 2) + b"[]"
    assert send(gzip.compress(text)).status_code == 200
    assert is_problem(send(gzip.compress(b" " + text)), 413, "body_too_large")
    assert is_problem(send(gzip.compress(text) + gzip.compress(b" ")), 413, "body_too_large")


def test_a_bomb_costs_no_more_than_the_longest_body():
    bomb = gzip.compress(b" " * 1024 * 1024 * 300)
    for packed in (bomb, bomb * 4):
        tracemalloc.start()
        with pytest.raises(Problem) as refused:
            inflate(packed, MAXIMUM)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert refused.value.status == 413
        assert peak < 4 * MAXIMUM
