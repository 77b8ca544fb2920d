"""The door for outgoing webhooks: one signed request to a system of the vendor's, as Standard Webhooks has it.

https://www.standardwebhooks.com: `webhook-id` (the same whenever the same message is sent again), `webhook-timestamp`,
`webhook-signature` (one for each secret that is good, so that a secret can be changed without a gap). When and how
often is the caller's: an errand of the job queue. Nothing here touches the database.

The address is the vendor's to choose, so it is not believed: https alone, its name is looked up once, every address
of it must be public, and the connection is made to what was looked at, not to a second look-up. No redirect is
followed, no proxy is asked.
"""

import base64
import http.client
import ipaddress
import secrets
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from standardwebhooks import Webhook

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0  # for everything: an answer that trickles in is cut off
ANSWER_LENGTH = 500  # characters of it that are kept
ANSWER_BYTES = 4 * ANSWER_LENGTH
SECRET_BYTES = 32
OK = range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Addresses that stand for another one, which may be private: whoever wants it names it.
TRANSLATED = [ipaddress.ip_network(name) for name in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]


class UnsafeAddress(ValueError):
    """A webhook must not be sent there; the message says why."""


class WebhookFailed(Exception):
    """It was not taken: no answer, or another one than 2xx. `status` is None without an answer."""

    def __init__(self, why: str, *, status: int | None = None, text: str = "") -> None:
        super().__init__(why)
        self.status, self.text = status, text


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the first 500 characters."""

    status: int
    text: str


def make_secret() -> str:
    """A new secret, `whsec_…` over 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(body: str, *, message_id: str, keys: Sequence[str], at: datetime) -> dict[str, str]:
    """The three headers. `at` is aware; `keys` are the secrets that are good, the present one first."""
    signatures = [Webhook(key).sign(msg_id=message_id, timestamp=at.astimezone(UTC), data=body) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def send_webhook(url: str, body: str, *, message_id: str, keys: Sequence[str], at: datetime) -> Answer:
    """Send one message, JSON, once. Outside of a transaction: it may take fifteen seconds.

    Raises UnsafeAddress before anything is sent, WebhookFailed where it was not taken with 2xx. A redirect is no 2xx.
    """
    parts = check_url(url)
    address = find_address(parts)
    headers = sign(body, message_id=message_id, keys=keys, at=at)
    headers |= {"content-type": "application/json", "user-agent": "Palier", "connection": "close"}
    connection = connect(parts, address)
    alarm = threading.Timer(TOTAL_SECONDS, cut, [connection])
    alarm.daemon = True
    alarm.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body.encode(), headers)
        with closing(connection.getresponse()) as response:
            text = response.read(ANSWER_BYTES).decode("utf-8", "replace").replace("\x00", "")[:ANSWER_LENGTH]
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WebhookFailed(f"no answer: {type(error).__name__}: {error}") from error
    finally:
        alarm.cancel()
        connection.close()
    if response.status not in OK:
        raise WebhookFailed(f"answered {response.status}", status=response.status, text=text)
    return Answer(response.status, text)


def check_url(url: str) -> SplitResult:
    """What can be said of an address without looking its name up. Raises UnsafeAddress.

    Plain http goes to this machine alone, and only in debug mode.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnsafeAddress(f"no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UnsafeAddress("an address begins with https:// and a name")
    if parts.username is not None or parts.password is not None:
        raise UnsafeAddress("an address holds no password")
    if parts.scheme == "http" and not (settings.DEBUG and is_loopback(parts.hostname)):
        raise UnsafeAddress("plain http is read by anybody on the way: use https")
    return parts


def is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def find_address(parts: SplitResult) -> str:
    """The address to connect to. Every one that the name has must be allowed. Raises UnsafeAddress, WebhookFailed."""
    hostname = parts.hostname or ""
    try:
        found = socket.getaddrinfo(hostname, find_port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebhookFailed(f"{hostname} is not found: {error}") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    may_be_local = settings.DEBUG and is_loopback(hostname)
    for each in addresses:
        address = ipaddress.ip_address(each)
        if not is_allowed(address) and not (may_be_local and address.is_loopback):
            raise UnsafeAddress(f"{hostname} is {each}, which is not a public address")
    return addresses[0]


def is_allowed(address: Address) -> bool:
    """Public, or in a network that settings.WEBHOOK_PRIVATE_NETWORKS names."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return is_allowed(address.ipv4_mapped)
    if any(address in ipaddress.ip_network(name) for name in settings.WEBHOOK_PRIVATE_NETWORKS):
        return True
    if any(address in network for network in TRANSLATED):
        return False
    return address.is_global and not address.is_multicast


def find_port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


class VettedConnection(http.client.HTTPConnection):
    """Goes to the address that was looked at, under the name that was asked for."""

    def __init__(self, parts: SplitResult, address: str) -> None:
        super().__init__(parts.hostname or "", find_port(parts), timeout=CONNECT_SECONDS)
        self.address, self.is_secret = address, parts.scheme == "https"
        self.default_port = 443 if self.is_secret else 80  # which the Host header leaves out

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), timeout=CONNECT_SECONDS)
        if self.is_secret:
            self.sock = make_context().wrap_socket(self.sock, server_hostname=self.host)
        self.sock.settimeout(TOTAL_SECONDS)


def make_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def connect(parts: SplitResult, address: str) -> VettedConnection:
    return VettedConnection(parts, address)


def cut(connection: VettedConnection) -> None:
    """Wake who waits for the other side, with an error."""
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
