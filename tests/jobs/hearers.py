"""A system that hears webhooks, on a port of this machine, and answers as it is told."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

DATA = Path(__file__).parent / "data"
CERTIFICATE, WITH_KEY = (
    DATA / "hooks.pem",
    DATA / "hooks_server.pem",
)  # self-signed, of hooks.palier.test, for a century


class Hearer(HTTPServer):
    """`heard` holds path, headers (lower case) and body of each request; `answers` status, headers and body to come."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Ear)
        self.heard: list[tuple[str, dict[str, str], str]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    @property
    def port(self) -> int:
        return self.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=palier"


class Ear(BaseHTTPRequestHandler):
    server: Hearer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.heard.append((self.path, headers, body))
        status, more, answer = self.server.answers.pop(0) if self.server.answers else (200, {}, b"thanks")
        self.send_response(status)
        for name, value in {"content-length": str(len(answer)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def hearing_requests(*, is_secret: bool = False) -> Iterator[Hearer]:
    with Hearer() as hearer:
        if is_secret:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(WITH_KEY)
            hearer.socket = context.wrap_socket(hearer.socket, server_side=True)
        thread = threading.Thread(target=hearer.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hearer
        finally:
            hearer.shutdown()
            thread.join()
