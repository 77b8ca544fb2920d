from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = _("Background work")

    def ready(self) -> None:
        from jobs.schedule import create_schedule_after_migrate  # needs the models of django-celery-beat

        post_migrate.connect(create_schedule_after_migrate, sender=self)
