"""What was asked of Stripe: each effect once, under a key that is stored before the first byte goes out."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class StripeCallState(models.TextChoices):
    SENT = "sent", _("being sent")
    DONE = "done", _("done")
    REFUSED = "refused", _("refused")
    UNKNOWN = "unknown", _("outcome unknown")


class StripeCall(models.Model):
    """One effect at Stripe: (operation, key) names it for ever, and its idempotency key makes it happen once.

    The row is committed before each sending. `former_keys` are those that were given up, oldest first: after a definite
    refusal, or after the object was looked up and is not there. `first_sent_at` is of the present key: Stripe forgets
    keys after 24 hours. `params` and `answer` are what was sent and came back, without secrets.
    """

    operation = models.CharField(_("operation"), max_length=60)
    key = models.CharField(
        _("key"), max_length=200, help_text=_("What the call is about; one effect per operation and key.")
    )
    idempotency_key = models.CharField(_("idempotency key"), max_length=60, unique=True)
    former_keys = models.JSONField(_("former keys"), default=list, blank=True)
    is_key_spent = models.BooleanField(
        _("key spent"), default=False, help_text=_("Stripe answers this key with a stored failure, whatever is done.")
    )
    params = models.JSONField(_("parameters"), default=dict)
    fingerprint = models.CharField(_("fingerprint"), max_length=64, help_text=_("Of the parameters (SHA-256)."))
    state = models.CharField(_("state"), max_length=10, choices=StripeCallState.choices)
    attempts = models.PositiveIntegerField(_("times sent"), default=0)
    created_at = models.DateTimeField(_("created"))
    first_sent_at = models.DateTimeField(_("first sent"))
    leased_until = models.DateTimeField(_("lease until"), null=True, help_text=_("Until then nobody else sends it."))
    answered_at = models.DateTimeField(_("answered"), null=True)
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=100, blank=True)
    status = models.PositiveSmallIntegerField(pgettext_lazy("HTTP", "status"), null=True)
    error_code = models.CharField(_("error code"), max_length=100, blank=True)
    error_param = models.CharField(_("parameter in error"), max_length=200, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    answer = models.JSONField(_("answer"), null=True)

    class Meta:
        verbose_name = _("call to Stripe")
        verbose_name_plural = _("calls to Stripe")
        constraints = [
            models.UniqueConstraint(fields=["operation", "key"], name="stripe_call_once_per_operation_and_key"),
            models.CheckConstraint(
                condition=Q(state="sent", leased_until__isnull=False)
                | (~Q(state="sent") & Q(leased_until__isnull=True)),
                name="stripe_call_has_a_lease_exactly_while_sent",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(answered_at__isnull=False, error_message=""),
                name="stripe_call_done_was_answered",
            ),
            models.CheckConstraint(
                condition=~Q(state="refused") | (Q(answered_at__isnull=False) & ~Q(error_message="")),
                name="stripe_call_refused_says_why",
            ),
        ]
        indexes = [
            models.Index(fields=["first_sent_at"], condition=~Q(state="done"), name="stripe_call_open"),
            models.Index(fields=["answered_at"], condition=Q(answer__isnull=False), name="stripe_call_answer_age"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"


class StripeReads(models.Model):
    """How many GETs a day were made: Stripe allows so many reads per transaction over 30 days."""

    day = models.DateField(_("day"), unique=True)
    count = models.PositiveBigIntegerField(_("reads"), default=0)

    class Meta:
        verbose_name = _("reads from Stripe")
        verbose_name_plural = _("reads from Stripe")

    def __str__(self) -> str:
        return f"{self.day}: {self.count}"
