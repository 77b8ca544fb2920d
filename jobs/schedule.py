"""What beat starts and how often: written once from `settings.PERIODIC_TASKS`, then the operator's to change."""

from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django_celery_beat.models import IntervalSchedule, PeriodicTask

SHORTEST_EXPIRY = 60  # seconds; well above any difference between two machines' clocks


def create_missing_tasks() -> list[str]:
    """Make the periodic tasks that are not there, by name; return their names. A second call makes nothing.

    A row that is there is never touched: switch a task off in the admin rather than delete it, for a deleted one
    comes back with the next migration. A message that waited longer than its interval expires, so that a night
    without workers does not end in a thousand checks.
    """
    missing = []
    for name, (task, seconds) in settings.PERIODIC_TASKS.items():
        if PeriodicTask.objects.filter(name=name).exists():
            continue
        PeriodicTask.objects.get_or_create(
            name=name,
            defaults={
                "task": task,
                "interval": find_interval(seconds),
                "expire_seconds": max(seconds, SHORTEST_EXPIRY),
            },
        )
        missing.append(name)
    return missing


def find_interval(seconds: int) -> IntervalSchedule:
    """The interval of so many seconds; the oldest one where an operator made it twice."""
    wanted = {"every": seconds, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**wanted).order_by("pk").first() or IntervalSchedule.objects.create(**wanted)


def create_schedule_after_migrate(*, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Receiver of post_migrate. Quiet while beat's own tables are not there yet."""
    if using == DEFAULT_DB_ALIAS and has_beat_tables():
        create_missing_tasks()


def has_beat_tables() -> bool:
    tables = connections[DEFAULT_DB_ALIAS].introspection.table_names()
    return {PeriodicTask._meta.db_table, IntervalSchedule._meta.db_table} <= set(tables)
