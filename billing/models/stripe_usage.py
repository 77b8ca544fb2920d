"""Usage on its way to Stripe's meters: how each price of a period is charged, how far it was told, and its events."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models.columns import QUANTITY
from billing.models.prices import Price
from billing.models.subscriptions import Period

MODES = [("meters", _("Stripe's meters")), ("lines", _("lines of our own"))]
FORMULAS = [("sum", _("sum")), ("last", _("last value"))]


class MeterEventState(models.TextChoices):
    QUEUED = "queued", _("to be sent")
    SENDING = "sending", _("being sent")
    ACCEPTED = "accepted", pgettext_lazy("event", "accepted")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class StripeMode(models.Model):
    """How a metered price is charged in a period, once decided: when its meter's first usage goes out, or at its close.

    It is decided for [period's start, ends_at), and from then on only a cut turns meters into lines. `reason` is one of
    `billing.stripe.expressing.Reason`, empty for meters.
    """

    period = models.ForeignKey(
        Period, models.PROTECT, related_name="stripe_modes", db_index=False, verbose_name=_("period")
    )
    price = models.ForeignKey(Price, models.PROTECT, related_name="+", db_index=False, verbose_name=_("price"))
    mode = models.CharField(_("charged by"), max_length=6, choices=MODES)
    reason = models.CharField(_("because"), max_length=20, blank=True)
    ends_at = models.DateTimeField(_("period's end"))
    decided_at = models.DateTimeField(_("decided"))

    class Meta:
        verbose_name = _("way a price is charged")
        verbose_name_plural = _("ways prices are charged")
        constraints = [
            models.UniqueConstraint(fields=["period", "price"], name="stripe_mode_once_per_period_and_price"),
            models.CheckConstraint(
                condition=Q(mode="meters", reason="") | Q(mode="lines") & ~Q(reason=""),
                name="stripe_mode_lines_have_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price_id} {self.period_id} {self.mode}"


class StripeTally(models.Model):
    """What was queued of a meter in a period that Stripe's meters charge, and up to which hour.

    `queued` is the sum of its events but for those in place of others; of a meter of the last value, the last one.
    Usage before `collected_until` was looked at; what is counted there later is found by the sum. It is closed once all
    of a closed period is out. `event_name` and `customer_id` are those of Stripe.
    """

    period = models.ForeignKey(
        Period, models.PROTECT, related_name="stripe_tallies", db_index=False, verbose_name=_("period")
    )
    meter = models.ForeignKey("metering.Meter", models.PROTECT, related_name="+", verbose_name=_("meter"))
    account = models.ForeignKey(
        "metering.Account", models.PROTECT, related_name="+", db_index=False, verbose_name=_("account")
    )
    formula = models.CharField(_("formula"), max_length=4, choices=FORMULAS)
    event_name = models.CharField(_("event name in Stripe"), max_length=100)
    customer_id = models.CharField(_("customer in Stripe"), max_length=255)
    queued = models.DecimalField(_("queued"), **QUANTITY, default=0)
    collected_until = models.DateTimeField(_("collected until"))
    closed_at = models.DateTimeField(pgettext_lazy("moment", "closed"), null=True, blank=True)

    class Meta:
        verbose_name = _("usage told to Stripe")
        verbose_name_plural = _("usage told to Stripe")
        constraints = [
            models.UniqueConstraint(fields=["period", "meter"], name="stripe_tally_once_per_period_and_meter"),
            models.CheckConstraint(condition=~Q(customer_id=""), name="stripe_tally_is_of_a_customer"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(closed_at__isnull=True), name="stripe_tally_open"),
            models.Index(fields=["account", "meter"], name="stripe_tally_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.event_name} {self.queued}"


class StripeMeterEvent(models.Model):
    """One meter event: what a slice [starts_at, ends_at) of a period counted, or by how much that changed since.

    A slice is an hour, cut by the period. `revision` counts from 1 within it, and a value of more digits than Stripe
    takes is sent in parts. The identifier is what makes sending twice harmless; with it this row is the stored key of
    its call, so that there is no StripeCall of it. Of an account and meter at most one is being sent (unique index).
    `unsure_since` is when it was first sent without an answer that says what became of it. One that failed may have one
    in its place, of the same value. Trigger: what it says never changes, and it is never removed.
    """

    period = models.ForeignKey(
        Period, models.PROTECT, related_name="stripe_meter_events", db_index=False, verbose_name=_("period")
    )
    meter = models.ForeignKey(
        "metering.Meter", models.PROTECT, related_name="+", db_index=False, verbose_name=_("meter")
    )
    account = models.ForeignKey(
        "metering.Account", models.PROTECT, related_name="+", db_index=False, verbose_name=_("account")
    )
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"))
    revision = models.PositiveIntegerField(_("revision"), default=1)
    part = models.PositiveSmallIntegerField(_("part"), default=1)
    value = models.DecimalField(_("value"), **QUANTITY)
    timestamp = models.DateTimeField(_("time told to Stripe"))
    identifier = models.CharField(_("identifier"), max_length=100, unique=True)
    event_name = models.CharField(_("event name in Stripe"), max_length=100)
    customer_id = models.CharField(_("customer in Stripe"), max_length=255)
    formula = models.CharField(_("formula"), max_length=4, choices=FORMULAS)
    replaces = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="replacement", verbose_name=_("in place of")
    )
    state = models.CharField(_("state"), max_length=9, choices=MeterEventState.choices, default=MeterEventState.QUEUED)
    error_code = models.CharField(_("error"), max_length=100, blank=True)
    error_message = models.TextField(_("what Stripe says"), blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due"))
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    unsure_since = models.DateTimeField(_("outcome unknown since"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    accepted_at = models.DateTimeField(pgettext_lazy("moment", "accepted"), null=True, blank=True)

    class Meta:
        verbose_name = _("meter event")
        verbose_name_plural = _("meter events")
        constraints = [
            models.UniqueConstraint(
                fields=["period", "meter", "starts_at", "revision", "part"], name="stripe_meter_event_once"
            ),
            models.UniqueConstraint(
                fields=["account", "meter"], condition=Q(state="sending"), name="stripe_meter_event_one_on_its_way"
            ),
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at"), timestamp__gte=F("starts_at"), timestamp__lt=F("ends_at")),
                name="stripe_meter_event_is_within_its_slice",
            ),
            models.CheckConstraint(
                condition=Q(revision__gte=1, part__gte=1), name="stripe_meter_event_numbered_from_one"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["accepted", "cancelled"], accepted_at__isnull=False)
                | Q(state__in=["queued", "sending"], accepted_at__isnull=True)
                | Q(state="failed"),
                name="stripe_meter_event_has_a_time_once_accepted",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(error_code=""),
                name="stripe_meter_event_fails_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(state="sending", leased_until__isnull=False, unsure_since__isnull=False)
                | ~Q(state="sending") & Q(leased_until__isnull=True),
                name="stripe_meter_event_is_leased_while_sending",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state="queued"), name="stripe_meter_event_due"),
            models.Index(fields=["account", "-timestamp"], name="stripe_meter_event_by_account"),
            models.Index(fields=["id"], condition=Q(state="failed"), name="stripe_meter_event_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.event_name} {self.starts_at:%Y-%m-%d %H:%M} r{self.revision}"
