import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from jobs.models import Job
from tests.jobs.makers import make_job

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/job/"


def log_in_staff(client: Client, *permissions: str) -> None:
    person = get_user_model().objects.create(email="operator@palier.example", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="jobs", codename__in=permissions))
    client.force_login(person)


@pytest.fixture
def reader(client: Client) -> Client:
    log_in_staff(client, "view_job")
    return client


@pytest.fixture
def operator(client: Client) -> Client:
    log_in_staff(client, "view_job", "change_job")
    return client


def retry(client: Client, *jobs: Job, **fields: str) -> str:
    chosen = {"action": "retry_dead_jobs", "_selected_action": [job.pk for job in jobs]}
    return client.post(LIST, chosen | fields, follow=True).content.decode()


def test_the_list_shows_state_attempts_and_progress(reader: Client):
    make_job(key="close 2026-10", state="running", attempts=2, progress_done=250, progress_total=1_000)

    page = reader.get(LIST).content.decode()

    assert "close 2026-10" in page
    assert "2 / 10" in page
    assert '<progress value="250" max="1000">250 / 1000</progress> 250 / 1000' in page


@pytest.mark.parametrize("count", [1, 40])
def test_the_list_costs_the_same_whatever_its_length(reader: Client, count: int, django_assert_max_num_queries):
    for number in range(count):
        make_job(key=f"account {number}")

    with django_assert_max_num_queries(12):
        reader.get(LIST)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state__exact=dead", {"broken"}),
        ("kind=tests.count", {"broken", "waiting"}),
        ("q=broke", {"broken"}),
        ("q=the+well", set()),
    ],
)
def test_the_list_can_be_narrowed(reader: Client, query: str, shown: set[str]):
    make_job(key="broken", state="dead")
    make_job(key="waiting")
    make_job(key="other", kind="tests.hang_at_first")

    found = reader.get(f"{LIST}?{query}").context["cl"].result_list

    assert {job.key for job in found} == shown


def test_a_job_shows_its_error_and_payload_and_nothing_to_edit(operator: Client):
    job = make_job(state="dead", error="Traceback: <the well is dry>", payload={"month": "2026-10"})

    page = operator.get(f"{LIST}{job.pk}/change/").content.decode()

    assert '<pre class="job-text">Traceback: &lt;the well is dry&gt;</pre>' in page
    assert "&quot;month&quot;: &quot;2026-10&quot;" in page
    assert 'name="_save"' not in page
    assert operator.post(f"{LIST}{job.pk}/change/", {"state": "done"}).status_code == 403
    assert operator.get(f"{LIST}add/").status_code == 403
    assert operator.post(f"{LIST}{job.pk}/delete/", {"post": "yes"}).status_code == 403


def test_retrying_asks_first_and_counts_the_dead_alone(operator: Client):
    dead = [make_job(key=f"dead {number}", state="dead") for number in range(2)]
    waiting = make_job(key="waiting")

    page = retry(operator, *dead, waiting)

    assert "2 dead jobs get a fresh set of attempts and run at once." in page
    assert set(Job.objects.values_list("key", "state")) == {
        ("dead 0", "dead"),
        ("dead 1", "dead"),
        ("waiting", "queued"),
    }


def test_retrying_after_the_question_queues_the_dead(operator: Client):
    dead = [make_job(key=f"dead {number}", state="dead") for number in range(2)]
    done = make_job(key="done", state="done")

    page = retry(operator, *dead, done, confirmed="yes")

    assert "2 jobs will be tried again." in page
    assert set(Job.objects.values_list("key", "state", "attempts")) == {
        ("dead 0", "queued", 0),
        ("dead 1", "queued", 0),
        ("done", "done", 1),
    }


def test_retrying_what_is_not_dead_says_so(operator: Client):
    assert "None of the chosen jobs is dead." in retry(operator, make_job(), confirmed="yes")


def test_who_may_only_look_cannot_retry(reader: Client):
    job = make_job(state="dead")
    assert "retry_dead_jobs" not in reader.get(LIST).content.decode()

    retry(reader, job, confirmed="yes")

    assert Job.objects.get().state == "dead"


def test_who_has_no_permission_sees_nothing(client: Client):
    log_in_staff(client)

    assert client.get(LIST).status_code == 403
    assert client.get(reverse("admin:jobs_job_change", args=[make_job().pk])).status_code == 403
