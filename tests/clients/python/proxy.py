"""A loopback proxy before the real server, which fails as it is told."""

import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Fault:
    """Instead of the server's answer: this status, or a cut connection when it is None.

    The server gets the request none the less when `is_passed_on`.
    """

    status: int | None
    is_passed_on: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that came in. `at` is in seconds of the clock that never goes back."""

    at: float
    headers: dict[str, str]
    body: bytes

    @property
    def is_compressed(self) -> bool:
        return self.headers.get("content-encoding") == "gzip"

    def read_rows(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(gzip.decompress(self.body) if self.is_compressed else self.body)
        return rows


class Proxy(ThreadingHTTPServer):
    """`faults` are met in their order, one by each request; `always` by every request after them."""

    def __init__(self, server_port: int, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.target_port = server_port
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.attempts: list[Attempt] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_fault(self) -> Fault | None:
        return self.faults.popleft() if self.faults else self.always

    def count_rows(self) -> int:
        return sum(len(attempt.read_rows()) for attempt in self.attempts)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = self.server.next_fault()
        self.server.attempts.append(Attempt(time.monotonic(), headers, body))
        if fault is None or fault.is_passed_on:
            status, kind, answer = self.pass_on(body)
            if fault is None:
                return self.answer(status, {"Content-Type": kind}, answer)
        if fault.status is None:
            self.close_connection = True
            return None
        return self.answer(fault.status, fault.headers, b"a fault")

    def pass_on(self, body: bytes) -> tuple[int, str, bytes]:
        onward = HTTPConnection("127.0.0.1", self.server.target_port, timeout=20)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            onward.request("POST", self.path, body, headers)
            response = onward.getresponse()
            return response.status, response.headers["Content-Type"], response.read()
        finally:
            onward.close()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def run_proxy(server_port: int, port: int = 0) -> Iterator[Proxy]:
    with Proxy(server_port, port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
