"""Three people before one lead: its owner, a colleague, and a stranger. A refusal also proves that nothing changed."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse

from crm.assignment import assign_lead
from crm.models import Activity, Lead, Transition
from crm.roles import FINANCE
from tests.crm.makers import JUNE_10, find_person, make_lead, make_manager, make_plain_lead, make_rep, make_user

pytestmark = pytest.mark.django_db

LIST = reverse("admin:crm_lead_changelist")
VERBS = {"take": {}, "move": {"to_stage": "won"}, "note": {"text": "hello"}}
PAGES = ["change", "history", "delete"]


@pytest.fixture
def rosa():
    return make_rep("rosa", is_present=False)


@pytest.fixture
def paul():
    return make_rep("paul", is_present=False)


@pytest.fixture
def lead(rosa):
    """Rosa's."""
    lead = make_plain_lead("acme")
    assign_lead(lead_id=lead.pk, rep_id=rosa.id, actor_id=None, at=JUNE_10)
    return Lead.objects.get()


def state():
    leads = list(Lead.objects.order_by("pk").values())
    return leads, Transition.objects.count(), Activity.objects.count()


def page_of(lead, page="change"):
    return reverse(f"admin:crm_lead_{page}", args=[lead.pk])


def test_the_owner_sees_the_lead(log_in, rosa, lead):
    client = log_in(find_person(rosa))

    assert client.get(page_of(lead)).status_code == 200
    assert b"Acme" in client.get(LIST).content


@pytest.mark.parametrize("page", PAGES)
def test_for_a_colleague_the_lead_is_not_there(log_in, paul, lead, page):
    assert log_in(find_person(paul)).get(page_of(lead, page)).status_code == 404


def test_a_colleagues_list_and_download_leave_it_out(log_in, paul, lead):
    client = log_in(find_person(paul))

    for query in ("", "?stage=every", "?q=acme", f"?rep__id__exact={lead.rep_id}", "?whose=mine"):
        assert b"Acme" not in client.get(LIST + query).content
        assert b"Acme" not in b"".join(client.get(reverse("admin:crm_lead_export") + query).streaming_content)


@pytest.mark.parametrize("verb", VERBS)
def test_a_colleagues_forms_find_no_lead(log_in, paul, lead, verb):
    before = state()

    assert log_in(find_person(paul)).post(page_of(lead, verb), VERBS[verb]).status_code == 404
    assert state() == before


def test_a_colleagues_action_finds_no_lead(log_in, paul, lead):
    before = state()
    answers = {ACTION_CHECKBOX_NAME: [lead.pk], "action": "take_selected", "index": 0, "confirmed": "yes"}

    assert log_in(find_person(paul)).post(LIST, answers).status_code == 404
    assert state() == before


@pytest.mark.parametrize(("person", "found"), [("rosa", ["Acme"]), ("paul", [])])
def test_autocomplete_offers_only_what_one_may_see(log_in, rosa, paul, lead, person, found):
    query = {"app_label": "crm", "model_name": "signal", "field_name": "lead", "term": "acme"}
    client = log_in(find_person({"rosa": rosa, "paul": paul}[person]))

    answer = client.get(reverse("admin:autocomplete"), query)

    assert [result["text"] for result in answer.json()["results"]] == found


@pytest.mark.parametrize("verb", ["change", *VERBS])
def test_staff_without_sales_permissions_are_refused(log_in, lead, verb):
    before, client = state(), log_in(make_user("fred", group=FINANCE))
    answer = client.get(page_of(lead)) if verb == "change" else client.post(page_of(lead, verb), VERBS[verb])

    assert answer.status_code in (403, 404)
    assert client.get(LIST).status_code == 403
    assert client.get(reverse("admin:crm_lead_export")).status_code == 403
    assert state() == before


@pytest.mark.parametrize("verb", ["change", *VERBS])
def test_a_customer_is_sent_away(log_in, lead, verb):
    before, client = state(), log_in(make_user("cleo", is_staff=False))
    answer = client.get(page_of(lead)) if verb == "change" else client.post(page_of(lead, verb), VERBS[verb])

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
    assert state() == before


def test_a_manager_sees_every_lead(log_in, lead):
    client = log_in(make_manager())

    assert client.get(page_of(lead)).status_code == 200
    assert b"Acme" in client.get(LIST).content


def test_every_rep_sees_the_queue(log_in, paul):
    queued = make_plain_lead("queued")

    assert log_in(find_person(paul)).get(page_of(queued)).status_code == 200


def test_a_rep_does_not_give_leads_to_others(log_in, rosa, paul, lead):
    before, client = state(), log_in(find_person(rosa))

    assert client.post(page_of(lead, "assign"), {"rep": paul.id}).status_code == 403
    answers = {ACTION_CHECKBOX_NAME: [lead.pk], "action": "assign_selected", "index": 0, "confirmed": "yes"}
    client.post(LIST, answers | {"rep": paul.id})
    assert state() == before
    assert b"assign_selected" not in client.get(LIST).content


@pytest.mark.parametrize("verb", ["assign", *VERBS])
def test_verbs_are_never_done_by_a_link(log_in, lead, verb):
    before = state()

    assert log_in(make_manager()).get(page_of(lead, verb)).status_code == 405
    assert state() == before


def test_the_page_takes_no_form_over_the_fields(log_in, lead):
    before = state()

    assert log_in(make_user("root", is_superuser=True)).post(page_of(lead), {"stage": "won"}).status_code == 405
    assert state() == before


@pytest.mark.parametrize("address", ["0/change/", "abc/change/", "4711/note/"])
def test_a_lead_that_never_was_is_not_there(log_in, address):
    client = log_in(make_user("root", is_superuser=True))
    answer = client.post(LIST + address, {}) if "note" in address else client.get(LIST + address)

    assert answer.status_code == 404


def test_leads_are_neither_added_nor_deleted_by_hand(log_in):
    lead = make_lead("acme")
    client = log_in(make_user("root", is_superuser=True))

    assert client.get(LIST + "add/").status_code == 403
    assert client.post(page_of(lead, "delete"), {"post": "yes"}).status_code == 403
    assert Lead.objects.count() == 1
