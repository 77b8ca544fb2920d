"""Prepaid and given credit: grants, the ledger of what became of them, and top-ups."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.periods import Interval
from billing.validators import validate_currency

INTERVALS = [
    (Interval.DAY.value, _("every day")),
    (Interval.WEEK.value, _("every week")),
    (Interval.MONTH.value, _("every month")),
    (Interval.QUARTER.value, _("every quarter")),
    (Interval.HALF_YEAR.value, _("every half-year")),
    (Interval.YEAR.value, _("every year")),
]


class CreditSource(models.TextChoices):
    INCLUDED = "included", _("included in the plan")
    TOP_UP = "top_up", _("top-up")
    PROMOTION = "promotion", _("promotion")
    CREDIT_NOTE = "credit_note", _("credit note")
    MANUAL = "manual", _("by hand")


class CreditGrant(models.Model):
    """Credit of an account from `effective_at` until it expires. Frozen by trigger, but for the day it is voided.

    `balance_minor` is the sum of its entries: the trigger that guards the ledger keeps it, and nobody else can. A grant
    that recurs expires when the next of its series begins; `previous` is the one before.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    currency = models.CharField(
        _("currency"), max_length=3, validators=[validate_currency], help_text=_("ISO 4217, such as EUR.")
    )
    source = models.CharField(_("source"), max_length=12, choices=CreditSource.choices)
    amount_minor = models.BigIntegerField(_("amount"))
    balance_minor = models.BigIntegerField(_("left"), default=0)
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=0, help_text=_("The lowest number is used first.")
    )
    effective_at = models.DateTimeField(_("takes effect"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    voided_at = models.DateTimeField(_("voided"), null=True, blank=True)
    scope = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text=_("Names of the prices it may pay for: meters, or descriptions of fees. Empty: any."),
        verbose_name=_("pays for"),
    )
    interval = models.CharField(_("interval"), max_length=10, choices=INTERVALS, blank=True)
    anchor = models.DateTimeField(_("anchor"), null=True, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=60, blank=True)
    number = models.PositiveIntegerField(_("number"), default=0, help_text=_("Which of its series, counted from 0."))
    previous = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="next", verbose_name=_("the one before")
    )
    recurs_until = models.DateTimeField(_("comes back until"), null=True, blank=True)
    rollover_min_minor = models.BigIntegerField(_("at least rolls over"), default=0)
    rollover_max_minor = models.BigIntegerField(_("at most rolls over"), default=0)
    key = models.CharField(_("key"), max_length=80, blank=True, help_text=_("What it was granted for, once."))
    note = models.CharField(_("note"), max_length=200, blank=True)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("credit grant")
        verbose_name_plural = _("credit grants")
        permissions = [("void_creditgrant", "Can void credit grant")]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="credit_grant_is_positive"),
            models.CheckConstraint(condition=Q(balance_minor__gte=0), name="credit_grant_not_overdrawn"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="credit_grant_currency_is_a_code"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("effective_at")),
                name="credit_grant_expires_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(rollover_min_minor__gte=0, rollover_max_minor__gte=F("rollover_min_minor")),
                name="credit_grant_rollover_ascends",
            ),
            models.CheckConstraint(
                condition=Q(
                    interval="", anchor__isnull=True, previous__isnull=True, recurs_until__isnull=True, number=0,
                    rollover_max_minor=0, time_zone="",
                )
                | (~Q(interval="") & ~Q(time_zone="") & Q(anchor__isnull=False, expires_at__isnull=False)),
                name="credit_grant_recurs_wholly_or_not",
            ),
            models.UniqueConstraint(
                fields=["account", "key"], condition=~Q(key=""), name="credit_grant_made_once_per_key"
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["account", "currency"], condition=Q(balance_minor__gt=0), name="credit_grant_to_burn"),
            models.Index(
                fields=["expires_at"],
                condition=Q(balance_minor__gt=0) | Q(rollover_min_minor__gt=0),
                name="credit_grant_to_expire",
            ),
            models.Index(fields=["expires_at"], condition=~Q(interval=""), name="credit_grant_to_recur"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.get_source_display()} {self.effective_at:%Y-%m-%d}"


