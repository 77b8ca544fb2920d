"""Meters in the back-office: made with a preview, changed from an hour on, and their past shown as it is counted."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from metering import backfill
from metering.invariants import check
from metering.models import Backfill, Event, HourlyRollup, Meter, MeterVersion
from tests.metering.makers import NOON, make_account, make_events, make_meter

pytestmark = pytest.mark.django_db

ADD = {
    "key": "bytes",
    "name": "Bytes",
    "event_type": "request",
    "aggregation": "sum",
    "value": "bytes",
    "unit": "byte",
    "rounding_places": "0",
}


@pytest.fixture(autouse=True)
def _at_noon():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def staff(client: Client) -> Client:
    user = get_user_model().objects.create_superuser(email="ops@palier.test", password="correct horse battery")
    client.force_login(user)
    return client


def add(staff: Client, **changes: str):
    return staff.post(reverse("admin:metering_meter_add"), ADD | changes)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"value": ""}, "value", "needs a value"),
        ({"aggregation": "count"}, "value", "A count looks at no value"),
        ({"value": "bytes +"}, "value", ""),
        ({"value": "__import__(bytes)"}, "value", ""),
        ({"filter": "{"}, "filter", "JSON"),
        ({"filter": '{"property": "a", "op": "~", "value": 1}'}, "filter", ""),
        ({"dimensions": "a b"}, "dimensions", ""),
        ({"dimensions": "a,b,c,d,e,f"}, "dimensions", "at most 5"),
        ({"key": "a b"}, "key", "slug"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(staff, changes, field, words):
    response = add(staff, **changes)
    form = response.context["adminform"].form
    assert list(form.errors) == [field]
    assert words in str(form.errors)
    assert not Meter.objects.exists()


def test_a_percentile_that_does_not_say_which_is_the_ninety_fifth(staff):
    assert add(staff, aggregation="percentile").status_code == 302
    assert Meter.objects.get().percentile == 95


def test_a_preview_shows_what_would_be_counted_and_saves_nothing(staff):
    make_account(), make_meter()
    make_events(3, bytes=7, region="eu"), make_events(1, first=9, bytes="many"), make_events(1, first=10, status=404)
    is_missing = '{"property": "status", "op": "exists", "value": false}'
    wanted = f'{{"any": [{is_missing}, {{"property": "status", "op": "<", "value": 0.5}}]}}'
    page = add(staff, _preview="yes", filter=wanted, dimensions="region")
    preview = page.context["preview"]
    assert (preview.event_count, preview.counted, preview.passed_over, preview.unusable) == (5, 3, 1, 1)
    text = page.content.decode()
    assert "Of 5 events 3 would be counted" in text
    assert "[&quot;eu&quot;]" in text
    assert "errornote" not in text
    assert not Meter.objects.filter(key="bytes").exists()
    assert add(staff, filter=wanted, dimensions="region").status_code == 302
    assert HourlyRollup.objects.get(meter__key="bytes").total == 21
    assert list(check()) == []


def test_a_preview_without_events_says_so(staff):
    assert "No event of this type" in add(staff, _preview="yes").content.decode()


def change(staff: Client, meter_id: int, *, moment: datetime, **changes: str):
    form = {"event_type": "request", "value": "bytes * 2", "filter": "", "dimensions": ""}
    form |= {"starts_at_0": f"{moment:%Y-%m-%d}", "starts_at_1": f"{moment:%H:%M:%S}"}
    return staff.post(reverse("admin:metering_version", args=[meter_id]), form | changes)


def test_what_a_meter_counts_changes_from_an_hour_on(staff):
    make_account()
    meter = make_meter("bytes", event_type="request", value="bytes")
    make_events(1, bytes=7)
    later = NOON + timedelta(hours=2)
    assert change(staff, meter.id, moment=later).status_code == 302
    version = MeterVersion.objects.get(number=2)
    assert (version.value, version.starts_at) == ("bytes * 2", later)
    with time_machine.travel(later, tick=False):
        make_events(1, first=2, bytes=7, time=later)
    assert sorted(HourlyRollup.objects.values_list("total", flat=True)) == [7, 14]
    page = staff.get(reverse("admin:metering_meter_change", args=[meter.id])).content.decode()
    assert "bytes * 2" in page
    assert 'name="versions-0-value"' not in page
    assert list(check()) == []


@pytest.mark.parametrize(
    ("moment", "changes", "field"),
    [
        (NOON, {}, "starts_at"),
        (NOON + timedelta(minutes=150), {}, "starts_at"),
        (NOON + timedelta(hours=2), {"value": ""}, "value"),
        (NOON + timedelta(hours=2), {"filter": "[1]"}, "filter"),
        (NOON + timedelta(hours=2), {"event_type": ""}, "event_type"),
    ],
)
def test_a_change_that_cannot_be_is_told_at_its_field(staff, moment, changes, field):
    meter = make_meter("bytes", event_type="request", value="bytes")
    assert list(change(staff, meter.id, moment=moment, **changes).context["form"].errors) == [field]
    assert MeterVersion.objects.count() == 1


def test_a_change_from_an_hour_that_has_counted_is_told_at_its_field(staff):
    """The clocks of those who sent were ahead."""
    make_account()
    meter = make_meter("bytes", event_type="request", value="bytes")
    ahead = NOON + timedelta(hours=2)
    make_events(1, bytes=7, time=ahead, at=ahead)
    answer = change(staff, meter.id, moment=ahead)
    assert "are counted already" in answer.context["form"].errors["starts_at"][0]
    assert "are counted already" in answer.content.decode()
    assert MeterVersion.objects.count() == 1


def test_a_change_has_its_preview_too(staff):
    make_account()
    meter = make_meter("bytes", event_type="request", value="bytes")
    make_events(2, bytes=7)
    page = change(staff, meter.id, moment=NOON + timedelta(hours=2), _preview="yes")
    assert (page.context["preview"].counted, page.context["preview"].rows[0].value) == (2, "14")
    assert MeterVersion.objects.count() == 1
    assert staff.get(reverse("admin:metering_version", args=[meter.id])).status_code == 200
    assert staff.get(reverse("admin:metering_version", args=[meter.id + 1])).status_code == 404


def test_staff_without_the_right_change_nothing(client: Client):
    meter = make_meter("bytes", event_type="request", value="bytes")
    client.force_login(get_user_model().objects.create_user(email="rep@palier.test", password="x", is_staff=True))
    assert change(client, meter.id, moment=NOON + timedelta(hours=2)).status_code == 403
    assert client.get(reverse("admin:metering_progress", args=[meter.id])).status_code == 403


def test_a_long_past_shows_its_progress(staff, monkeypatch):
    monkeypatch.setattr(backfill, "AT_ONCE", 2)
    make_account(), make_meter()
    make_events(4, bytes=1), make_events(4, first=10, time=NOON - timedelta(days=3), at=NOON, bytes=1)
    add(staff)
    meter = Meter.objects.get(key="bytes")
    url = reverse("admin:metering_meter_change", args=[meter.pk])
    page = staff.get(url).content.decode()
    assert '<progress id="backfill" max="8" value="0"' in page
    assert "admin-palier/progress.js" in page
    progress = reverse("admin:metering_progress", args=[meter.pk])
    assert staff.get(progress).json() == {"done": 0, "total": 8, "finished": False}

    backfill.count_span(meter.pk, start=Backfill.objects.get().starts_at, at=NOON)
    assert staff.get(progress).json()["done"] == 4
    assert "50 % counted" in staff.get(reverse("admin:metering_meter_changelist")).content.decode()

    while (row := Backfill.objects.get()).finished_at is None:
        backfill.count_span(meter.pk, start=row.done_until, at=NOON)
    assert staff.get(progress).json() == {"done": 8, "total": 8, "finished": True}
    assert "<progress" not in staff.get(url).content.decode()
    assert Event.objects.filter(received_at__gte=datetime(2026, 11, 1, tzinfo=UTC)).count() == 8
    assert list(check()) == []
