"""The Celery application: the engine behind `jobs`, which keeps the truth in the database.

Workers and beat are started with `celery -A config`. Every app's `tasks.py` is imported when a worker starts, which
registers its tasks and its job handlers; other processes import them when `jobs` first looks for a handler.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")

app = Celery("palier")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
