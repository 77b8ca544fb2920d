import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from metering.corrections import retract_event
from metering.events import EventFate, Fate
from metering.figures import begin_anew, count_fates, flush_figures
from metering.forecast import Expectation, record_forecast
from metering.keys import InvalidKey, authenticate
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.models import Account, ApiKey, HourlyRollup, Limit, Meter, RejectedLine, UsageImport
from metering.rejections import Rejection, keep_rejections
from metering.reservations import hold_quantity
from tests.metering.makers import NOON, make_account, make_events, make_key, make_meter

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    user = get_user_model().objects.create_superuser(email="ops@palier.test", password="correct horse battery")
    client.force_login(user)
    return client


def make_usage(number: int) -> None:
    account, meter = make_account(f"acme-{number}", aliases=[f"ACME{number}"]), make_meter()
    hand_over_limits(
        account_ids=[account.id],
        terms=[LimitTerms(meter_id=meter.id, quantity=5, is_hard=False)],
        start=datetime(2026, 11, 1, tzinfo=UTC),
        end=datetime(2026, 12, 1, tzinfo=UTC),
        at=NOON,
    )
    make_events(6, subject=f"ACME{number}", source=f"test-{number}")
    [limit] = Limit.objects.filter(account=account.id)
    record_forecast(limit.pk, Expectation(p_hit=Decimal("0.86"), days_of_data=Decimal(30)), at=NOON)
    key = make_key(f"key {number}")
    rejection = Rejection("test", str(number), "unknown_type", "type", "No meter counts this.", b"{}")
    keep_rejections([rejection], api_key_id=key.id, account_id=account.id, at=NOON)
    hold_quantity(account_key=f"acme-{number}", meter_key="requests", quantity=Decimal(1), at=NOON)
    window = {"start": datetime(2026, 11, 1, tzinfo=UTC), "end": datetime(2026, 12, 1, tzinfo=UTC)}
    close_window(account_id=account.id, **window, at=NOON)
    retract_event(f"test-{number}", "1", reason="a test", made_by="ops", at=NOON)
    source = UsageImport.objects.create(source=f"file-{number}", file_name="access.log", started_at=NOON, rejected=1)
    RejectedLine.objects.create(usage_import=source, line_number=7, reason="no time", text="garbage")


LISTS = [
    "account", "apikey", "meter", "limit", "alert", "reservation", "usageimport", "rejectedline", "adjustment",
    "correction", "rejectedevent", "forecast",
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("alert", ["Alertes", "constaté le", "prise en charge le"]),
        ("limit", ["Limites", "commence le", "finit le", "ferme"]),
        ("meter", ["Compteurs", "agrégation", "unité"]),
        ("correction", ["Corrections", "identifiant de l’évènement", "fait par", "retiré"]),
        ("adjustment", ["Ajustements", "une correction"]),
        ("reservation", ["Réservations", "expire le", "réservé"]),
        ("usageimport", ["Imports d’utilisation", "nom du fichier"]),
        ("rejectedevent", ["Évènements refusés", "reçu le"]),
    ],
)
def test_names_of_models_and_fields_are_translated(staff, model, words):
    make_usage(1)
    page = staff.get(reverse(f"admin:metering_{model}_changelist"), headers={"accept-language": "fr"})
    text = page.content.decode().lower()
    assert [word for word in words if word.lower() not in text] == []


def test_what_a_meter_cannot_be_is_told_in_the_readers_language(staff):
    form = {"key": "a", "name": "A", "event_type": "a", "aggregation": "sum", "unit": "a", "rounding_places": "0"}
    page = staff.post(reverse("admin:metering_meter_add"), form, headers={"accept-language": "fr"})
    assert "Tout compteur qui n’est pas un dénombrement a besoin d’une valeur." in page.content.decode()


