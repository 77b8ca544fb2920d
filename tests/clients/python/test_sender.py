import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from palier_client.sender import RETRY_AFTER_MAX, Fate, Sender, Undelivered, read_fates, read_retry_after


@pytest.mark.parametrize("url", ["", "palier.example", "ftp://palier.example", "http://", "http://host:port"])
def test_an_address_is_one_of_http(url: str):
    with pytest.raises(ValueError, match=r"address|[Pp]ort"):
        Sender(url, "key", timeout=1, compress=True)


@pytest.mark.parametrize("api_key", ["", "kéy", "key\r\nX-Other: 1"])
def test_a_key_fits_into_a_header(api_key: str):
    with pytest.raises(ValueError, match="printable ASCII"):
        Sender("http://palier.example", api_key, timeout=1, compress=True)


def test_the_path_of_the_address_stays():
    sender = Sender("https://host.example:8443/palier/", "key", timeout=1, compress=True)
    assert (sender.host, sender.port, sender.is_secure) == ("host.example", 8443, True)
    assert sender.path == "/palier/api/v1/events"


def test_fates_are_read_with_what_is_said_of_them():
    results = [
        {"source": "s", "id": "1", "fate": "accepted"},
        {"source": "s", "id": "2", "fate": "rejected", "code": "too_long", "field": "data", "message": "Too long."},
    ]
    answer = json.dumps({"results": results}).encode()
    assert read_fates(answer, 2) == [Fate("1", "accepted", ""), Fate("2", "rejected", "too_long data Too long.")]


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b"{}", b'{"results": []}', b'{"results": [1]}', b'{"results": [{"id": "1"}]}']
)
def test_a_200_that_does_not_speak_of_each_row_is_not_believed(answer: bytes):
    with pytest.raises(Undelivered):
        read_fates(answer, 1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3),
        (" 3 ", 3),
        ("0", 0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("99999", RETRY_AFTER_MAX),
    ],
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None):
    assert read_retry_after(value) == seconds


@pytest.mark.parametrize(("minutes", "seconds"), [(10, 600), (-10, 0), (600, RETRY_AFTER_MAX)])
def test_retry_after_as_a_date(minutes: int, seconds: float):
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    assert read_retry_after(date) == pytest.approx(seconds, abs=3)
