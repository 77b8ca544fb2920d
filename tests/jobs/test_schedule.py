import pytest
from django.apps import apps
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.celery import app
from jobs.schedule import create_missing_tasks, create_schedule_after_migrate

pytestmark = pytest.mark.django_db

SWEEPER = "jobs: send again what was lost"


def test_migrating_makes_the_periodic_tasks():
    task = PeriodicTask.objects.get(name=SWEEPER)

    assert (task.task, task.enabled, task.expire_seconds) == ("jobs.tasks.sweep_jobs", True, 60)
    assert (task.interval.every, task.interval.period) == (10, "seconds")


def test_a_second_run_makes_nothing():
    before = PeriodicTask.objects.count(), IntervalSchedule.objects.count()

    assert create_missing_tasks() == []
    assert (PeriodicTask.objects.count(), IntervalSchedule.objects.count()) == before


def test_a_change_of_the_operator_stays():
    task = PeriodicTask.objects.get(name=SWEEPER)
    task.interval = IntervalSchedule.objects.create(every=3, period=IntervalSchedule.MINUTES)
    task.enabled = False
    task.save()

    call_command("migrate", verbosity=0)

    task.refresh_from_db()
    assert (task.interval.every, task.interval.period, task.enabled) == (3, "minutes", False)


def test_what_is_missing_comes_back():
    PeriodicTask.objects.get(name=SWEEPER).delete()

    assert create_missing_tasks() == [SWEEPER]


def test_tasks_of_one_rhythm_share_an_interval(settings: LazySettings):
    settings.PERIODIC_TASKS = {"one": ("jobs.tasks.sweep_jobs", 77), "two": ("jobs.tasks.sweep_jobs", 77)}
    IntervalSchedule.objects.create(every=77, period=IntervalSchedule.SECONDS)
    IntervalSchedule.objects.create(every=77, period=IntervalSchedule.SECONDS)  # made twice by hand

    assert create_missing_tasks() == ["one", "two"]
    assert PeriodicTask.objects.filter(interval__every=77).values("interval").distinct().count() == 1


def test_a_message_expires_after_its_interval_but_never_within_a_minute(settings: LazySettings):
    settings.PERIODIC_TASKS = {"often": ("jobs.tasks.sweep_jobs", 5), "seldom": ("jobs.tasks.sweep_jobs", 3_600)}
    create_missing_tasks()

    found = PeriodicTask.objects.filter(name__in=["often", "seldom"]).order_by("name")
    assert list(found.values_list("expire_seconds", flat=True)) == [60, 3_600]


def test_nothing_happens_before_the_tables_of_beat_are_there():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_celery_beat_periodictask RENAME TO elsewhere")

    create_schedule_after_migrate(sender=apps.get_app_config("jobs"))


def test_every_periodic_task_is_one_that_the_workers_know(settings: LazySettings):
    app.loader.import_default_modules()

    assert {task for task, _ in settings.PERIODIC_TASKS.values()} <= set(app.tasks)
