from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from stripe import StripeClient

from billing.stripe.inbox.envelopes import BadBody, BadSignature, open_envelope, read_envelope
from tests.billing.stripe.inbox.bodies import VERSION, sign, write_event, write_thin_event

NEW, OLD = "whsec_new", "whsec_old"
CREATED = datetime(2026, 2, 2, 2, 40, tzinfo=UTC)


def open_it(body, signature, secrets=(NEW, OLD)):
    raw = body if isinstance(body, bytes) else body.encode()
    client = StripeClient("sk_test_1")
    tolerance = timedelta(minutes=5)
    return open_envelope(raw, signature, client=client, secrets=secrets, tolerance=tolerance, at=timezone.now())


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_both_secrets_open_it_while_one_is_changed(secret):
    body = write_event("evt_7", about="in_3")
    found = open_it(body, sign(body, secret))
    assert (found.stripe_id, found.type, found.object_type, found.object_id) == (
        "evt_7",
        "invoice.paid",
        "invoice",
        "in_3",
    )
    assert (found.is_thin, found.livemode, found.account, found.api_version) == (False, False, "", VERSION)
    assert found.body == body


def test_a_thin_one_names_its_object():
    body = write_thin_event(context="acct_2")
    found = open_it(body, sign(body, NEW))
    assert (found.is_thin, found.object_type, found.object_id) == (True, "billing.meter", "mtr_1")
    assert (found.account, found.api_version, found.created_at) == ("acct_2", "", CREATED)


def test_a_wrong_secret_opens_nothing():
    body = write_event()
    with pytest.raises(BadSignature):
        open_it(body, sign(body, "whsec_other"))


def test_a_changed_body_is_not_what_was_signed():
    with pytest.raises(BadSignature):
        open_it(write_event("evt_2"), sign(write_event("evt_1"), NEW))


@pytest.mark.parametrize("seconds", [-360, 360])
def test_a_signature_is_of_now(seconds):
    body = write_event()
    with pytest.raises(BadSignature):
        open_it(body, sign(body, NEW, seconds=seconds))


@pytest.mark.parametrize("seconds", [-240, 240])
def test_a_clock_may_be_a_little_wrong(seconds):
    body = write_event()
    assert open_it(body, sign(body, NEW, seconds=seconds)).stripe_id == "evt_1"


@pytest.mark.parametrize("header", ["", "t=1", "v1=a", "t=x,v1=a", "t=99999999999999999999,v1=a", ",", "t=1,v1="])
def test_a_header_without_a_signature_opens_nothing(header):
    with pytest.raises(BadSignature):
        open_it(write_event(), header)


@pytest.mark.parametrize(
    "body",
    [
        *["", "[]", "null", "1", "{", '"event"', "{}", '{"object": "event"}', '{"object": "v2.core.event"}'],
        write_event(data=None),
        write_event(created="soon"),
        write_event(created=10**20),
        write_event(type=7),
        write_event("evt_\0"),
        write_event("evt_\ud800"),
        write_thin_event(created="2026-13-01"),
        '{"object": "charge", "id": "evt_1", "type": "a.b"}',
    ],
)
def test_what_is_signed_and_no_event_is_refused(body):
    with pytest.raises(BadBody):
        open_it(body, sign(body, NEW))


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises((BadBody, BadSignature)):
        open_it(b"\xff\xfe", sign("x", NEW))


def test_an_event_of_another_version_may_lack_what_ours_has():
    body = '{"id": "evt_9", "object": "event", "type": "a.b", "created": 1770000000, "data": {"object": {}}}'
    found = read_envelope(body)
    assert (found.livemode, found.account, found.api_version, found.object_type, found.object_id) == (False, *[""] * 4)