@pytest.mark.parametrize("model", LISTS)
def test_a_list_costs_no_query_per_row(staff, model, django_assert_max_num_queries):
    url = reverse(f"admin:metering_{model}_changelist")
    make_usage(1)
    with CaptureQueriesContext(
        connection,
    ) as one:
        assert staff.get(url).status_code == 200
    for number in range(2, 6):
        make_usage(number)
    with django_assert_max_num_queries(len(one) + 1):
        assert staff.get(url, {"q": ""}).status_code == 200
    assert staff.get(url, {"q": "acme"}).status_code == 200


@pytest.mark.parametrize("model", LISTS)
def test_a_page_of_each_row_opens(staff, model):
    make_usage(1)
    row = apps.get_model("metering", model).objects.first()
    assert staff.get(reverse(f"admin:metering_{model}_change", args=[row.pk])).status_code == 200


def test_an_account_made_here_counts_what_waited_for_its_names(staff):
    make_meter()
    make_events(2, subject="acme"), make_events(3, subject="ACME-OLD", first=10)
    form = {"key": "acme", "name": "Acme", "aliases-TOTAL_FORMS": "1", "aliases-INITIAL_FORMS": "0"}
    response = staff.post(reverse("admin:metering_account_add"), form | {"aliases-0-name": "ACME-OLD"})
    assert response.status_code == 302
    assert HourlyRollup.objects.get().total == 5
    assert set(Account.objects.get().aliases.values_list("name", flat=True)) == {"acme", "ACME-OLD"}


def test_an_account_cannot_take_another_ones_alias_as_its_key(staff):
    make_account("acme", aliases=["second"])
    form = {"key": "second", "name": "Second", "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0"}
    response = staff.post(reverse("admin:metering_account_add"), form)
    assert "Acme goes by this name already." in response.content.decode()
    assert Account.objects.count() == 1


def test_an_alias_is_added_and_its_events_counted(staff):
    make_meter()
    account = make_account()
    make_events(2, subject="OTHER")
    form = {
        "name": "Acme Ltd",
        "aliases-TOTAL_FORMS": "2",
        "aliases-INITIAL_FORMS": "1",
        "aliases-0-name": "acme",
        "aliases-0-account": account.id,
        "aliases-1-name": "OTHER",
        "aliases-1-account": account.id,
    }
    response = staff.post(reverse("admin:metering_account_change", args=[account.id]), form)
    assert response.status_code == 302, response.context["errors"]
    assert HourlyRollup.objects.get().total == 2
    assert Account.objects.get().name == "Acme Ltd"


def test_a_new_key_is_shown_once_and_opens(staff):
    response = staff.post(reverse("admin:metering_apikey_add"), {"name": "Shop", "scopes": ["events:write"]})
    secret = re.search(r"<code>(palier_[^<]+)</code>", response.content.decode())[1]
    assert "no-store" in response["Cache-Control"]
    key = ApiKey.objects.get()
    assert authenticate(f"Bearer {secret}", scope="events:write", at=datetime.now(UTC)).id == key.pk
    for page in ("changelist", "change"):
        url = reverse(f"admin:metering_apikey_{page}", args=[key.pk] if page == "change" else [])
        text = staff.get(url).content.decode()
        assert secret not in text
        assert bytes(key.digest).hex() not in text
        assert key.prefix in text


def test_revoking_asks_first_and_then_closes_the_key(staff):
    issued = make_key()
    url = reverse("admin:metering_apikey_changelist")
    form = {"action": "revoke", "_selected_action": [issued.id]}
    asked = staff.post(url, form)
    assert "1 key stops working at once." in asked.content.decode()
    assert ApiKey.objects.get().revoked_at is None
    assert staff.post(url, form | {"confirmed": "yes"}).status_code == 302
    with pytest.raises(InvalidKey, match="revoked"):
        authenticate(f"Bearer {issued.secret}", scope="events:write", at=datetime.now(UTC))


