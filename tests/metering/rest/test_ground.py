"""What every view of the API shares, shown on a view of its own."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.http import Http404
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from config import urls
from metering.keys import revoke_key
from metering.rest.fields import QuantityField, TimeField
from metering.rest.views import KeyedView
from tests.metering.makers import make_account, make_key


class ThingSerializer(serializers.Serializer):
    quantity = QuantityField(min_value=0)
    at = TimeField(required=False)
    parts = serializers.ListField(child=serializers.DictField(child=serializers.IntegerField()), required=False)


class ThingView(KeyedView):
    scopes = {"GET": "events:write", "POST": "events:write", "PUT": "nobody:has"}

    def get(self, request: Request, what: str) -> Response:
        if what == "missing":
            raise Http404
        if what == "busy":
            raise Throttled(wait=7)
        if what == "down":
            raise OperationalError
        if what == "broken":
            raise ZeroDivisionError
        return Response({"account": self.find_account(what).key, "asked": self.key.name})

    def post(self, request: Request, what: str) -> Response:
        thing = ThingSerializer(data=request.data)
        thing.is_valid(raise_exception=True)
        return Response(ThingSerializer(thing.validated_data).data, status=201)

    def put(self, request: Request, what: str) -> Response:
        return Response({})


urlpatterns = [path("api/v1/things/<str:what>", ThingView.as_view()), path("", include(urls.urlpatterns))]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def bearer() -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {make_key('boss', at=timezone.now()).secret}"}


def is_problem(response: Any, status: int, code: str) -> bool:
    body = response.json()
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), body
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)
    assert body["title"]
    assert body["detail"]
    return True


def test_a_key_opens_the_view_and_no_cookie_or_cache_is_asked_for(client: Client, bearer):
    make_account("acme", aliases=["shop"])
    response = client.get("/api/v1/things/shop", **bearer)
    assert response.json() == {"account": "acme", "asked": "boss"}
    assert response["Cache-Control"] == "no-store"
    assert not response.cookies
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("header", [None, "Bearer palier_x", "Basic Ym9zczpib3Nz", "Bearer"])
def test_without_a_good_key_it_says_how_to_bring_one(client: Client, header):
    response = client.get("/api/v1/things/acme", **({} if header is None else {"HTTP_AUTHORIZATION": header}))
    assert is_problem(response, 401, "invalid_key")
    assert response["WWW-Authenticate"] == 'Bearer realm="palier"'
    assert response["Cache-Control"] == "no-store"


def test_a_revoked_key_opens_nothing(client: Client):
    key = make_key(at=timezone.now())
    revoke_key(key.id, at=timezone.now() - timedelta(seconds=1))
    response = client.get("/api/v1/things/acme", HTTP_AUTHORIZATION=f"Bearer {key.secret}")
    assert is_problem(response, 401, "invalid_key")


def test_a_key_without_the_scope_is_refused(client: Client, bearer):
    assert is_problem(client.put("/api/v1/things/acme", {}, "application/json", **bearer), 403, "missing_scope")


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [("nobody", 404, "unknown_account"), ("a%00b", 404, "unknown_account"), ("missing", 404, "not_found"),
     ("busy", 429, "too_many_requests"), ("down", 503, "database_unavailable")],
)  # fmt: skip
def test_errors_are_problem_documents(client: Client, bearer, what, status, code):
    response = client.get(f"/api/v1/things/{what}", **bearer)
    assert is_problem(response, status, code)
    assert response.get("Retry-After") == {429: "7", 503: "1"}.get(status)


def test_a_fault_of_ours_is_a_problem_document_too(bearer):
    response = Client(raise_request_exception=False).get("/api/v1/things/broken", **bearer)
    assert (response.status_code, response["Content-Type"]) == (500, "application/problem+json")


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_a_method_that_is_not_there_is_told_to_everybody(client: Client, method):
    response = client.generic(method, "/api/v1/things/acme")
    assert is_problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD, POST, PUT"


def test_only_json_is_spoken(client: Client, bearer):
    assert is_problem(client.get("/api/v1/things/acme", HTTP_ACCEPT="text/html", **bearer), 406, "not_acceptable")
    assert is_problem(client.post("/api/v1/things/acme", {"quantity": 1}, **bearer), 415, "unsupported_media")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b'{"quantity": NaN}',
        b"[" * 100_000,
        b'{"quantity": ' + b"9" * 200 + b".0}",
        b'{"quantity": 1e999999999}',
        b'"\\ud800',
        b"nope",
    ],
)
def test_what_is_no_json_is_malformed(client: Client, bearer, body):
    assert is_problem(client.post("/api/v1/things/acme", body, "application/json", **bearer), 400, "malformed")


def test_a_body_may_not_be_too_long(client: Client, bearer, settings):
    settings.EVENT_BODY_MAX_BYTES = 10
    response = client.post("/api/v1/things/acme", b'{"quantity": 1}', "application/json", **bearer)
    assert is_problem(response, 413, "body_too_large")


def test_a_refused_body_says_what_is_wrong_field_by_field(client: Client, bearer):
    body = {"quantity": -1, "parts": [{"a": 1}, {"a": "b"}]}
    response = client.post("/api/v1/things/acme", json.dumps(body), "application/json", **bearer)
    assert is_problem(response, 400, "invalid")
    assert [(each["field"], each["code"]) for each in response.json()["errors"]] == [
        ("quantity", "min_value"),
        ("parts.1.a", "invalid"),
    ]


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'""', b""])
def test_a_body_of_another_shape_is_refused(client: Client, bearer, body):
    assert is_problem(client.post("/api/v1/things/acme", body, "application/json", **bearer), 400, "invalid")


@pytest.mark.parametrize(
    ("sent", "read"),
    [("0.1", "0.1"), ("12345678901234567890123456.123456789012", "12345678901234567890123456.123456789012"),
     ('"7.50"', "7.5"), ("1e3", "1000"), ("100", "100"), ("0.0", "0"), ("0.000000000001", "0.000000000001")],
)  # fmt: skip
def test_quantities_keep_every_digit(client: Client, bearer, sent, read):
    response = client.post("/api/v1/things/acme", f'{{"quantity": {sent}}}', "application/json", **bearer)
    assert (response.status_code, response.json()["quantity"]) == (201, read)


@pytest.mark.parametrize("sent", ["true", '"١٢"', '"NaN"', '"1,5"', "1e26", "1e-13", '"Infinity"', "[]", "null"])
def test_what_is_no_quantity_is_refused(client: Client, bearer, sent):
    response = client.post("/api/v1/things/acme", f'{{"quantity": {sent}}}', "application/json", **bearer)
    assert is_problem(response, 400, "invalid")


def test_times_are_utc(client: Client, bearer):
    body = '{"quantity": 1, "at": "2026-11-25T10:30:00+01:00"}'
    response = client.post("/api/v1/things/acme", body, "application/json", **bearer)
    assert response.json()["at"] == "2026-11-25T09:30:00Z"


def test_a_quantity_that_was_computed_reads_the_same():
    assert QuantityField().to_representation(Decimal("1E+3")) == "1000"
    assert TimeField().to_representation(datetime(2026, 11, 25, tzinfo=UTC)) == "2026-11-25T00:00:00Z"
