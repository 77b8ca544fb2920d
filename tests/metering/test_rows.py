"""Events as rows of a binary COPY: whatever a text holds arrives as it is."""

from datetime import UTC, datetime, timedelta

import pytest

from metering.events import CheckedEvent, find_instant
from metering.ingest import COPY
from metering.models import Event
from metering.rows import encode_rows
from metering.statements import copy_rows, run_statement
from tests.metering.makers import NOON, make_account

pytestmark = pytest.mark.django_db

TEXTS = ["plain", "tab\tline\nreturn\r", "back\\slash \\N \\.", '"quoted" {1,2}', "\x01\x02\x03", "été 漢字 🙂", " "]


def make_checked(text: str, *, subject: str, at: datetime, data: bytes = b"{}") -> CheckedEvent:
    return CheckedEvent(
        claim=text.encode().ljust(16, b".")[:16],
        digest=bytes(8),
        seal=0,
        source=text,
        id=text,
        type=text,
        subject=subject,
        happened_at=at,
        instant=find_instant(at),
        data=data,
        measures=(),
        skipped=(),
    )


def store(events: list[CheckedEvent], *, accounts: dict[str, int | None], key: int | None = None) -> None:
    run_statement("SELECT metering_open_month(%s::timestamptz)", [NOON])
    senders = {event.claim: key for event in events}
    copy_rows(COPY, encode_rows(events, accounts=accounts, senders=senders, received_at=NOON))


def test_every_text_arrives_as_it_is():
    store([make_checked(text, subject="acme", at=NOON) for text in TEXTS], accounts={"acme": None})
    assert set(Event.objects.values_list("source", "event_id", "type")) == {(text, text, text) for text in TEXTS}


def test_times_arrive_to_the_microsecond_and_data_as_json():
    at = datetime(1999, 12, 31, 23, 59, 59, 999999, UTC)
    event = make_checked("1", subject="acme", at=at, data='{"n": 1.50, "é": "\\u00e9"}'.encode())
    store([event], accounts={"acme": None})
    stored = Event.objects.get()
    assert (stored.happened_at, stored.received_at) == (at, NOON)
    assert stored.data == {"n": 1.5, "é": "é"}


def test_each_row_has_its_own_account_and_sender():
    acme = make_account("acme")
    at = NOON - timedelta(hours=1)
    rows = [make_checked("1", subject="acme", at=at), make_checked("2", subject="nobody", at=at)]
    store(rows, accounts={"acme": acme.id, "nobody": None}, key=17)
    found = Event.objects.order_by("event_id").values_list("subject", "account_id", "api_key_id")
    assert list(found) == [("acme", acme.id, 17), ("nobody", None, 17)]


def test_no_events_are_no_rows():
    store([], accounts={})
    assert not Event.objects.exists()
