"""HTTP/1.1 with keep-alive: a thread for each connection, and no more of the protocol than Stripe's clients use."""

import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import BinaryIO

from stripe_simulator.api import Answer, Call, answer_call
from stripe_simulator.simulator import Simulator

LONGEST_BODY = 20 * 1024 * 1024
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Server:
    """Listens on loopback only."""

    def __init__(self, sim: Simulator, port: int = 0) -> None:
        self.sim = sim
        self.socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self.socket.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve_forever(self) -> None:
        while True:
            try:
                connection, address = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection, address[0]), daemon=True).start()

    def close(self) -> None:
        self.socket.close()

    def serve(self, connection: socket.socket, peer: str) -> None:
        with suppress(OSError, ValueError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = connection.makefile("rb")
            while call := read_call(reader, connection, peer):
                answer = answer_call(self.sim, call)
                if answer.is_dropped:
                    return
                connection.sendall(format_answer(answer))
                if call.headers.get("connection", "").lower() == "close":
                    return


def read_call(reader: BinaryIO, connection: socket.socket, peer: str) -> Call | None:
    """The next call, or nothing at the end of the connection. Raises ValueError on what is no HTTP."""
    line = reader.readline(65537)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := reader.readline(65537)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = read_body(reader, headers)
    path, _, query = target.partition("?")
    return Call(method, path, query, headers, body, peer)


def read_body(reader: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts: list[bytes] = []
        while size := int(reader.readline().partition(b";")[0], 16):
            require_size(size + sum(map(len, parts)))
            parts.append(reader.read(size))
            reader.readline()
        while reader.readline() not in (b"\r\n", b"\n", b""):
            pass
        return b"".join(parts)
    length = int(headers.get("content-length") or 0)
    require_size(length)
    return reader.read(length) if length else b""


def require_size(length: int) -> None:
    if not 0 <= length <= LONGEST_BODY:
        raise ValueError("a body of no acceptable length")


def format_answer(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append(f"Content-Length: {len(answer.body)}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1", "replace") + answer.body
