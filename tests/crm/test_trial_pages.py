from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from crm.trial_answers import TRY_RULES, TrialQuestion, answer_trial, ask_trial, name_answer, read_answer
from jobs.models import Job
from jobs.queue import JobContext, do_now
from portal.models import User
from tests.crm.test_trials import make_bold_set, make_november
from tests.metering.grading.makers import DECEMBER, NOVEMBER

pytestmark = pytest.mark.django_db
KEY = "1c3f6a52-6a52-4f0e-9a0a-6f3c1d2b9a11"
ASKED = {"rule_set": "Bold", "start": "2026-11-01", "end": "2026-12-01"}


@pytest.fixture
def manager(client: Client) -> Client:
    return enter(client, "view_all_leads", "view_lead", "view_alert")


def enter(client: Client, *permissions: str) -> Client:
    user = User.objects.create_user(email="mara@palier.test", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def ask(name: str = "Bold") -> None:
    question = TrialQuestion(name, NOVEMBER, DECEMBER, with_forecasts=False)
    assert ask_trial(question, key=KEY, at=DECEMBER)


def work() -> None:
    """As a worker does, within the test's transaction."""
    job = Job.objects.get(kind=TRY_RULES, key=KEY)
    answer_trial(JobContext(job.pk, job.kind, job.key, job.payload, attempt=1, at=DECEMBER))
    Job.objects.filter(pk=job.pk).update(state="done", attempts=1, started_at=DECEMBER, finished_at=DECEMBER)


def read_page(client: Client) -> str:
    response = client.get(reverse("admin:crm_trial", args=[KEY]))
    assert response.status_code == 200
    return " ".join(unescape(response.content.decode()).split())


def test_a_trial_is_asked_by_a_form_and_promised_to_a_job(manager):
    make_bold_set()
    page = manager.get(reverse("admin:crm_try_rules")).content.decode()
    assert '<option value="Bold">' in page
    response = manager.post(reverse("admin:crm_try_rules"), ASKED)
    [job] = Job.objects.filter(kind=TRY_RULES)
    assert response.url == reverse("admin:crm_trial", args=[job.key])
    assert job.payload["rule_set"] == "Bold"
    assert job.payload["with_forecasts"] is False


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"end": "2026-11-01"}, "The second day must be after the first."),
        ({"end": "2028-11-01"}, "A trial may be a year long at most."),
        ({"rule_set": "Bald"}, "Select a valid choice."),
    ],
)
def test_what_makes_no_sense_is_said_beside_the_field_and_nothing_is_promised(manager, wrong, words):
    make_bold_set()
    page = manager.post(reverse("admin:crm_try_rules"), ASKED | wrong).content.decode()
    assert words in page
    assert not Job.objects.filter(kind=TRY_RULES).exists()


def test_the_page_shows_how_far_it_is_and_then_what_was_found(manager):
    make_november()
    make_bold_set()
    ask()
    assert "0 accounts are done; this page looks again by itself." in read_page(manager)
    work()
    page = read_page(manager)
    assert "Bold would have missed 1 limit:" in page
    assert (
        '<th scope="row" class="nowrap">leads</th><td class="number nowrap">3</td><td class="number nowrap">2</td>'
        in page
    )
    assert 'http-equiv="refresh"' not in page


@pytest.mark.django_db(transaction=True)
def test_a_worker_finds_the_same_twice():
    make_november()
    make_bold_set()
    ask()
    found = []
    for _ in range(2):
        Job.objects.filter(kind=TRY_RULES).update(state="queued", run_at=DECEMBER, finished_at=None)
        assert do_now(TRY_RULES, KEY, clock=lambda: DECEMBER) == "done"
        found.append(read_answer(KEY).found)
        cache.clear()
    assert found[0] == found[1]
    assert found[0].report.leads == (3, 2)


def test_a_trial_that_finds_nothing_says_why(manager):
    ask("Standard")
    work()
    assert "No limit ran between 2026-11-01 and 2026-12-01." in read_page(manager)


def test_it_says_so_in_the_readers_language(manager):
    ask("Standard")
    work()
    manager.defaults["HTTP_ACCEPT_LANGUAGE"] = "fr"
    assert "Aucune limite ne courait entre le 2026-11-01 et le 2026-12-01." in read_page(manager)


def test_what_is_no_longer_kept_can_be_tried_again(manager):
    make_november()
    ask("Standard")
    work()
    cache.delete(name_answer(KEY))
    assert "that is over. Please try again." in read_page(manager)


@pytest.mark.parametrize("permissions", [(), ("view_alert", "view_lead"), ("view_all_leads", "view_lead")])
def test_it_is_for_who_sees_every_lead_and_alert(client, permissions):
    ask("Standard")
    enter(client, *permissions)
    for address in (reverse("admin:crm_try_rules"), reverse("admin:crm_trial", args=[KEY])):
        assert client.get(address).status_code == 403
    assert client.post(reverse("admin:crm_try_rules"), ASKED).status_code == 403
    assert Job.objects.filter(kind=TRY_RULES).count() == 1


def test_a_key_that_nobody_asked_under_is_not_there(manager):
    assert manager.get(reverse("admin:crm_trial", args=[KEY])).status_code == 404


def test_the_back_office_lists_it(manager):
    assert reverse("admin:crm_try_rules") in manager.get(reverse("admin:index")).content.decode()
