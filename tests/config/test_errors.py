import uuid

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from config import urls


def break_down(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("the inside story")


def forbid(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("the inside story")


def suspect(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("the inside story")


broken = [path("broken", break_down), path("forbidden", forbid), path("suspicious", suspect)]
urlpatterns = [*broken, path("api/v1/", include(broken)), *urls.urlpatterns]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500

pytestmark = pytest.mark.urls(__name__)
CASES = [("broken", 500), ("forbidden", 403), ("suspicious", 400), ("nothing/here", 404)]


@pytest.fixture
def visitor() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(("place", "status"), CASES)
def test_a_person_gets_a_page_with_the_request_id(visitor: Client, place: str, status: int):
    response = visitor.get(f"/{place}")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"<code>{response.headers['X-Request-ID']}</code>" in response.text
    assert "inside story" not in response.text


@pytest.mark.parametrize(("place", "status"), CASES)
def test_a_program_gets_a_problem_document_with_the_request_id(visitor: Client, place: str, status: int):
    response = visitor.get(f"/api/v1/{place}")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert "inside story" not in response.text


def test_an_error_page_speaks_the_language_of_its_reader(visitor: Client):
    assert '<html lang="fr">' in visitor.get("/nothing", headers={"Accept-Language": "fr"}).text


def test_a_wrong_host_is_a_bad_request(visitor: Client):
    response = visitor.get("/accounts/login/", headers={"Host": "evil.example"})
    assert response.status_code == 400
    uuid.UUID(response.headers["X-Request-ID"])


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_with_a_page():
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "a@example.com"})
    assert response.status_code == 403
    assert "This form is too old" in response.text
