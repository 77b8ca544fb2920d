"""The history of subscriptions. Rows are only added, by trigger."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class SubscriptionMove(models.TextChoices):
    CREATED = "created", _("created")
    TRIAL_ENDED = "trial_ended", _("trial ended")
    PLAN_CHANGED = "plan_changed", _("plan changed")
    CHANGE_PLANNED = "change_planned", _("plan change planned")
    CHANGE_UNDONE = "change_undone", _("planned change undone")
    PAUSED = "paused", _("paused")
    RESUMED = "resumed", _("resumed")
    END_PLANNED = "end_planned", _("end planned")
    END_UNDONE = "end_undone", _("planned end undone")
    ENDED = "ended", _("ended")
    QUANTITY_CHANGED = "quantity_changed", _("seats changed")
    QUANTITY_PLANNED = "quantity_planned", _("other seats planned")
    ADD_ON_CHANGED = "add_on_changed", _("add-on changed")
    ADD_ON_PLANNED = "add_on_planned", _("add-on planned")
    ADD_ON_UNDONE = "add_on_undone", _("planned add-on undone")
    QUANTITY_UNDONE = "quantity_undone", _("planned seats undone")


class SubscriptionChange(models.Model):
    """What happened to a subscription: from what to what, when it took effect, and who did it, if not the clock."""

    subscription = models.ForeignKey(
        "billing.Subscription", models.PROTECT, related_name="changes", verbose_name=_("subscription")
    )
    move = models.CharField(_("what"), max_length=20, choices=SubscriptionMove.choices)
    before = models.CharField(_("from"), max_length=200, blank=True)
    after = models.CharField(_("to"), max_length=200, blank=True)
    at = models.DateTimeField(_("at"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("subscription change")
        verbose_name_plural = _("subscription changes")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_move_display()} {self.at:%Y-%m-%d %H:%M}"
