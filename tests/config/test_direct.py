"""What lies below /api/v1/ passes by what only pages need, and loses nothing that every answer has."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault of ours")


def greet(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{hasattr(request, 'session')} {hasattr(request, 'user')}")


urlpatterns = [path("api/v1/fail", fail), path("api/v1/greet", greet), path("greet", greet)]
handler404 = "config.errors.answer_not_found"
handler500 = "config.errors.answer_server_error"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@override_settings(ROOT_URLCONF=__name__)
def test_the_api_has_no_session_and_a_page_has(client):
    assert client.get("/api/v1/greet").content == b"False False"
    assert client.get("/greet").content == b"True True"


@override_settings(ROOT_URLCONF=__name__)
def test_every_answer_of_the_api_has_its_headers(client):
    response = client.get("/api/v1/greet")
    assert (response["X-Frame-Options"], response["Content-Length"]) == ("DENY", "11")
    assert (response["X-Content-Type-Options"], response["Referrer-Policy"]) == ("nosniff", "same-origin")
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["X-Request-ID"]
    assert response.resolver_match.route == "api/v1/greet"


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize(("address", "status"), [("/api/v1/fail", 500), ("/api/v1/nothing", 404)])
def test_what_fails_in_the_api_is_a_problem(client, address, status):
    response = client.get(address)
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert response.json()["request_id"] == response["X-Request-ID"]
