from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from config import health


def test_healthz_answers_without_asking_the_database(client: Client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_is_well_when_database_migrations_and_broker_are(client: Client):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "checks": {"database": "ok", "migrations": "ok", "broker": "ok"}}


@pytest.mark.django_db
def test_readyz_names_a_broker_that_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "REDIS_URL", "redis://:sesame@127.0.0.1:1/0")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "migrations": "ok", "broker": "does not answer"}
    assert b"sesame" not in response.content


def test_readyz_names_a_database_that_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch):
    params: dict[str, Any] = connection.get_connection_params()
    monkeypatch.setattr(
        connection, "get_connection_params", lambda: params | {"host": "/nowhere", "password": "sesame", "dbname": "x"}
    )
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {
        "database": "does not answer",
        "migrations": "does not answer",
        "broker": "ok",
    }
    assert b"sesame" not in response.content


@pytest.mark.django_db
def test_a_migration_that_was_not_applied_is_counted(monkeypatch: pytest.MonkeyPatch):
    with health.connect_to_database() as direct:
        direct.autocommit = False
        direct.execute("DELETE FROM django_migrations WHERE app = 'crm'")

        class Lent:
            def __enter__(self) -> "psycopg.Connection[tuple[object, ...]]":
                return direct

            def __exit__(self, *_: object) -> None:
                direct.rollback()

        monkeypatch.setattr(health, "connect_to_database", Lent)
        answer = health.check_migrations()
        assert answer.endswith(" not applied")
        assert int(answer.split()[0]) >= 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_never_cached_and_only_read(client: Client, path: str):
    assert client.post(path).status_code == 405
    assert "no-store" in client.get("/healthz").headers["Cache-Control"]