def test_a_key_for_an_account_with_a_rate_is_issued_here(staff):
    account = make_account()
    form = {"name": "Shop", "scopes": ["usage:read"], "account": account.id, "rate_per_second": "5"}
    assert staff.post(reverse("admin:metering_apikey_add"), form).status_code == 200
    key = ApiKey.objects.get()
    assert (key.account_id, key.rate_per_second, key.scopes) == (account.id, 5, ["usage:read"])
    page = staff.post(reverse("admin:metering_apikey_add"), form | {"rate_per_second": "0"})
    assert "greater than or equal to 1" in page.content.decode()


def test_a_key_gets_a_new_secret_here_and_the_old_one_runs_out(staff):
    at = datetime.now(UTC)
    issued = make_key(at=at)
    url = reverse("admin:metering_apikey_changelist")
    form = {"action": "rotate", "_selected_action": [issued.id]}
    assert "How long the old one stays good" in staff.post(url, form).content.decode()
    assert ApiKey.objects.get().previous_digest is None
    page = staff.post(url, form | {"keep_hours": "1"}).content.decode()
    secret = re.search(r"<code>(palier_[^<]+)</code>", page)[1]
    assert "is good until" in page
    for each in (secret, issued.secret):
        assert authenticate(f"Bearer {each}", scope="events:write", at=at).id == issued.id


def test_two_keys_get_no_new_secret_at_once_nor_one_that_was_revoked(staff):
    keys = [make_key("a", at=NOON), make_key("b", at=NOON)]
    url = reverse("admin:metering_apikey_changelist")
    form = {"action": "rotate", "_selected_action": [key.id for key in keys], "keep_hours": "1"}
    assert "Select one key" in staff.post(url, form, follow=True).content.decode()
    ApiKey.objects.update(revoked_at=NOON)
    page = staff.post(url, form | {"_selected_action": [keys[0].id]}, follow=True).content.decode()
    assert "opens nothing any more" in page
    assert not ApiKey.objects.filter(previous_digest__isnull=False).exists()


def test_a_meter_is_frozen_once_it_has_counted(staff):
    make_account()
    meter = make_meter()
    url = reverse("admin:metering_meter_change", args=[meter.id])
    assert 'name="unit"' in staff.get(url).content.decode()
    make_events(1)
    page = staff.get(url).content.decode()
    assert 'name="unit"' not in page
    versions = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
    staff.post(url, versions | {"name": "Calls", "unit": "other"})
    assert (Meter.objects.get().name, Meter.objects.get().unit) == ("Calls", "request")
    assert staff.post(reverse("admin:metering_meter_delete", args=[meter.id]), {"post": "yes"}).status_code == 403


def test_a_meter_made_here_counts_the_past_of_its_type(staff):
    make_account(), make_meter()
    make_events(3, bytes=7)
    form = {
        "key": "bytes",
        "name": "Bytes",
        "event_type": "request",
        "aggregation": "sum",
        "value": "bytes",
        "unit": "byte",
        "rounding_places": "0",
    }
    assert staff.post(reverse("admin:metering_meter_add"), form).status_code == 302
    assert HourlyRollup.objects.get(meter__key="bytes").total == 21


def test_the_page_of_a_key_tells_what_it_sent_in_the_last_day(staff):
    """Drawn and in numbers; nothing where it sent nothing."""
    key, at = make_key(), timezone.now()
    page = reverse("admin:metering_apikey_change", args=[key.id])
    assert "Nothing in the last 24 hours." in staff.get(page).content.decode()
    fates = [EventFate("test", "1", Fate.ACCEPTED), EventFate("test", "2", Fate.REJECTED)]
    begin_anew()
    count_fates(fates, api_key_id=key.id, at=at)
    flush_figures()
    shown = staff.get(page).content.decode()
    assert "Events sent in each hour" in shown
    assert shown.count('class="figure-refused"') == 1
    assert f"{at:%Y-%m-%d %H}:00" in shown
