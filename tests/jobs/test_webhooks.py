import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from jobs import webhooks
from jobs.webhooks import UnsafeAddress, WebhookFailed, check_url, find_address, make_secret, send_webhook, sign
from tests.jobs.hearers import CERTIFICATE, Hearer, hearing_requests

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
BODY = '{"type": "alert.raised"}'
KEY, OLD_KEY = make_secret(), make_secret()


@pytest.fixture
def hearer(settings) -> Iterator[Hearer]:
    """On this machine, where debug mode lets plain http go."""
    settings.DEBUG = True
    with hearing_requests() as hearer:
        yield hearer


def send(url: str, **changes: object):
    return send_webhook(url, BODY, **{"message_id": "msg_1", "keys": [KEY], "at": AT} | changes)


def test_a_message_is_posted_signed_and_its_answer_kept(hearer):
    answer = send(hearer.url)
    [(path, headers, body)] = hearer.heard
    assert (answer.status, answer.text) == (200, "thanks")
    assert (path, body, headers["content-type"]) == ("/hooks?from=palier", BODY, "application/json")
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", str(int(AT.timestamp())))
    with time_machine.travel(AT, tick=False):
        assert Webhook(KEY).verify(body, headers) == {"type": "alert.raised"}


@pytest.mark.parametrize("key", [KEY, OLD_KEY], ids=["new", "old"])
def test_while_a_secret_is_changed_both_verify_and_no_other_does(key):
    headers = sign(BODY, message_id="msg_1", keys=[KEY, OLD_KEY], at=AT)
    with time_machine.travel(AT, tick=False):
        Webhook(key).verify(BODY, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(make_secret()).verify(BODY, headers)


def test_the_clock_of_whoever_asks_makes_no_other_signature():
    """The library takes the digits of a time for UTC, whatever its zone."""
    there = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert sign(BODY, message_id="1", keys=[KEY], at=there) == sign(BODY, message_id="1", keys=[KEY], at=AT)


def test_a_body_with_other_digits_is_refused():
    headers = sign(BODY, message_id="msg_1", keys=[KEY], at=AT)
    with time_machine.travel(AT, tick=False), pytest.raises(WebhookVerificationError):
        Webhook(KEY).verify(BODY.replace("raised", "recovered"), headers)


def test_an_answer_but_2xx_is_a_failure_with_the_first_500_characters(hearer):
    hearer.answers = [(503, {}, "é".encode() * 3000)]
    with pytest.raises(WebhookFailed, match="answered 503") as failure:
        send(hearer.url)
    assert (failure.value.status, failure.value.text) == (503, "é" * 500)


def test_no_redirect_is_followed(hearer):
    hearer.answers = [(302, {"location": f"http://127.0.0.1:{hearer.port}/elsewhere"}, b"")]
    with pytest.raises(WebhookFailed, match="answered 302"):
        send(hearer.url)
    assert len(hearer.heard) == 1


def test_who_does_not_answer_in_time_is_cut_off(monkeypatch, settings):
    settings.DEBUG = True
    monkeypatch.setattr(webhooks, "TOTAL_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(WebhookFailed, match="no answer"):
        send(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_nobody_there_is_a_failure(settings):
    settings.DEBUG = True
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(WebhookFailed, match="no answer"):
        send(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example/", "plain http"),
        ("http://127.0.0.1/", "plain http"),
        ("ftp://hooks.example/", "https://"),
        ("https:///path", "https://"),
        ("hooks.example", "https://"),
        ("https://user:word@hooks.example/", "password"),
        ("https://hooks.example:99999/", "no address"),
        ("https://[::1/", "no address"),
    ],
)
def test_addresses_that_are_refused_as_they_stand(url, why):
    with pytest.raises(UnsafeAddress, match=why):
        check_url(url)


def test_in_debug_mode_plain_http_goes_to_this_machine_alone(settings):
    settings.DEBUG = True
    check_url("http://localhost:9000/")
    with pytest.raises(UnsafeAddress):
        check_url("http://hooks.example/")


def point_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Whatever name is looked up, it has these addresses."""

    def look_up(_name: str, port: int, *_arguments: object, **_names: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.9",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
def test_a_name_that_is_an_address_within_is_refused(monkeypatch, address):
    point_to(monkeypatch, address)
    with pytest.raises(UnsafeAddress, match="not a public address"):
        find_address(check_url("https://hooks.example/"))


def test_one_private_address_among_public_ones_is_refused(monkeypatch):
    point_to(monkeypatch, "1.1.1.1", "10.0.0.1")
    with pytest.raises(UnsafeAddress):
        find_address(check_url("https://hooks.example/"))


def test_a_public_address_is_taken(monkeypatch):
    point_to(monkeypatch, "1.1.1.1", "2606:4700::1111")
    assert find_address(check_url("https://hooks.example/")) == "1.1.1.1"


def test_a_private_network_that_the_settings_name_is_taken(monkeypatch, settings):
    settings.WEBHOOK_PRIVATE_NETWORKS = ["10.1.0.0/16"]
    point_to(monkeypatch, "10.1.2.3")
    assert find_address(check_url("https://hooks.example/")) == "10.1.2.3"
    point_to(monkeypatch, "10.2.2.3")
    with pytest.raises(UnsafeAddress):
        find_address(check_url("https://hooks.example/"))


@pytest.fixture
def secret_hearer(monkeypatch: pytest.MonkeyPatch, settings) -> Iterator[Hearer]:
    """Speaks TLS as hooks.palier.test, whose certificate is believed here; whatever name is looked up leads there."""
    settings.WEBHOOK_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(webhooks, "make_context", lambda: ssl.create_default_context(cafile=CERTIFICATE))
    with hearing_requests(is_secret=True) as hearer:
        point_to(monkeypatch, "127.0.0.1")
        yield hearer


def test_https_goes_to_the_address_that_was_looked_at_under_the_name_that_was_asked_for(secret_hearer):
    send(f"https://hooks.palier.test:{secret_hearer.port}/hooks")
    [(path, headers, _)] = secret_hearer.heard
    assert (path, headers["host"]) == ("/hooks", f"hooks.palier.test:{secret_hearer.port}")


def test_a_certificate_of_another_name_is_not_believed(secret_hearer):
    with pytest.raises(WebhookFailed, match="certificate"):
        send(f"https://other.palier.test:{secret_hearer.port}/hooks")
    assert secret_hearer.heard == []
