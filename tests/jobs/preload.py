"""What the server that forks our workers imports once, so that each of them starts in no time."""

from importlib import import_module

import django

django.setup()

for name in [
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.concurrency.solo",
    "celery.worker.components",
    "celery.worker.consumer",
    "django_celery_beat.schedulers",
    "kombu.transport.redis",
    "tests.jobs.handlers",
]:
    import_module(name)

import_module("jobs.handlers").import_handlers()
