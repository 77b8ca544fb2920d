from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
from django.conf import settings
from django_celery_beat.models import IntervalSchedule, PeriodicTask

import tests.jobs.handlers  # noqa: F401 - registers the handlers of the tests in this process too
from config.celery import app
from config.settings.base import use_broker
from jobs import wake
from tests.jobs.engine import Engine
from tests.jobs.makers import StandingClock, create_effect_table, drop_effect_table


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture(autouse=True)
def _hopeful_about_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test suffers from a broker that another test took away."""
    monkeypatch.setattr(wake, "_quiet_until", 0.0)


@pytest.fixture
def effects(db: None) -> None:
    """The table of effects, undone with the test's transaction."""
    create_effect_table()


@pytest.fixture
def lasting_effects(transactional_db: None) -> Iterator[None]:
    """The table of effects for tests whose jobs run in other processes or threads."""
    create_effect_table()
    yield
    drop_effect_table()


class PointToBroker(Protocol):
    def __call__(self, redis_url: str, **transport_options: float) -> None: ...


@pytest.fixture
def to_broker() -> Iterator[PointToBroker]:
    """Point this process at another broker until the test ends."""
    before = {name: app.conf[name] for name in ("broker_url", "broker_transport_options")}

    def change(settings: dict[str, Any]) -> None:
        app.conf.update(settings)
        app._pool = None
        app.amqp._producer_pool = None

    def point(redis_url: str, **transport_options: float) -> None:
        options = before["broker_transport_options"] | transport_options
        change({"broker_url": use_broker(redis_url), "broker_transport_options": options})

    yield point
    change(before)


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """The suite's broker, emptied."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
        yield client


@pytest.fixture
def engine(lasting_effects: None, valkey: redis.Redis, tmp_path: Path) -> Iterator[Engine]:
    """Starts workers and beats on the suite's broker; ends them before the database is emptied."""
    engine = Engine(tmp_path, settings.REDIS_URL)
    yield engine
    engine.stop()


@pytest.fixture
def every_second(transactional_db: None) -> None:
    """An operator's change: all periodic tasks run every second."""
    interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    for task in PeriodicTask.objects.all():
        task.interval = interval
        task.save()
