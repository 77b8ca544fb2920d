"""What Stripe told: each event as it came, once, and what became of it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class StripeEventState(models.TextChoices):
    RECEIVED = "received", _("to be handled")
    HANDLED = "handled", _("handled")
    IGNORED = "ignored", _("ignored")
    FAILED = "failed", _("failed")


class StripeEventOrigin(models.TextChoices):
    WEBHOOK = "webhook", _("told by Stripe")
    CATCH_UP = "catch_up", _("found by asking Stripe")


class StripeEvent(models.Model):
    """One event of Stripe under its own id, with its body as it came: a thin one names its object, others hold it.

    Triggers keep all but the outcome as it is. `account` is the connected account or context that it is from, empty for
    our own. `replays` counts how often it was handled anew: each is a job of its own, whose key ends with the number.
    """

    stripe_id = models.CharField(_("id"), max_length=255, unique=True)
    type = models.CharField(_("type"), max_length=200)
    is_thin = models.BooleanField(_("thin"), default=False)
    livemode = models.BooleanField(_("live"))
    account = models.CharField(_("account at Stripe"), max_length=255, blank=True)
    api_version = models.CharField(_("API version"), max_length=60, blank=True)
    object_type = models.CharField(_("object"), max_length=100, blank=True)
    object_id = models.CharField(_("object's id"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created at Stripe"))
    payload = models.TextField(_("body"))
    origin = models.CharField(_("how it came"), max_length=10, choices=StripeEventOrigin.choices)
    state = models.CharField(
        _("state"), max_length=10, choices=StripeEventState.choices, default=StripeEventState.RECEIVED
    )
    reason = models.TextField(_("reason"), blank=True, help_text=_("Why it was ignored, or could not be handled."))
    received_at = models.DateTimeField(_("received"))
    handled_at = models.DateTimeField(pgettext_lazy("moment", "handled"), null=True)
    replays = models.PositiveIntegerField(_("replays"), default=0)

    class Meta:
        verbose_name = _("event from Stripe")
        verbose_name_plural = _("events from Stripe")
        constraints = [
            models.CheckConstraint(
                condition=Q(state="handled", handled_at__isnull=False)
                | ~Q(state="handled") & Q(handled_at__isnull=True),
                name="stripe_event_has_a_time_exactly_when_handled",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["received", "handled"], reason="")
                | Q(state__in=["ignored", "failed"]) & ~Q(reason=""),
                name="stripe_event_says_why_it_was_not_handled",
            ),
        ]
        indexes = [
            models.Index(fields=["-received_at"], name="stripe_event_newest"),
            models.Index(fields=["object_id"], name="stripe_event_by_object"),
            models.Index(fields=["state"], condition=Q(state__in=["received", "failed"]), name="stripe_event_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.stripe_id}"

    @property
    def job_key(self) -> str:
        return f"{self.stripe_id} {self.replays}"


class StripeCursor(models.Model):
    """How far a list of Stripe's was read: everything created before `reached_at` is here. One row per list."""

    name = models.CharField(_("name"), max_length=50, unique=True)
    reached_at = models.DateTimeField(_("reached"))

    class Meta:
        verbose_name = _("cursor in Stripe's lists")
        verbose_name_plural = _("cursors in Stripe's lists")

    def __str__(self) -> str:
        return self.name
