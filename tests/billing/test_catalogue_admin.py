import json
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from billing import coupons, plans
from billing.models import Coupon, Discount, Plan, PlanVersion, Price
from tests.billing.makers import HOUR, MID_JAN, make_plan, make_subscription

pytestmark = pytest.mark.django_db

NOW = MID_JAN + HOUR
FEE = {"description": "Base fee", "model": "flat", "unit_amount": "49"}


def write_catalogue(fee=FEE):
    version = {"currency": "EUR", "prices": [fee]}
    return json.dumps({"plans": [{"slug": "growth", "name": "Growth", "rank": 20, "versions": [version]}]})


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def chief(client):
    client.force_login(get_user_model().objects.create(email="chief@vendor.example", is_staff=True, is_superuser=True))
    return client


def import_url():
    return reverse("admin:billing_planversion_import")


def upload(client, content):
    return client.post(import_url(), {"file": SimpleUploadedFile("prices.json", content)}).content.decode()


def test_an_import_shows_what_it_would_change_and_then_does_it(chief):
    text = write_catalogue()
    page = upload(chief, text.encode())
    assert "What would change" in page
    assert "+ Base fee: €49.00 per period" in page
    assert not Plan.objects.exists()
    done = chief.post(import_url(), {"text": text, "confirmed": "yes"}, follow=True)
    assert "1 version was published." in done.content.decode()
    assert plans.find_plan("growth", at=NOW).offered_from == NOW
    assert "All of it is in place already." in upload(chief, text.encode())


def test_an_import_tells_every_fault_with_its_place_also_when_confirmed(chief):
    text = write_catalogue(FEE | {"unit_amount": "-1"})
    assert "<code>plans[0].versions[0].prices[0].unit_amount</code>" in upload(chief, text.encode())
    done = chief.post(import_url(), {"text": text, "confirmed": "yes"})
    assert "Nothing can be imported until this is mended" in done.content.decode()
    assert not Plan.objects.exists()


def test_an_import_takes_a_template_and_refuses_what_is_no_text(chief):
    page = chief.post(import_url(), {"template": "aws-like"}).content.decode()
    assert "New meters: instance-hours, stored-gb" in page
    assert "The file is no text in UTF-8." in upload(chief, b"\xff\xfe")
    assert "Choose a file or a template." in chief.post(import_url(), {}).content.decode()


