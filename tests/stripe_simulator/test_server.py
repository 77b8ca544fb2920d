"""HTTP as strangers may speak it."""

import socket

import pytest


def say(simulator, text):
    host, port = simulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


KEY = b"Authorization: Bearer sk_test_1\r\n"


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/customers HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/customers HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/customers HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/customers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"POST /v1/customers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_hung_up_on(simulator, text):
    assert say(simulator, text) == b""
    assert simulator.control("GET", "health")["status"] == "ok"


def test_a_chunked_body_is_read(simulator):
    head = b"POST /v1/customers HTTP/1.1\r\nHost: x\r\n" + KEY + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = say(simulator, head + b"5\r\nname=\r\n3\r\nAda\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"name":"Ada"' in answer


def test_a_client_that_waits_to_be_told_goes_on(simulator):
    head = b"POST /v1/customers HTTP/1.1\r\nHost: x\r\n" + KEY + b"Expect: 100-continue\r\nContent-Length: 8\r\n\r\n"
    assert say(simulator, head + b"name=Ada").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_a_connection_that_is_to_close_is_closed(simulator):
    head = b"GET /v1/customers HTTP/1.1\r\nHost: x\r\n" + KEY + b"Connection: close\r\n\r\n"
    assert say(simulator, head + head).count(b"HTTP/1.1 200 OK") == 1
