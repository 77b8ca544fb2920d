"""What was billed ahead of a period's end, because the worth of a subscription's usage passed a threshold."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.columns import EXACT_AMOUNT


class Progress(models.Model):
    """The greatest worth that the usage of a subscription's life ever had, in whole units of its currency.

    When usage is taken back, a threshold that billed does not bill again.
    """

    subscription = models.OneToOneField(
        "billing.Subscription", models.PROTECT, related_name="progress", verbose_name=_("subscription")
    )
    highest = models.DecimalField(_("highest"), **EXACT_AMOUNT)

    class Meta:
        verbose_name = _("progress towards thresholds")
        verbose_name_plural = _("progress towards thresholds")

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.highest}"


class ThresholdPassed(models.Model):
    """A threshold that the worth of a subscription's usage passed, once ever, and the invoice that billed ahead for it.

    `usages` is what the period had used by then of each metered price, by its position: what comes after it is billed
    from there. Without an invoice there was nothing more to ask. Append-only by trigger.
    """

    subscription = models.ForeignKey(
        "billing.Subscription", models.PROTECT, related_name="thresholds_passed", verbose_name=_("subscription")
    )
    period = models.ForeignKey("billing.Period", models.PROTECT, related_name="+", verbose_name=_("period"))
    threshold_minor = models.BigIntegerField(_("below"))
    worth = models.DecimalField(
        _("worth"), **EXACT_AMOUNT, help_text=_("Of the usage of the subscription's life by then.")
    )
    invoice = models.OneToOneField(
        "billing.Invoice",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="threshold_passed",
        verbose_name=_("invoice"),
    )
    usages = models.JSONField(_("usages"), default=dict)
    passed_at = models.DateTimeField(_("passed at"))

    class Meta:
        verbose_name = _("passed threshold")
        verbose_name_plural = _("passed thresholds")
        constraints = [
            models.UniqueConstraint(fields=["subscription", "threshold_minor"], name="threshold_passed_once"),
            models.CheckConstraint(condition=Q(threshold_minor__gt=0), name="threshold_passed_is_positive"),
        ]
        indexes = [models.Index(fields=["period"], name="threshold_passed_by_period")]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.threshold_minor}"
