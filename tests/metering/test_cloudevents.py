"""Clients that know CloudEvents and nothing of us, and the examples of its specification, byte by byte."""

import gzip
import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from django.utils import timezone

from metering.models import Event
from tests.metering.makers import make_account, make_key, make_meter
from tests.metering.senders import EVENT
from tests.metering.servers import run_gunicorn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key() -> str:
    make_account("acme"), make_meter("calls", event_type="com.example.someevent"), make_meter()
    return make_key(at=timezone.now()).secret


@pytest.fixture
def server(key: str) -> Iterator[HTTPConnection]:
    with run_gunicorn() as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        yield connection
        connection.close()


def post(server: HTTPConnection, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    server.request("POST", "/api/v1/events", body, headers)
    response = server.getresponse()
    return response.status, response.read()


def make_cloud_event(id_: str, **attributes: Any) -> CloudEvent:
    given = {
        "id": id_,
        "source": "/mycontext/ü 1",
        "type": "com.example.someevent",
        "specversion": "1.0",
        "subject": "acme",
        "time": timezone.now(),
        "datacontenttype": "application/json",
        "comexampleextension": "beyond what we know",
    }
    return CloudEvent(attributes=given | attributes, data={"much": {"wow": 1.5}})


def test_the_client_of_the_cloudevents_project_simply_works(server, key):
    bearer = {"Authorization": f"Bearer {key}"}
    for number, bind in enumerate([to_structured, to_binary]):
        message = bind(make_cloud_event(str(number)), JSONFormat())
        assert post(server, message.body, message.headers | bearer) == (204, b"")
        assert post(server, message.body, message.headers | bearer) == (204, b"")  # a retry
    events = list(Event.objects.order_by("event_id").values("source", "event_id", "subject", "data"))
    assert events == [
        {"source": "/mycontext/ü 1", "event_id": id_, "subject": "acme", "data": {"much": {"wow": 1.5}}}
        for id_ in ("0", "1")
    ]


def test_the_client_of_the_cloudevents_project_hears_of_a_refusal(server, key):
    for bind in (to_structured, to_binary):
        message = bind(make_cloud_event("1", type="com.example.unknown"), JSONFormat())
        status, body = post(server, message.body, message.headers | {"Authorization": f"Bearer {key}"})
        assert (status, json.loads(body)["code"]) == (400, "unknown_type")
        status, body = post(server, message.body, message.headers)
        assert (status, json.loads(body)["code"]) == (401, "invalid_key")


def test_a_batch_of_cloudevents_compressed_and_in_chunks(server, key):
    events = [json.loads(to_structured(make_cloud_event(str(number)), JSONFormat()).body) for number in range(50)]
    packed = gzip.compress(json.dumps(events).encode())
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/cloudevents-batch+json",
        "Content-Encoding": "gzip",
    }
    server.request("POST", "/api/v1/events", iter([packed[:100], packed[100:]]), headers, encode_chunked=True)
    assert server.getresponse().read() == b""
    assert Event.objects.count() == 50


BINARY = """POST /api/v1/events HTTP/1.1
Host: 127.0.0.1
Connection: close
Authorization: Bearer {key}
ce-specversion: 1.0
ce-type: com.example.someevent
ce-time: {now}
ce-id: 1234-1234-1234
ce-source: /mycontext/subcontext
ce-subject: acme
ce-comexampleextension1: value
Content-Type: application/json; charset=utf-8
Content-Length: {length}

"""
STRUCTURED = """POST /api/v1/events HTTP/1.1
Host: 127.0.0.1
Connection: close
Authorization: Bearer {key}
Content-Type: application/cloudevents+json; charset=utf-8
Content-Length: {length}

"""
EXAMPLE = """{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "time" : "NOW",
    "id" : "1234-1234-1234",
    "source" : "/mycontext/subcontext",
    "subject" : "acme",
    "datacontenttype" : "application/json",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "data" : {"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true}
}"""
DATA = '{"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true}'


@pytest.mark.parametrize(("head", "body"), [(BINARY, DATA), (STRUCTURED, EXAMPLE)], ids=["binary", "structured"])
def test_the_examples_of_the_specification_are_taken_byte_by_byte(server, key, head, body):
    now = timezone.now().isoformat().replace("+00:00", "Z")
    text = body.replace("NOW", now)
    request = head.format(key=key, now=now, length=len(text)).replace("\n", "\r\n") + text
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(request.encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 204 No Content\r\n"), answer
    event = Event.objects.get()
    assert (event.source, event.event_id, event.data["appinfoB"]) == ("/mycontext/subcontext", "1234-1234-1234", 123)


def test_the_example_of_a_batch_is_taken(server, key):
    pair = [EVENT | {"specversion": "1.0", "comexampleextension1": "value", "data": {"a": "1"}}, EVENT | {"id": "2"}]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
    assert post(server, json.dumps(pair).encode(), headers) == (204, b"")
    status, body = post(server, json.dumps(pair).encode(), headers | {"Prefer": "return=representation"})
    assert (status, json.loads(body)["counts"]["duplicate"]) == (200, 2)