def test_markup_in_a_file_is_inert(chief):
    page = upload(chief, write_catalogue(FEE | {"description": "<script>alert(1)</script>"}).encode())
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_only_who_may_publish_may_import(client):
    reader = get_user_model().objects.create(email="reader@vendor.example", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_planversion"))
    client.force_login(reader)
    assert client.get(import_url()).status_code == 403
    assert client.post(import_url(), {"text": write_catalogue(), "confirmed": "yes"}).status_code == 403
    assert not Plan.objects.exists()
    changelist = client.get(reverse("admin:billing_planversion_changelist")).content.decode()
    assert import_url() not in changelist


def test_the_list_of_versions_leads_to_the_import(chief):
    assert import_url() in chief.get(reverse("admin:billing_planversion_changelist")).content.decode()


def run_action(client, model, action, pks, **data):
    url = reverse(f"admin:billing_{model}_changelist")
    return client.post(url, {"action": action, "_selected_action": pks, **data}, follow=True).content.decode()


def test_retiring_asks_first_and_says_who_stays(chief):
    version_id = make_subscription().version_id
    assert "EUR — Growth v1: 1 subscriber" in run_action(chief, "planversion", "retire", [version_id])
    assert PlanVersion.objects.get(pk=version_id).retired_at is None
    assert "1 version is retired." in run_action(chief, "planversion", "retire", [version_id], confirmed="yes")
    assert PlanVersion.objects.get(pk=version_id).retired_at == NOW
    assert "None of the chosen versions is on offer." in run_action(chief, "planversion", "retire", [version_id])


def make_tiers_form(price, *ends):
    data = {"tiers-TOTAL_FORMS": len(ends), "tiers-INITIAL_FORMS": 0, "rows-TOTAL_FORMS": 0, "rows-INITIAL_FORMS": 0}
    data |= {
        "position": price.position, "description": "Requests", "model": "graduated", "meter": price.meter_id,
        "included_units": 0, "minimum": 0, "conversion_rounding": "half", "conversion_places": 12,
        "package_rounding": "up", "transaction_fee": 0, "free_amount": 0, "free_transactions": 0,
        "charged_by": "automatic",
    }  # fmt: skip
    for number, end in enumerate(ends):
        row = {"position": number + 1, "up_to": end, "unit_amount": "0.01", "flat_amount": 0, "price": price.pk}
        data |= {f"tiers-{number}-{name}": value for name, value in row.items()}
    return data


@pytest.mark.parametrize(
    ("ends", "row", "why"),
    [
        (["10", "20"], 1, "The last tier is open: leave this empty."),
        (["", "20", ""], 0, "Only the last tier is open: say where this one ends."),
        (["20", "10", ""], 1, "A tier ends above the one before, which ends at 20."),
    ],
)
def test_the_editor_of_tiers_names_the_field_at_fault(chief, ends, row, why):
    make_plan("growth")
    draft = plans.copy_last_version(Plan.objects.get().pk)
    price = Price.objects.get(version=draft, model="graduated")
    price.tiers.all().delete()
    url = reverse("admin:billing_price_change", args=[price.pk])
    response = chief.post(url, make_tiers_form(price, *ends))
    [tiers, _rows] = response.context["inline_admin_formsets"]
    assert tiers.formset.errors[row] == {"up_to": [why]}
    assert not price.tiers.exists()
    assert chief.post(url, make_tiers_form(price, "10", "20", "")).status_code == 302
    assert [tier.up_to for tier in price.tiers.all()] == [Decimal(10), Decimal(20), None]


def test_a_coupon_is_made_and_then_only_limited(chief):
    url = reverse("admin:billing_coupon_add")
    terms = {"code": "HELLO", "name": "Hello", "percent": "10", "amount": "", "currency": "", "months": ""}
    refused = chief.post(url, terms | {"duration": "repeating"})
    assert "A coupon has a number of months exactly when" in refused.content.decode()
    assert chief.post(url, terms | {"duration": "once"}).status_code == 302
    coupon = Coupon.objects.get()
    page = reverse("admin:billing_coupon_change", args=[coupon.pk])
    assert chief.post(page, {"name": "Hi", "percent": "50", "max_redemptions": "3"}).status_code == 302
    coupon.refresh_from_db()
    assert (coupon.name, coupon.percent, coupon.max_redemptions) == ("Hi", Decimal(10), 3)
    assert chief.post(reverse("admin:billing_coupon_delete", args=[coupon.pk])).status_code == 403


def test_a_coupon_takes_off_an_amount_typed_in_whole_units(chief):
    url = reverse("admin:billing_coupon_add")
    terms = {"code": "FIVE", "name": "Five", "percent": "", "duration": "once", "months": ""}
    refused = chief.post(url, terms | {"amount": "5.00", "currency": ""}).content.decode()
    assert "or an amount above 0 with its currency" in refused
    refused = chief.post(url, terms | {"amount": "5.001", "currency": "EUR"}).content.decode()
    assert "EUR has no unit as small as that." in refused
    refused = chief.post(url, terms | {"amount": "5", "percent": "5", "currency": "EUR"}).content.decode()
    assert "A coupon has a percentage above 0 and up to 100" in refused
    assert chief.post(url, terms | {"amount": "5.00", "currency": "EUR"}).status_code == 302
    coupon = Coupon.objects.get()
    assert (coupon.amount_minor, coupon.currency) == (500, "EUR")
    page = reverse("admin:billing_coupon_change", args=[coupon.pk])
    assert "€5.00" in chief.get(page).content.decode()
    assert chief.post(page, {"name": "Cinq", "amount": "9"}).status_code == 302
    coupon.refresh_from_db()
    assert (coupon.name, coupon.amount_minor) == ("Cinq", 500)


def test_ending_a_discount_asks_first(chief):
    subscription = make_subscription()
    coupons.create_coupon(code="HELLO", name="Hello", percent=Decimal(10), duration="forever")
    made = coupons.apply_coupon(code="HELLO", account_id=subscription.account_id, at=MID_JAN)
    assert "10 %" in run_action(chief, "discount", "end", [made.id])
    assert Discount.objects.get().ends_at is None
    assert "1 discount was ended." in run_action(chief, "discount", "end", [made.id], confirmed="yes")
    assert Discount.objects.get().ends_at == NOW
