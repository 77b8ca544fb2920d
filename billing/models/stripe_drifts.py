"""Where Palier and Stripe do not say the same, and what was done about it."""

from collections.abc import Mapping

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

# What differs. A kind that is not here works, and is shown as it is spelt.
DRIFT_KINDS: Mapping[str, str | Promise] = {
    "invoice_total": _("what an invoice asks"),
    "metered_line": _("a line that Stripe's meters charge"),
    "invoice_missing": _("an invoice that Stripe does not have"),
    "invoice_unknown": _("an invoice that Palier does not have"),
    "invoice_state": _("the state of an invoice"),
    "invoice_stale": _("what Stripe told last of an invoice"),
    "invoice_gone": _("an invoice that is gone in Stripe"),
    "payment": _("what was paid"),
    "credit_note": _("a credit note"),
    "dispute": _("a dispute"),
    "usage_unsent": _("usage that was not sent"),
    "usage_failed": _("usage that Stripe refused"),
    "usage_late": _("usage that came too late for Stripe's invoice"),
    "meter_summary": _("what Stripe's meter counts"),
    "subscription": _("a subscription"),
    "customer": _("a customer"),
    "catalogue": _("a price, meter or product"),
    "call": _("a call of which nobody knows the outcome"),
}


class DriftState(models.TextChoices):
    OPEN = "open", pgettext_lazy("drift", "open")
    REPAIRED = "repaired", _("repaired")
    ACCEPTED = "accepted", pgettext_lazy("drift", "accepted")


class DriftAct(models.TextChoices):
    OPENED = "opened", _("found")
    CHANGED = "changed", pgettext_lazy("drift", "changed")
    RESENT = "resent", _("sent again")
    ADJUSTED = "adjusted", _("adjusted")
    REPAIRED = "repaired", pgettext_lazy("drift", "gone")
    ACCEPTED = "accepted", pgettext_lazy("drift", "accepted")


class StripeDrift(models.Model):
    """One thing that Palier and Stripe say differently. Of one kind about one thing (`key`) at most one is open.

    `ours` and `theirs` are words, amounts or states as they were last seen, `difference_minor` ours − theirs in the
    smallest unit of `currency`: above zero Stripe asks too little. It is repaired once it is gone, whoever saw to it
    (`closed_by` nobody: reconciliation found it gone), or accepted by somebody with a reason. Trigger: a closed one
    never changes.
    """

    kind = models.CharField(_("kind"), max_length=40)
    key = models.CharField(_("about"), max_length=200)
    account = models.ForeignKey(
        "metering.Account", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("account")
    )
    ours = models.TextField(_("Palier says"))
    theirs = models.TextField(_("Stripe says"))
    difference_minor = models.BigIntegerField(_("difference"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    cause = models.TextField(_("cause"))
    state = models.CharField(_("state"), max_length=10, choices=DriftState.choices, default=DriftState.OPEN)
    opened_at = models.DateTimeField(_("found"))
    seen_at = models.DateTimeField(_("last seen"))
    closed_at = models.DateTimeField(pgettext_lazy("moment", "closed"), null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("closed by")
    )
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        verbose_name = _("drift from Stripe")
        verbose_name_plural = _("drifts from Stripe")
        permissions = [("repair_drift", "Can repair and accept drifts from Stripe")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], condition=Q(state="open"), name="stripe_drift_open_once"),
            models.CheckConstraint(
                condition=Q(difference_minor__isnull=True) | ~Q(currency=""), name="stripe_drift_amount_has_a_currency"
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True, closed_by__isnull=True, reason="")
                | Q(state="repaired", closed_at__isnull=False)
                | Q(state="accepted", closed_at__isnull=False, closed_by__isnull=False) & ~Q(reason=""),
                name="stripe_drift_is_accepted_by_somebody_with_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "key"], name="stripe_drift_about"),
            models.Index(fields=["account", "-opened_at"], name="stripe_drift_by_account"),
        ]

    def __str__(self) -> str:
        return f"{DRIFT_KINDS.get(self.kind, self.kind)} ({self.key})"


class StripeDriftMove(models.Model):
    """What was seen and done of a drift, by whom (nobody: by the clock). Append-only by trigger."""

    drift = models.ForeignKey(StripeDrift, models.PROTECT, related_name="moves", verbose_name=_("drift"))
    act = models.CharField(_("what"), max_length=10, choices=DriftAct.choices)
    at = models.DateTimeField(_("when"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("who")
    )
    note = models.TextField(_("note"), blank=True)

    class Meta:
        verbose_name = _("move of a drift")
        verbose_name_plural = _("moves of drifts")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.drift} {self.act}"
