"""Billing runs: the periods that are due, billed together, each with what became of it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice
from billing.models.subscriptions import Period, Subscription


class RunState(models.TextChoices):
    PREVIEWING = "previewing", _("being previewed")
    AWAITING = "awaiting", _("awaits approval")
    ISSUING = "issuing", _("being issued")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")


RUN_UNDER_WAY = [RunState.PREVIEWING.value, RunState.AWAITING.value, RunState.ISSUING.value]


RUN_MOVING = [RunState.PREVIEWING.value, RunState.ISSUING.value]  # work on it is under way


class BillingRun(models.Model):
    """What was due at a moment, `at`: every period whose grace was over, and that was in no other run.

    One that beat opened by itself names nobody. `approved_count` and `approved_totals` (smallest units by currency) are
    what was seen by whom approved it; a run that was approved as it was opened was not previewed, and has no totals.
    """

    state = models.CharField(_("state"), max_length=12, choices=RunState.choices, default=RunState.PREVIEWING)
    at = models.DateTimeField(_("opened"))
    entry_count = models.PositiveIntegerField(_("periods"), default=0)
    is_automatic = models.BooleanField(_("automatic"), default=False)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("opened by")
    )
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    approved_count = models.PositiveIntegerField(_("invoices approved"), null=True, blank=True)
    approved_totals = models.JSONField(_("totals approved"), default=dict, blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("cancelled by"),
    )
    retries = models.PositiveIntegerField(
        _("retries"), default=0, help_text=_("How often what had failed was tried again.")
    )
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("billing run")
        verbose_name_plural = _("billing runs")
        permissions = [("run_billing", "Can open, approve, cancel and retry billing runs")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["previewing", "awaiting"], approved_at__isnull=True)
                | Q(state__in=["issuing", "done"], approved_at__isnull=False)
                | Q(state="cancelled"),
                name="billing_run_issues_what_was_approved",
            ),
            models.CheckConstraint(
                condition=Q(approved_at__isnull=True, approved_count__isnull=True, approved_by__isnull=True)
                | Q(approved_at__isnull=False, approved_count__isnull=False),
                name="billing_run_says_what_was_approved",
            ),
            models.CheckConstraint(
                condition=Q(state__in=RUN_UNDER_WAY, finished_at__isnull=True)
                | Q(state__in=["done", "cancelled"], finished_at__isnull=False),
                name="billing_run_has_an_end_exactly_when_finished",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_by__isnull=True) | Q(state="cancelled"), name="billing_run_cancelled_by_somebody"
            ),
        ]
        indexes = [
            models.Index(fields=["state"], condition=Q(state__in=RUN_UNDER_WAY), name="billing_run_under_way"),
        ]

    def __str__(self) -> str:
        return gettext("Run %(number)s") % {"number": self.pk}


class EntryState(models.TextChoices):
    PENDING = "pending", _("to be billed")
    DONE = "done", _("billed")
    FAILED = "failed", _("failed")
    SKIPPED = "skipped", _("left out")
    GONE = "gone", _("nothing to bill any more")


class SkipReason(models.TextChoices):
    CLOSED = "closed", _("somebody else had billed it meanwhile")
    CHANGED = "changed", _("its subscription was changed meanwhile; the next run bills what became of it")
    CANCELLED = "cancelled", _("the run was cancelled")


# A period with such an entry belongs to that run until it is billed or left out.
ENTRY_OPEN = [EntryState.PENDING.value, EntryState.FAILED.value]


class BillingRunEntry(models.Model):
    """A period [starts_at, ends_at) in a run, as it was when the run was opened, and what became of it.

    `part` is the key of the job that does it, and of all others of the account, with those of some more accounts.
    `last_invoice` is the one of the subscription's last period that was billed before it. One that is gone has no
    period: its subscription had an invoice for the time before, and has none now. In the currency's smallest unit
    `previewed_minor` is what the preview came to, `billed_minor` what the invoice asks, 0 of a free period.
    """

    run = models.ForeignKey(BillingRun, models.PROTECT, related_name="entries", verbose_name=_("run"))
    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="+", verbose_name=_("subscription"))
    period = models.ForeignKey(Period, models.SET_NULL, null=True, related_name="run_entries", verbose_name=_("period"))
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"))
    is_free = models.BooleanField(_("free"), default=False)
    currency = models.CharField(_("currency"), max_length=3)
    part = models.CharField(_("part"), max_length=60)
    state = models.CharField(_("state"), max_length=8, choices=EntryState.choices, default=EntryState.PENDING)
    reason = models.CharField(_("reason"), max_length=10, choices=SkipReason.choices, blank=True)
    error = models.TextField(_("error"), blank=True, help_text=_("Why it could not be billed, or not even previewed."))
    attempts = models.PositiveIntegerField(_("attempts"), default=0, help_text=_("How often billing it has failed."))
    retry_at = models.DateTimeField(_("tried again"), null=True, help_text=_("When it is tried again by itself."))
    previewed_at = models.DateTimeField(_("previewed"), null=True)
    previewed_minor = models.BigIntegerField(_("previewed amount"), null=True)
    last_invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, related_name="+", verbose_name=_("last invoice")
    )
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, related_name="run_entries", verbose_name=_("invoice")
    )
    billed_minor = models.BigIntegerField(_("billed"), null=True)

    class Meta:
        verbose_name = _("entry of a billing run")
        verbose_name_plural = _("entries of billing runs")
        constraints = [
            models.UniqueConstraint(
                fields=["period"], condition=Q(state__in=ENTRY_OPEN), name="billing_run_entry_period_in_one_run"
            ),
            models.UniqueConstraint(fields=["run", "period"], name="billing_run_entry_period_once_in_a_run"),
            models.UniqueConstraint(
                fields=["run", "subscription"], condition=Q(state="gone"), name="billing_run_entry_gone_once_in_a_run"
            ),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="billing_run_entry_is_positive"),
            models.CheckConstraint(
                condition=Q(state="done", billed_minor__isnull=False, error="")
                & (Q(is_free=True, invoice__isnull=True, billed_minor=0) | Q(is_free=False, invoice__isnull=False))
                | ~Q(state="done") & Q(billed_minor__isnull=True, invoice__isnull=True),
                name="billing_run_entry_billed_exactly_when_done",
            ),
            models.CheckConstraint(
                condition=Q(state="failed") & ~Q(error="") & Q(attempts__gt=0)
                | ~Q(state="failed") & Q(retry_at__isnull=True),
                name="billing_run_entry_says_why_it_failed",
            ),
            models.CheckConstraint(
                condition=Q(state="skipped") & ~Q(reason="") | ~Q(state="skipped") & Q(reason=""),
                name="billing_run_entry_says_why_it_was_left_out",
            ),
            models.CheckConstraint(
                condition=~Q(state="gone") | Q(period__isnull=True, last_invoice__isnull=False),
                name="billing_run_entry_gone_had_an_invoice",
            ),
            models.CheckConstraint(
                condition=Q(previewed_minor__isnull=True) | Q(previewed_at__isnull=False),
                name="billing_run_entry_previewed_at_some_time",
            ),
        ]
        indexes = [
            models.Index(fields=["part"], condition=Q(state="pending"), name="billing_run_entry_pending"),
            models.Index(fields=["run"], condition=Q(state="failed"), name="billing_run_entry_failed"),
            models.Index(fields=["retry_at"], condition=Q(retry_at__isnull=False), name="billing_run_entry_retry"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d} – {self.ends_at:%Y-%m-%d}"
