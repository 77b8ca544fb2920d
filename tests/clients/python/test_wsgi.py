import io
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from palier_client import WsgiMeter
from tests.clients.python.recorder import Recorder

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def ask(application: Application, *, body: bytes = b"", path: str = "/things") -> bytes:
    """As a server does: the answer's body, read to its end and closed, whatever happens."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path.encode().decode("latin-1"),
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "account": "acme",
    }
    setup_testing_defaults(environ)
    environ.pop("CONTENT_TYPE", None)
    written: list[bytes] = []
    answer = application(environ, lambda status, headers, exc_info=None: written.append)
    try:
        written += answer
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return b"".join(written)


def answer_twice(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("201 Created", [("Content-Type", "text/plain")])
    yield environ["wsgi.input"].read(3)
    yield environ["wsgi.input"].readline()


def by_account(environ: dict[str, Any]) -> str | None:
    account: str | None = environ.get("account")
    return account


def test_a_request_is_one_event_with_its_bytes_and_milliseconds():
    recorder = Recorder()
    meter = WsgiMeter(answer_twice, recorder, subject=by_account)
    assert ask(meter, body=b"one\ntwo\n", path="/été") == b"one\n"
    [(type_, subject, data)] = recorder.events
    assert (type_, subject) == ("http.request", "acme")
    milliseconds = data.pop("milliseconds")
    assert isinstance(milliseconds, Decimal)
    assert 0 <= milliseconds < 10_000
    assert data == {"bytes": 4, "bytes_in": 4, "status": 201, "method": "POST", "path": "/été"}


def test_it_keeps_the_rules_of_wsgi():
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read(5)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"hello"]

    recorder = Recorder()
    meter = WsgiMeter(validator(answer), recorder, subject=by_account)
    assert ask(validator(meter), body=b"12345") == b"hello"
    assert recorder.events[0][2]["bytes_in"] == 5


def test_what_is_written_the_old_way_counts_too():
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])(b"written")
        return [b"returned"]

    recorder = Recorder()
    assert ask(WsgiMeter(answer, recorder, subject=by_account)) == b"writtenreturned"
    assert recorder.events[0][2]["bytes"] == len(b"writtenreturned")


def fail_at_once(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    raise LookupError("of the application")


def fail_midway(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"half"
    raise LookupError("of the application")


@pytest.mark.parametrize(("application", "status", "size"), [(fail_at_once, 500, 0), (fail_midway, 200, 4)])
def test_a_request_that_fails_is_counted_and_fails_as_before(application: Application, status: int, size: int):
    recorder = Recorder()
    with pytest.raises(LookupError):
        ask(WsgiMeter(application, recorder, subject=by_account))
    [(_, _, data)] = recorder.events
    assert (data["status"], data["bytes"]) == (status, size)


def test_the_application_may_name_the_subject_itself():
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["account"] = "found out"
        start_response("200 OK", [])
        return []

    recorder = Recorder()
    ask(WsgiMeter(answer, recorder, subject=by_account, type="api.call"))
    assert [(type_, subject) for type_, subject, _ in recorder.events] == [("api.call", "found out")]


def test_nobody_is_not_counted_and_a_subject_that_fails_is_told():
    recorder = Recorder()
    assert ask(WsgiMeter(answer_twice, recorder, subject=lambda environ: None), body=b"abcdef") == b"abcdef"
    assert recorder.problems == []
    assert ask(WsgiMeter(answer_twice, recorder, subject=lambda environ: environ["no"]), body=b"abcdef") == b"abcdef"
    assert [each.kind for each in recorder.problems] == ["callback"]
    assert recorder.events == []
