"""The log of events in the back-office: every account's, those that wait, and what was refused."""

from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from metering.ingest import ingest_events
from metering.models import ApiKey, RejectedEvent
from metering.rejections import Rejection, keep_rejections
from portal.models import User
from tests.metering.makers import make_event, make_key
from tests.portal import makers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

NOV_10 = makers.NOV_10


@pytest.fixture
def staff(db) -> Client:
    person = makers.make_user("staff@example.com", is_staff=True)
    wanted = ["view_event", "view_rejectedevent", "change_rejectedevent", "view_apikey"]
    person.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    [client] = makers.log_in(person)
    return client


@pytest.fixture(autouse=True)
def ground(db) -> None:
    makers.make_account(), makers.make_account("globex"), makers.make_meters()
    make_key(at=makers.SEPTEMBER)
    for subject in ("acme", "globex", "nobody"):
        ingest_events([make_event(f"of-{subject}", source="shop", subject=subject, time=NOV_10)], at=NOV_10)


def refuse(event_id: str, code: str = "unknown_type", type: str = "other") -> int:
    body = f'{{"id": "{event_id}", "source": "shop", "type": "{type}", "subject": "acme"}}'.encode()
    rejection = Rejection("shop", event_id, code, "type", "No meter counts this type.", body)
    keep_rejections([rejection], api_key_id=ApiKey.objects.get().pk, account_id=None, at=NOV_10)
    return RejectedEvent.objects.get(event_id=event_id).pk


def test_staff_see_every_account_and_who_waits(staff):
    page = makers.squeeze(makers.read(staff, "/admin/events/"))
    assert all(f"of-{subject}" in page for subject in ("acme", "globex", "nobody"))
    assert "1 waits for its account" in page
    waiting = makers.read(staff, "/admin/events/?fate=unmatched")
    assert "of-nobody" in waiting
    assert "of-acme" not in waiting
    assert "of-globex" in makers.read(staff, "/admin/events/?subject=globex")
    assert "No event is like this" in makers.read(staff, "/admin/events/?subject=none")


def test_staff_read_the_fate_of_any_event(staff):
    def open_event(event_id: str) -> tuple[int, str]:
        answer = staff.get(f"/admin/events/event/?{urlencode({'source': 'shop', 'id': event_id})}")
        return answer.status_code, makers.squeeze(answer.content.decode())

    assert open_event("of-acme")[0] == 200
    assert "Its subject names no account yet" in open_event("of-nobody")[1]
    assert open_event("none")[0] == 404
    refuse("refused")
    assert "Nothing of this name was ever kept" in open_event("refused")[1]


def test_the_log_is_listed_among_the_tables_of_metering(staff):
    assert 'href="/admin/events/"' in makers.read(staff, "/admin/")
    assert 'href="/admin/events/"' in makers.read(staff, "/admin/metering/")


def test_without_the_permission_the_log_is_closed():
    """Staff of another kind, a customer, and nobody."""
    [other] = makers.log_in(makers.make_user("other@example.com", is_staff=True))
    [customer] = makers.log_in(makers.make_user("customer@example.com"))
    for address in ("/admin/events/", "/admin/events/event/?source=shop&id=of-acme"):
        assert other.get(address).status_code == 403
        assert customer.get(address).status_code == 302
        assert Client().get(address).status_code == 302
    assert 'href="/admin/events/"' not in makers.read(other, "/admin/")


def test_refusals_are_listed_opened_and_replayed(staff):
    made = refuse("1", type="request"), refuse("2")
    page = makers.read(staff, "/admin/metering/rejectedevent/?replay=waiting")
    assert "unknown_type" in page
    assert "/admin/events/event/?source=shop&amp;id=1" in page
    assert "&quot;id&quot;: &quot;2&quot;" in makers.read(staff, f"/admin/metering/rejectedevent/{made[1]}/change/")
    chosen = {"action": "replay", "_selected_action": made}
    answer = staff.post("/admin/metering/rejectedevent/", chosen, follow=True)
    assert "2 rows were taken again: accepted 1, rejected 1." in answer.content.decode()
    kept = makers.read(staff, "/admin/metering/rejectedevent/?replay=kept")
    assert "accepted" in kept
    again = staff.post("/admin/metering/rejectedevent/", {**chosen, "_selected_action": made[:1]}, follow=True)
    assert "kept by an earlier replay" in again.content.decode()


def test_a_replay_needs_its_permission(staff):
    made = refuse("1", type="request")
    User.objects.get(email="staff@example.com").user_permissions.remove(
        Permission.objects.get(codename="change_rejectedevent")
    )
    answer = staff.post("/admin/metering/rejectedevent/", {"action": "replay", "_selected_action": [made]}, follow=True)
    assert answer.status_code in {200, 403}
    assert RejectedEvent.objects.get().replayed_at is None
