from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("People and access")

    def ready(self) -> None:
        from portal import notices  # noqa: F401 - it registers who the members of an account are
