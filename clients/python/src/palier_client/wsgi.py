"""WSGI middleware: one event for each request, when its response has been closed."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from palier_client.exchanges import EVENT_TYPE, Exchange, RequestMeter

if TYPE_CHECKING:
    from palier_client.client import Client

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WsgiMeter:
    """`WsgiMeter(application, client, subject=lambda environ: environ.get("account"))`."""

    def __init__(
        self,
        application: Application,
        client: "Client",
        *,
        subject: Callable[[Environ], str | None],
        type: str = EVENT_TYPE,
    ) -> None:
        self.application = application
        self.meter: RequestMeter[Environ] = RequestMeter(client, subject=subject, type=type)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        exchange = Exchange(environ.get("REQUEST_METHOD", ""), read_path(environ))
        if "wsgi.input" in environ:
            environ["wsgi.input"] = CountedInput(environ["wsgi.input"], exchange)

        def start(status: str, headers: Any, *exc_info: Any) -> Callable[[bytes], object]:
            write = start_response(status, headers, *exc_info)
            code = status[:3]
            exchange.status = int(code) if code.isdecimal() else 500

            def count_and_write(piece: bytes) -> object:
                exchange.bytes_out += len(piece)
                return write(piece)

            return count_and_write

        try:
            body = self.application(environ, start)
        except BaseException:
            self.meter.track(environ, exchange)
            raise
        return CountedBody(body, exchange, lambda: self.meter.track(environ, exchange))


class CountedInput:
    """The request's body, counted as the application reads it."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self.stream, self.exchange = stream, exchange

    def count(self, piece: bytes) -> bytes:
        self.exchange.bytes_in += len(piece)
        return piece

    def read(self, *size: int) -> bytes:
        return self.count(self.stream.read(*size))

    def readline(self, *size: int) -> bytes:
        return self.count(self.stream.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        return [self.count(line) for line in self.stream.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self.count, self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class CountedBody:
    """The response's body, counted as the server takes it. WSGI has the server call close() in every case."""

    def __init__(self, body: Iterable[bytes], exchange: Exchange, end: Callable[[], None]) -> None:
        self.body, self.exchange, self.end = body, exchange, end
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.body:
            self.exchange.bytes_out += len(piece)
            yield piece

    def close(self) -> None:
        try:
            if hasattr(self.body, "close"):
                self.body.close()
        finally:
            if not self.is_closed:
                self.is_closed = True
                self.end()


def read_path(environ: Environ) -> str:
    """WSGI hands the bytes of the path over as Latin-1, whatever they are."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode(errors="replace")
