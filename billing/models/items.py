"""What is to be billed outside of a plan's prices, until a line of an invoice does."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.columns import EXACT_AMOUNT, QUANTITY, UNIT_PRICE
from billing.validators import validate_currency


class ItemKind(models.TextChoices):
    PRORATION = "proration", _("proration")
    ONE_OFF = "one_off", _("one-off charge")
    LATE = "late", _("late usage")
    TRUE_UP = "true_up", _("commitment")
    FEE = "fee", _("fee")
    TOP_UP = "top_up", _("prepaid credit")
    PREBILLED = "prebilled", _("billed ahead")


WAITS = Q(invoice_line=None, withdrawn_at=None)


class InvoiceItem(models.Model):
    """One amount that waits for an invoice; below zero it gives back.

    Frozen by trigger but for the line that bills it, and the one time that it is withdrawn while it waits. `key` names
    the cause, so that one effect is written once. The account's profile says its taxes when it is billed.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    subscription = models.ForeignKey(
        "billing.Subscription",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="items",
        verbose_name=_("subscription"),
    )
    currency = models.CharField(
        _("currency"), max_length=3, validators=[validate_currency], help_text=_("ISO 4217, such as EUR.")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=ItemKind.choices)
    description = models.CharField(_("description"), max_length=200)
    quantity = models.DecimalField(_("quantity"), **QUANTITY, default=1)
    unit_amount = models.DecimalField(_("price of a unit"), **UNIT_PRICE)
    amount_exact = models.DecimalField(_("exact amount"), **EXACT_AMOUNT)
    amount_minor = models.BigIntegerField(_("amount"))
    period_start = models.DateTimeField(_("start of the period"), null=True, blank=True)
    period_end = models.DateTimeField(_("end of the period"), null=True, blank=True)
    key = models.CharField(_("key"), max_length=120, help_text=_("What it is for, once."))
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    invoice_line = models.OneToOneField(
        "billing.InvoiceLine",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="item",
        verbose_name=_("line of the invoice"),
    )
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("withdrawn by"),
    )

    class Meta:
        verbose_name = _("invoice item")
        verbose_name_plural = _("invoice items")
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="invoice_item_written_once"),
            models.CheckConstraint(condition=~Q(key="") & ~Q(description=""), name="invoice_item_is_named"),
            models.CheckConstraint(condition=Q(kind__in=ItemKind.values), name="invoice_item_kind_is_known"),
            models.CheckConstraint(
                condition=Q(amount_exact=F("quantity") * F("unit_amount")), name="invoice_item_is_quantity_times_price"
            ),
            models.CheckConstraint(
                condition=Q(period_start__isnull=True, period_end__isnull=True)
                | Q(period_start__isnull=False, period_end__isnull=False, period_start__lt=F("period_end")),
                name="invoice_item_period_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | Q(invoice_line__isnull=True),
                name="invoice_item_withdrawn_is_not_billed",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "currency"], condition=Q(invoice_line=None), name="invoice_item_to_bill")
        ]

    def __str__(self) -> str:
        return self.description
