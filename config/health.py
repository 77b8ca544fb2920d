"""Two questions of whoever watches over the process: is it up, and can it do its work?"""

import logging
from collections.abc import Callable

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

PATIENCE_SECONDS = 3
logger = logging.getLogger(__name__)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answers whenever the process does: it asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations and broker are well, else 503 naming which one is not; never why in detail."""
    checks = {name: run_check(check) for name, check in CHECKS.items()}
    is_ready = all(answer == "ok" for answer in checks.values())
    return JsonResponse({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)


def run_check(check: Callable[[], str]) -> str:
    try:
        return check()
    except (psycopg.Error, OSError) as error:
        logger.warning("not ready: %s: %s", check.__name__, type(error).__name__)
        return "does not answer"


def check_database() -> str:
    with connect_to_database() as direct:
        direct.execute("SELECT 1")
    return "ok"


def check_migrations() -> str:
    """Compare what lies on disk with what the database says was applied."""
    with connect_to_database() as direct:
        if direct.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
            return "none applied"
        applied = set(direct.execute("SELECT app, name FROM django_migrations").fetchall())
    waiting = len(MigrationLoader(None, ignore_no_migrations=True).graph.nodes.keys() - applied)
    return f"{waiting} not applied" if waiting else "ok"


def check_broker() -> str:
    import redis  # slow to import, and most processes never come here

    patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **patience) as broker:
            broker.ping()
    except redis.RedisError as error:
        raise OSError(type(error).__name__) from error
    return "ok"


def connect_to_database() -> "psycopg.Connection[tuple[object, ...]]":
    """A connection of its own: an exhausted pool must not look like a dead database, nor make us wait."""
    params = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey")
    wanted = {name: params[name] for name in names if name in params}
    return psycopg.connect(**wanted, connect_timeout=PATIENCE_SECONDS, autocommit=True)


CHECKS: dict[str, Callable[[], str]] = {
    "database": check_database,
    "migrations": check_migrations,
    "broker": check_broker,
}
