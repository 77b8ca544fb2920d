"""How fast calls go out to Stripe, by all workers together."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class StripePace(models.Model):
    """Up to when calls of a kind are promised: whoever is to make some moves it by as long as they take at the rate.

    By the database's clock, which all workers have in common.
    """

    name = models.CharField(_("calls"), max_length=40, primary_key=True)
    free_at = models.DateTimeField(_("free from"))

    class Meta:
        verbose_name = _("pace of calls to Stripe")
        verbose_name_plural = _("paces of calls to Stripe")

    def __str__(self) -> str:
        return self.name
