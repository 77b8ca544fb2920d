from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        from billing import checks  # noqa: F401 - they register themselves
        from billing.wording import display_amount
        from metering.notices.amounts import words_amounts

        words_amounts(display_amount)
