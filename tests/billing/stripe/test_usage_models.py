"""What the database itself refuses of meter events."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.models import Period, StripeMeterEvent
from metering import meters
from tests.billing.makers import FEB, HOUR, JAN, make_subscription

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def period():
    make_subscription()
    return Period.objects.get()


def make_event(period, **terms):
    fields = {"starts_at": JAN, "ends_at": JAN + HOUR, "timestamp": JAN + HOUR / 2, "value": Decimal(5)}
    fields |= {"identifier": "one", "event_name": "palier_requests", "customer_id": "cus_1", "formula": "sum"}
    meter_id = meters.find_meter("requests").id
    return StripeMeterEvent.objects.create(
        period=period,
        account_id=period.subscription.account_id,
        **fields | {"meter_id": meter_id, "due_at": FEB, "created_at": FEB} | terms,
    )


def refuses(constraint, act):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        act()
    return True


def test_a_slice_has_each_revision_once(period):
    make_event(period)
    assert refuses("stripe_meter_event_once", lambda: make_event(period, identifier="two"))
    assert make_event(period, identifier="two", revision=2).part == 1
    assert make_event(period, identifier="three", part=2).revision == 1


def test_an_identifier_is_that_of_one_event(period):
    make_event(period)
    assert refuses("identifier", lambda: make_event(period, revision=2))


def test_one_event_of_an_account_and_meter_is_on_its_way(period):
    sending = {"state": "sending", "leased_until": FEB + MINUTE, "unsure_since": FEB}
    make_event(period, **sending)
    again = {"identifier": "two", "revision": 2} | sending
    assert refuses("stripe_meter_event_one_on_its_way", lambda: make_event(period, **again))
    assert make_event(period, meter_id=meters.find_meter("bandwidth").id, **again).state == "sending"


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("stripe_meter_event_is_within_its_slice", {"timestamp": JAN + HOUR}),
        ("stripe_meter_event_is_within_its_slice", {"timestamp": JAN - MINUTE}),
        ("stripe_meter_event_has_a_time_once_accepted", {"state": "accepted"}),
        ("stripe_meter_event_has_a_time_once_accepted", {"accepted_at": FEB}),
        ("stripe_meter_event_fails_for_a_reason", {"state": "failed"}),
        ("stripe_meter_event_is_leased_while_sending", {"state": "sending"}),
        ("stripe_meter_event_is_leased_while_sending", {"leased_until": FEB}),
        ("stripe_meter_event_numbered_from_one", {"revision": 0}),
    ],
)
def test_an_event_whose_parts_do_not_fit_is_not_kept(period, constraint, change):
    assert refuses(constraint, lambda: make_event(period, **change))


@pytest.mark.parametrize("change", [{"value": Decimal(6)}, {"timestamp": JAN}, {"identifier": "other"}])
def test_what_an_event_says_never_changes(period, change):
    event = make_event(period)
    rows = StripeMeterEvent.objects.filter(pk=event.pk)
    assert refuses("stays as it was queued", lambda: rows.update(**change))
    assert rows.update(state="accepted", accepted_at=FEB) == 1


def test_an_event_is_never_removed(period):
    event = make_event(period)
    assert refuses("stays as it was queued", event.delete)
