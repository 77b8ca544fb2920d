"""Who is to be told of an alert and when, what was sent to whom, and the vendor's systems that are told."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from metering.models.alerts import Alert, Digest


class Audience(models.TextChoices):
    REP = "rep", _("sales")
    MEMBERS = "members", _("the account's members")
    WEBHOOK = "webhook", _("webhooks")


class Occasion(models.TextChoices):
    RAISED = "raised", _("raised")
    REMINDED = "reminded", _("reminded")
    RECOVERED = "recovered", _("recovered")
    TEST = "test", _("test")


class NoticeState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    TOLD = "told", _("told")
    NOBODY = "nobody", _("nobody to tell")
    SUPERSEDED = "superseded", _("no longer worth telling")


class Notice(models.Model):
    """One audience is to hear of one alert on one occasion. Written with the alert, in its transaction.

    A test has no alert; that of a webhook is of no account either.
    """

    account = models.ForeignKey(
        "metering.Account", models.PROTECT, null=True, related_name="+", verbose_name=_("account")
    )
    alert = models.ForeignKey(Alert, models.PROTECT, null=True, related_name="notices", verbose_name=_("alert"))
    audience = models.CharField(_("audience"), max_length=8, choices=Audience.choices)
    occasion = models.CharField(_("occasion"), max_length=10, choices=Occasion.choices)
    state = models.CharField(_("state"), max_length=10, choices=NoticeState.choices, default=NoticeState.WAITING)
    digest = models.CharField(
        pgettext_lazy("of messages", "digest"), max_length=8, choices=Digest.choices, default=Digest.NONE
    )
    made_at = models.DateTimeField(_("made at"))
    due_at = models.DateTimeField(_("due at"), help_text=_("After quiet hours, or when its digest is written."))
    decided_at = models.DateTimeField(
        _("decided at"), null=True, blank=True, help_text=_("When its messages were written, or none was.")
    )

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "audience", "occasion"], name="notice_once_per_audience_and_occasion"
            ),
            models.CheckConstraint(
                condition=Q(occasion="test", alert__isnull=True)
                | (~Q(occasion="test") & Q(alert__isnull=False, account__isnull=False)),
                name="notice_has_an_alert_unless_it_is_a_test",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at__isnull=True)
                | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="notice_is_decided_once_it_waits_no_more",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "audience", "due_at"],
                condition=Q(state="waiting") & ~Q(digest="none"),
                name="notice_waiting_for_digest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id or self.account_id} {self.occasion} {self.audience}"


class WebhookEndpoint(models.Model):
    """A system of the vendor's that is told by signed requests. Its secret, needed to sign, is shown once."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    url = models.URLField(_("address"), max_length=500)
    occasions = ArrayField(
        models.CharField(max_length=10, choices=Occasion.choices),
        verbose_name=_("told of"),
        default=list,
        blank=True,
        help_text=_("Everything when empty."),
    )
    is_enabled = models.BooleanField(_("is enabled"), default=True)
    secret = models.CharField(max_length=100, editable=False)
    previous_secret = models.CharField(max_length=100, blank=True, editable=False)
    previous_until = models.DateTimeField(
        _("previous until"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Until when requests are signed by the secret before the last rotation as well."),
    )
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        constraints = [
            models.CheckConstraint(condition=~Q(secret=""), name="webhook_endpoint_has_a_secret"),
            models.CheckConstraint(
                condition=Q(previous_secret="", previous_until__isnull=True)
                | (~Q(previous_secret="") & Q(previous_until__isnull=False)),
                name="webhook_endpoint_previous_secret_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Channel(models.TextChoices):
    MAIL = "mail", _("e-mail")
    WEBHOOK = "webhook", _("webhook")


class DeliveryState(models.TextChoices):
    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")


class Delivery(models.Model):
    """One message to one recipient, frozen when it was written. A digest covers many notices."""

    token = models.UUIDField(
        _("token"), default=uuid4, unique=True, editable=False, help_text=_("Its Message-ID is made of it.")
    )
    notices = models.ManyToManyField(Notice, related_name="deliveries", verbose_name=_("notices"))
    first_notice = models.ForeignKey(
        Notice,
        models.PROTECT,
        related_name="+",
        verbose_name=_("first notice"),
        help_text=_("The oldest that it covers: no other message to this recipient does."),
    )
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    recipient = models.CharField(_("recipient"), max_length=500)
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("webhook endpoint")
    )
    language = models.CharField(_("language"), max_length=10, blank=True)
    subject = models.CharField(_("subject"), max_length=200)
    text = models.TextField(_("text"))
    html = models.TextField(_("HTML"), blank=True)
    headers = models.JSONField(_("headers"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=DeliveryState.choices, default=DeliveryState.QUEUED)
    rounds = models.PositiveIntegerField(_("rounds"), default=1, help_text=_("How often it was promised to be sent."))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True, help_text=_("Why the last attempt failed."))
    answer_status = models.PositiveIntegerField(_("status of the answer"), null=True, blank=True)
    answer_text = models.CharField(_("answer"), max_length=500, blank=True)
    made_at = models.DateTimeField(_("made at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(
                fields=["first_notice", "channel", "recipient"], name="delivery_once_per_notice_and_recipient"
            ),
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at__isnull=True)),
                name="delivery_has_a_time_exactly_when_sent",
            ),
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(error=""), name="delivery_says_why_it_failed"),
        ]
        indexes = [models.Index(fields=["-made_at"], name="delivery_by_time")]

    def __str__(self) -> str:
        return f"{self.recipient}: {self.subject}"

    @property
    def message_id(self) -> str:
        return f"<{self.token}@palier>"
