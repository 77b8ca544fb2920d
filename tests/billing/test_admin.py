from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing import invoicing, plans
from billing.ahead.thresholds import Thresholds
from billing.late.policy import LatePolicy
from billing.models import Invoice, Plan, PlanVersion, Price, Subscription, TaxRate
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms
from billing.price_rows import describe_price
from billing.profiles import read_profile
from billing.proration import Proration
from billing.rating import flat_fee
from billing.tax_rates import create_tax_rate, read_taxes
from billing.taxes import TaxTerms
from metering.meters import find_meter
from tests.billing.makers import BY_HOST, FEB, HOUR, MID_JAN, make_detailed_meters, make_plan, make_subscription, use

pytestmark = pytest.mark.django_db

PAGES = ["plan", "planversion", "subscription", "billingprofile", "taxrate", "invoice"]


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(MID_JAN + HOUR, tick=False):
        yield


def make_person(email, *, is_staff=True, is_superuser=False, permissions=()):
    person = get_user_model().objects.create(email=email, is_staff=is_staff, is_superuser=is_superuser, is_active=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


@pytest.fixture
def chief(client):
    client.force_login(make_person("chief@vendor.example", is_superuser=True))
    return client


def show(client, model, pk=None):
    view = "changelist" if pk is None else "change"
    response = client.get(reverse(f"admin:billing_{model}_{view}", args=[] if pk is None else [pk]))
    assert response.status_code == 200
    return response.content.decode()


def make_billed_customer(key="acme"):
    subscription = make_subscription(key, started_at=MID_JAN)
    use(key, sizes=[1_200_000_000], time=MID_JAN)
    return subscription, invoicing.close_period(subscription.period_id, at=FEB)


def test_an_invoice_page_shows_each_line_and_why(chief):
    _, invoice = make_billed_customer()
    page = show(chief, "invoice", invoice.id)
    for text in [
        "2026-000001",
        "€49.11",
        "flat fee of €49.00",
        "1 request included",
        "1,200,000,000 bytes at €0.00000000009 = €0.108",
        "€0.108 rounded to €0.11",
        "Jan. 15, 2026 – Jan. 31, 2026",
        "None: the period counts what was billed.",
    ]:
        assert text in page
    assert 'name="_save"' not in page


def test_an_invoice_page_shows_usage_that_came_too_late(chief):
    _, invoice = make_billed_customer()
    use("acme", sizes=[1], time=MID_JAN, at=MID_JAN + HOUR)
    page = show(chief, "invoice", invoice.id)
    assert "Requests: 1 request billed, 2 requests counted by now" in page


def test_invoices_are_found_by_number_and_customer(chief):
    make_billed_customer()
    for words, found in [("2026-000001", True), ("acme", True), ("nobody", False)]:
        page = chief.get(reverse("admin:billing_invoice_changelist"), {"q": words}).content.decode()
        assert ("€49.11" in page) is found


def test_a_subscription_page_shows_its_cost_so_far_and_its_invoices(chief):
    subscription, invoice = make_billed_customer()
    page = show(chief, "subscription", subscription.id)
    assert "<strong>€49.11</strong>" in page
    assert reverse("admin:billing_invoice_change", args=[invoice.id]) in page


def test_a_published_version_is_read_in_words_and_not_edited(chief):
    plan = make_plan()
    page = show(chief, "planversion", plan.version_id)
    assert "10,000 requests included" in page
    assert "€0.002 for 1 request up to 10,000 requests" in page
    assert "50,000 requests a period" in page
    assert 'name="_save"' not in page
    price = Price.objects.get(version=plan.version_id, model="graduated")
    price_page = show(chief, "price", price.pk)
    assert 'name="_save"' not in price_page
    assert "charged through Stripe by its meters" in page
    assert "charged through Stripe by its meters" in price_page
    url = reverse("admin:billing_planversion_change", args=[plan.version_id])
    assert chief.post(url, {"currency": "USD"}).status_code == 403
    assert chief.post(reverse("admin:billing_planversion_delete", args=[plan.version_id])).status_code == 403


def make_draft():
    make_plan("growth")
    return PlanVersion.objects.get(pk=plans.copy_last_version(Plan.objects.get().pk))


def run_action(client, model, action, pks, **data):
    url = reverse(f"admin:billing_{model}_changelist")
    return client.post(url, {"action": action, "_selected_action": pks, **data}, follow=True)


def test_publishing_asks_first(chief):
    draft = make_draft()
    asked = run_action(chief, "planversion", "publish", [draft.pk])
    assert "1 draft goes on offer to new subscribers" in asked.content.decode()
    draft.refresh_from_db()
    assert draft.published_at is None
    done = run_action(chief, "planversion", "publish", [draft.pk], confirmed="yes")
    assert "1 version is on offer." in done.content.decode()
    draft.refresh_from_db()
    assert draft.published_at == MID_JAN + HOUR


def test_publishing_what_makes_no_sense_says_why(chief):
    draft = make_draft()
    Price.objects.get(version=draft, model="graduated").tiers.filter(up_to=None).delete()
    done = run_action(chief, "planversion", "publish", [draft.pk], confirmed="yes")
    assert "the last tier must be open-ended" in done.content.decode()
    draft.refresh_from_db()
    assert draft.published_at is None


def test_publishing_again_says_that_there_is_nothing_to_publish(chief):
    plan = make_plan()
    done = run_action(chief, "planversion", "publish", [plan.version_id], confirmed="yes")
    assert "None of the chosen versions is a draft." in done.content.decode()


def test_the_next_version_is_drafted_from_the_last(chief):
    make_plan("growth")
    plan = Plan.objects.get()
    assert "Growth v2 is a draft" in run_action(chief, "plan", "draft_next_version", [plan.pk]).content.decode()
    draft = PlanVersion.objects.get(number=2)
    assert plans.read_version(draft.pk).prices == plans.find_plan("growth").prices


def test_a_first_version_is_drafted_and_priced_in_the_admin(chief):
    plan = Plan.objects.create(slug="free", name="Free", rank=1)
    prefixes = ("prices", "limits", "add_ons")
    formsets = {f"{prefix}-{name}": "0" for prefix in prefixes for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    price = {
        "prices-TOTAL_FORMS": "1",
        "prices-0-position": "1",
        "prices-0-description": "Base fee",
        "prices-0-model": "flat",
        "prices-0-unit_amount": "0",
        "prices-0-included_units": "0",
    }
    url = reverse("admin:billing_planversion_add")
    terms = {"plan": plan.pk, "interval": "year", "anchoring": "anniversary", "proration": "day", "trial_days": "14"}
    terms |= {"commitment_minor": "0", "included_credit_minor": "500", "thresholds_minor": "2000,1000"}
    terms |= {"late_usage": "settle", "late_waive_under_minor": "50", "threshold_step_minor": "5000"}
    refused = chief.post(url, {**terms, "currency": "XXX", **formsets})
    assert "is not a currency code" in refused.content.decode()
    refused = chief.post(url, {**terms, "currency": "EUR", **formsets, **price})
    assert "Thresholds ascend from above zero." in refused.content.decode()
    terms["thresholds_minor"] = "1000,2000"
    chief.post(url, {**terms, "currency": "EUR", **formsets, **price})
    version = PlanVersion.objects.get()
    assert (version.number, version.currency, version.published_at) == (1, "EUR", None)
    drafted = plans.read_version(version.pk)
    assert drafted.prices == (flat_fee("Base fee", Decimal(0)),)
    assert drafted.periods == PeriodTerms(Interval.YEAR, Anchoring.ANNIVERSARY, Proration.DAY, trial_days=14)
    assert drafted.included_credit_minor == 500
    assert drafted.late == LatePolicy(waive_under_minor=50)
    assert drafted.thresholds == Thresholds((Decimal(10), Decimal(20)), Decimal(50))


def test_decimals_are_edited_as_people_write_them(chief):
    draft = make_draft()
    page = show(chief, "planversion", draft.pk)
    assert 'value="0.00000000009"' in page
    assert 'value="49"' in page
    assert "E-" not in page
    assert 'value="0.002"' in show(chief, "price", draft.prices.get(model="graduated").pk)


def test_a_price_with_fields_of_another_model_is_refused_in_words(chief):
    draft = make_draft()
    price = draft.prices.get(model="flat")
    url = reverse("admin:billing_price_change", args=[price.pk])
    tiers = {"tiers-TOTAL_FORMS": "0", "tiers-INITIAL_FORMS": "0"}
    fields = {"position": "1", "description": "Base fee", "model": "graduated", "included_units": "0"}
    page = chief.post(url, fields | tiers).content.decode()
    assert "a graduated price has a meter, and its amounts in its tiers" in page


NO_ROWS = {f"{prefix}-{name}": "0" for prefix in ("tiers", "rows") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
USUAL = {
    "position": "9",
    "description": "Traffic",
    "included_units": "0",
    "minimum": "0",
    "charged_by": "automatic",
    "conversion_rounding": "half",
    "conversion_places": "12",
    "package_rounding": "up",
    "transaction_fee": "0",
    "free_amount": "0",
    "free_transactions": "0",
}


def test_a_price_by_dimension_is_made_on_its_page(chief):
    make_detailed_meters()
    draft = make_draft()
    price = draft.prices.get(model="per_unit")
    meter = find_meter("traffic").id
    rows = {
        "rows-TOTAL_FORMS": "2",
        "rows-0-position": "1",
        "rows-0-values": "a",
        "rows-0-unit_amount": "0.02",
        "rows-1-position": "2",
        "rows-1-values": "b",
        "rows-1-unit_amount": "0.03",
    }
    fields = {"model": "dimension", "meter": meter, "unit_amount": "0.01", "dimensions": "host"}
    url = reverse("admin:billing_price_change", args=[price.pk])
    assert chief.post(url, USUAL | fields | NO_ROWS | rows | {"position": "1"}).status_code == 200  # it is taken
    assert chief.post(url, USUAL | fields | NO_ROWS | rows).status_code == 302
    assert describe_price(Price.objects.get(pk=price.pk)) == BY_HOST
    assert "a: €0.02 for 1 byte<br>b: €0.03 for 1 byte<br>otherwise €0.01 for 1 byte" in show(
        chief, "planversion", draft.pk
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": "package", "unit_amount": "1"}, "package price has a package size"),
        ({"model": "per_unit", "unit_amount": "1", "rate_percent": "2"}, "percentage price has a percentage"),
        ({"model": "dimension", "unit_amount": "1"}, "price by dimension names its dimensions"),
    ],
)
def test_a_row_of_a_version_is_held_to_rules_about_fields_that_it_does_not_show(chief, fields, says):
    make_detailed_meters()
    plan = Plan.objects.create(slug="free", name="Free", rank=1)
    prefixes = ("prices", "limits", "add_ons")
    formsets = {f"{prefix}-{name}": "0" for prefix in prefixes for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    row = {"position": "1", "description": "Usage", "included_units": "0", "meter": find_meter("traffic").id, **fields}
    price = {"prices-TOTAL_FORMS": "1"} | {f"prices-0-{name}": value for name, value in row.items()}
    terms = {"plan": plan.pk, "interval": "year", "anchoring": "anniversary", "proration": "day", "trial_days": "14"}
    page = chief.post(reverse("admin:billing_planversion_add"), {**terms, "currency": "EUR", **formsets, **price})
    assert says in page.content.decode()
    assert not Price.objects.exists()


def test_a_profile_keeps_to_time_zones_that_exist(chief):
    subscription = make_subscription()
    url = reverse("admin:billing_billingprofile_change", args=[subscription.account_id])
    page = chief.post(url, {"legal_name": "Acme", "time_zone": "Mars/Olympus", "language": "fr"}).content.decode()
    assert "is not a time zone" in page
    assert chief.post(url, {"legal_name": "Acme", "time_zone": "Europe/Paris", "language": "fr"}).status_code == 302


def test_a_profile_says_which_taxes_its_invoices_bear(chief):
    subscription = make_subscription()
    vat = create_tax_rate(name="VAT", percent=Decimal(20), country="FR")
    url = reverse("admin:billing_billingprofile_change", args=[subscription.account_id])
    terms = {"legal_name": "Acme", "time_zone": "UTC", "language": "fr", "country": "FR", "tax_number": "FR40303265045"}
    assert "is not a country code" in chief.post(url, {**terms, "country": "fr"}).content.decode()
    chief.post(url, {**terms, "tax_rates": [vat]})
    assert read_taxes([subscription.account_id]) == {subscription.account_id: (TaxTerms("VAT", Decimal(20)),)}
    assert read_profile(subscription.account_id).tax_number == "FR40303265045"


def test_of_a_tax_rate_that_is_there_only_the_name_can_be_mended(chief):
    vat = create_tax_rate(name="VAT", percent=Decimal(20), country="FR")
    chief.post(reverse("admin:billing_taxrate_change", args=[vat]), {"name": "TVA", "percent": "5.5", "country": "BE"})
    rate = TaxRate.objects.get()
    assert (rate.name, rate.percent, rate.country) == ("TVA", Decimal(20), "FR")
    assert chief.post(reverse("admin:billing_taxrate_delete", args=[vat]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", PAGES)
def test_lists_cost_the_same_for_one_row_and_for_many(chief, model, django_assert_max_num_queries):
    make_billed_customer("acme")
    show(chief, model)  # fills the cache of content types
    with django_assert_max_num_queries(50) as few:
        show(chief, model)
    for number in range(4):
        make_subscription(f"customer-{number}", plan=make_plan(f"plan-{number}"), started_at=MID_JAN)
        create_tax_rate(name=f"Tax {number}", percent=Decimal(number))
    for period_id in Subscription.objects.filter(periods__closed_at=None).values_list("periods__pk", flat=True):
        invoicing.close_period(period_id, at=FEB)
    with django_assert_max_num_queries(len(few.captured_queries)):
        show(chief, model)


@pytest.mark.parametrize("is_published", [False, True])
def test_a_version_page_costs_the_same_for_one_price_and_for_many(chief, is_published, django_assert_max_num_queries):
    pages = {}
    for count in (1, 6):
        plan = make_plan(f"plan-{count}", prices=[flat_fee(f"Fee {n}", Decimal(n)) for n in range(count)])
        pages[count] = plan.version_id
        if not is_published:
            pages[count] = plans.copy_last_version(PlanVersion.objects.get(pk=plan.version_id).plan_id)
    show(chief, "planversion", pages[1])
    with django_assert_max_num_queries(50) as few:
        show(chief, "planversion", pages[1])
    with django_assert_max_num_queries(len(few.captured_queries)):
        show(chief, "planversion", pages[6])


def test_staff_see_only_what_they_may(client):
    subscription, invoice = make_billed_customer()
    client.force_login(make_person("reader@vendor.example", permissions=["view_invoice"]))
    assert "flat fee" not in show(client, "invoice", invoice.id)  # lines have a permission of their own
    for model, pk in [("planversion", Plan.objects.get().versions.get().pk), ("subscription", subscription.id)]:
        assert client.get(reverse(f"admin:billing_{model}_change", args=[pk])).status_code == 403
    client.force_login(make_person("finance@vendor.example", permissions=["view_invoice", "view_invoiceline"]))
    assert "flat fee" in show(client, "invoice", invoice.id)


def test_publishing_needs_the_right_to_change(client):
    draft = make_draft()
    client.force_login(make_person("reader@vendor.example", permissions=["view_planversion"]))
    run_action(client, "planversion", "publish", [draft.pk], confirmed="yes")
    draft.refresh_from_db()
    assert draft.published_at is None


def test_nobody_writes_documents_in_the_admin(chief):
    subscription, invoice = make_billed_customer()
    assert chief.get(reverse("admin:billing_invoice_add")).status_code == 403
    for model, pk in [("invoice", invoice.id), ("subscription", subscription.id)]:
        assert chief.post(reverse(f"admin:billing_{model}_delete", args=[pk]), {"post": "yes"}).status_code == 403
        assert chief.post(reverse(f"admin:billing_{model}_change", args=[pk]), {"state": "void"}).status_code == 403
    assert Invoice.objects.get().state == "issued"
