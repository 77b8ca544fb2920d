import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from palier_client import AsgiMeter
from palier_client.asgi import Message, Receive, Scope, Send
from tests.clients.python.recorder import Recorder

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
REQUEST = {"type": "http", "method": "POST", "path": "/été", "account": "acme"}


def ask(application: Application, scope: dict[str, Any], *bodies: bytes) -> list[Message]:
    """What the application sent."""
    incoming: list[Message] = [{"type": "http.request", "body": body} for body in bodies]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 201, "headers": []})
    while body := (await receive()).get("body", b""):
        await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body"})


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("of the application")


def by_account(scope: Scope) -> str | None:
    account: str | None = scope.get("account")
    return account


def test_a_request_is_one_event_with_its_bytes_and_milliseconds():
    recorder = Recorder()
    sent = ask(AsgiMeter(echo, recorder, subject=by_account), dict(REQUEST), b"one", b"three")
    assert [message.get("body") for message in sent] == [None, b"one", b"three", None]
    [(type_, subject, data)] = recorder.events
    assert (type_, subject) == ("http.request", "acme")
    assert isinstance(data.pop("milliseconds"), Decimal)
    assert data == {"bytes": 8, "bytes_in": 8, "status": 201, "method": "POST", "path": "/été"}


def test_a_request_that_fails_is_counted_and_fails_as_before():
    recorder = Recorder()
    with pytest.raises(LookupError):
        ask(AsgiMeter(fail, recorder, subject=by_account), dict(REQUEST))
    assert recorder.events[0][2]["status"] == 500


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_all_but_http_passes_uncounted(kind: str):
    seen: list[str] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    recorder = Recorder()
    ask(AsgiMeter(look, recorder, subject=by_account), {"type": kind, "account": "acme"})
    assert (seen, recorder.events) == ([kind], [])


def test_nobody_is_not_counted():
    recorder = Recorder()
    ask(AsgiMeter(echo, recorder, subject=by_account), {"type": "http"})
    assert recorder.events == []