class CreditKind(models.TextChoices):
    GRANTED = "granted", _("granted")
    BURNED = "burned", _("used for an invoice")
    EXPIRED = "expired", pgettext_lazy("credit", "expired")
    VOIDED = "voided", _("voided")
    ROLLED_OVER = "rolled_over", _("rolled over")
    REFUNDED = "refunded", _("given back")


ADDS = [CreditKind.GRANTED, CreditKind.REFUNDED]
TAKES = [CreditKind.BURNED, CreditKind.EXPIRED, CreditKind.VOIDED]


class CreditEntry(models.Model):
    """One movement of a grant. Append-only by trigger; `key` and `line` name the cause, which is written once."""

    grant = models.ForeignKey(CreditGrant, models.PROTECT, related_name="entries", verbose_name=_("grant"))
    kind = models.CharField(_("kind"), max_length=12, choices=CreditKind.choices)
    amount_minor = models.BigIntegerField(
        _("amount"), help_text=_("Above zero it adds to the balance, below it takes from it.")
    )
    key = models.CharField(_("key"), max_length=80)
    line = models.PositiveIntegerField(_("line"), default=0)
    invoice = models.ForeignKey(
        "billing.Invoice",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="credit_entries",
        verbose_name=_("invoice"),
    )
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("credit entry")
        verbose_name_plural = _("credit entries")
        constraints = [
            models.UniqueConstraint(fields=["grant", "kind", "key", "line"], name="credit_entry_written_once"),
            models.CheckConstraint(
                condition=Q(kind__in=ADDS, amount_minor__gt=0)
                | Q(kind__in=TAKES, amount_minor__lt=0)
                | (Q(kind=CreditKind.ROLLED_OVER) & ~Q(amount_minor=0)),
                name="credit_entry_has_the_sign_of_its_kind",
            ),
        ]
        indexes = [models.Index(fields=["key"], name="credit_entry_by_cause")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount_minor}"


class TopUpRule(models.Model):
    """Ask for `amount_minor` whenever the ongoing balance falls below the threshold."""

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    currency = models.CharField(
        _("currency"), max_length=3, validators=[validate_currency], help_text=_("ISO 4217, such as EUR.")
    )
    threshold_minor = models.BigIntegerField(_("below"))
    amount_minor = models.BigIntegerField(_("amount"))
    is_active = models.BooleanField(_("switched on"), default=True)

    class Meta:
        verbose_name = _("automatic top-up")
        verbose_name_plural = _("automatic top-ups")
        constraints = [
            models.UniqueConstraint(fields=["account", "currency"], name="top_up_rule_one_per_wallet"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="top_up_rule_amount_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.currency}"


class TopUp(models.Model):
    """A top-up that a rule asked for by an invoice; once that is paid, its grant. One at a time waits for payment."""

    rule = models.ForeignKey(TopUpRule, models.PROTECT, related_name="top_ups", verbose_name=_("rule"))
    number = models.PositiveIntegerField(_("number"))
    amount_minor = models.BigIntegerField(_("amount"))
    asked_at = models.DateTimeField(_("asked"))
    dropped_at = models.DateTimeField(_("given up"), null=True, blank=True)
    invoice = models.OneToOneField(
        "billing.Invoice", models.PROTECT, null=True, blank=True, related_name="top_up", verbose_name=_("invoice")
    )
    grant = models.OneToOneField(
        CreditGrant, models.PROTECT, null=True, blank=True, related_name="top_up", verbose_name=_("grant")
    )

    class Meta:
        verbose_name = _("top-up")
        verbose_name_plural = _("top-ups")
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="top_up_numbered_once"),
            models.UniqueConstraint(
                fields=["rule"],
                condition=Q(grant__isnull=True, dropped_at__isnull=True),
                name="top_up_one_waits_per_rule",
            ),
            models.CheckConstraint(
                condition=Q(grant__isnull=True) | Q(dropped_at__isnull=True), name="top_up_paid_or_dropped"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="top_up_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.number}"
