"""ASGI middleware: one event for each HTTP request, when the application has returned."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from palier_client.exchanges import EVENT_TYPE, Exchange, RequestMeter

if TYPE_CHECKING:
    from palier_client.client import Client

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiMeter:
    """`AsgiMeter(application, client, subject=lambda scope: scope.get("account"))`. Lets all but HTTP through."""

    def __init__(
        self,
        application: Application,
        client: "Client",
        *,
        subject: Callable[[Scope], str | None],
        type: str = EVENT_TYPE,
    ) -> None:
        self.application = application
        self.meter: RequestMeter[Scope] = RequestMeter(client, subject=subject, type=type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        exchange = Exchange(scope.get("method", ""), scope.get("path", ""))

        async def receive_counted() -> Message:
            message = await receive()
            exchange.bytes_in += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
            exchange.bytes_out += len(message.get("body", b""))

        try:
            await self.application(scope, receive_counted, send_counted)
        finally:
            self.meter.track(scope, exchange)
