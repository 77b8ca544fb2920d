"""The database goes away in mid-request: the sender is told so, nothing is half written, and sending again is safe."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from metering import ingest
from metering.invariants import check
from metering.models import Event, HourlyRollup
from tests.metering.makers import make_account, make_key, make_meter

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = [{"id": str(n), "source": "shop", "type": "request", "subject": "acme"} for n in range(50)]


@pytest.mark.parametrize("moment", ["read_meters", "resolve_names", "store_events"])
def test_a_connection_lost_in_mid_request_is_a_503_and_leaves_nothing(client: Client, monkeypatch, moment):
    make_account(), make_meter()
    secret = make_key(at=timezone.now()).secret
    do = getattr(ingest, moment)
    lost: list[int] = []

    def send() -> Any:
        return client.post(
            "/api/v1/events", json.dumps(ROWS), content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {secret}"
        )

    def do_and_lose(*args: Any, **options: Any) -> Any:
        result = do(*args, **options)
        if not lost:
            lost.append(1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return result

    monkeypatch.setattr(ingest, moment, do_and_lose)
    refused = send()
    assert (refused.status_code, refused["Content-Type"]) == (503, "application/problem+json")
    assert refused.json()["code"] == "database_unavailable"
    assert not Event.objects.exists()
    assert not HourlyRollup.objects.exists()
    assert send().json()["counts"]["accepted"] == 50
    assert HourlyRollup.objects.get().total == 50
    assert list(check()) == []
