from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CRMConfig(AppConfig):
    name = "crm"
    verbose_name = "CRM"

    def ready(self) -> None:
        from crm import notices  # noqa: F401 - it registers who the rep of an account is
        from crm.leads import TAKE_UP
        from crm.roles import grant_roles
        from metering.notices.waking import wakes

        post_migrate.connect(grant_roles, dispatch_uid="crm.roles.grant_roles")
        wakes(TAKE_UP)
