"""What was counted, or taken back, after the invoice of its period: each change, and what was done about it."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.late.policy import LateAction
from billing.models.columns import QUANTITY


class LateCause(models.TextChoices):
    """As metering's adjustments name them."""

    LATE = "late", _("usage that arrived late")
    CORRECTION = "correction", _("a correction")
    BACKFILL = "backfill", _("a meter that counted its past")


LATE_ACTIONS = [
    (LateAction.BILL.value, _("billed")),
    (LateAction.CREDIT.value, _("credited")),
    (LateAction.WAIVE.value, _("waived")),
    (LateAction.NOTHING.value, _("the price stays the same")),
    (LateAction.TAKE_BACK.value, _("taken back, as the invoice is void")),
]


class LateBatch(models.Model):
    """One settling of what an invoice did not know: numbered from 1 for each. Append-only by trigger."""

    invoice = models.ForeignKey(
        "billing.Invoice", models.PROTECT, related_name="late_batches", verbose_name=_("invoice")
    )
    number = models.PositiveIntegerField(_("number"))
    made_at = models.DateTimeField(_("settled at"))

    class Meta:
        verbose_name = _("settling of late usage")
        verbose_name_plural = _("settlings of late usage")
        constraints = [models.UniqueConstraint(fields=["invoice", "number"], name="late_batch_numbered_once")]

    def __str__(self) -> str:
        return f"{self.invoice} / {self.number}"


class LateChange(models.Model):
    """An adjustment of metering: by how much a window changed after it was closed, and what settled that.

    Without an invoice nobody is billed for it: the period was free, its invoice is void, or no price looks at the
    meter. A trigger lets `batch` be set once, and nothing else change.
    """

    adjustment_id = models.BigIntegerField(_("adjustment"), unique=True)
    account = models.ForeignKey("metering.Account", models.PROTECT, verbose_name=_("account"), related_name="+")
    meter = models.ForeignKey("metering.Meter", models.PROTECT, verbose_name=_("meter"), related_name="+")
    period_start = models.DateTimeField(_("period start"))
    period_end = models.DateTimeField(_("period end"))
    cause = models.CharField(_("cause"), max_length=12, choices=LateCause.choices)
    quantity = models.DecimalField(_("changed by"), max_digits=50, decimal_places=12)  # as of an adjustment
    counted_at = models.DateTimeField(_("counted at"))
    found_at = models.DateTimeField(_("found at"))
    invoice = models.ForeignKey(
        "billing.Invoice", models.PROTECT, verbose_name=_("invoice"), null=True, related_name="late_changes"
    )
    batch = models.ForeignKey(
        LateBatch, models.PROTECT, verbose_name=_("settled by"), null=True, related_name="changes"
    )

    class Meta:
        verbose_name = _("late change")
        verbose_name_plural = _("late usage and corrections")
        constraints = [
            models.CheckConstraint(
                condition=Q(batch__isnull=True) | Q(invoice__isnull=False),
                name="late_change_is_settled_with_its_invoice",
            ),
        ]
        indexes = [
            models.Index(
                fields=["invoice"], condition=Q(batch__isnull=True, invoice__isnull=False), name="late_change_waiting"
            ),
            models.Index(fields=["account", "-counted_at"], name="late_change_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.quantity}"


class LateSettlement(models.Model):
    """What a batch did about one line, or about the commitment where it has none. Append-only by trigger.

    In smallest units, before discounts and taxes: what the line and earlier settlements of it came to, what its price
    makes of the usage now, the difference, and the `amount_minor` of it that is charged. Of that, `discount_minor` goes
    to the discounts that the invoice had, and `noted_minor` was given back by credit notes before: what remains is the
    item's. The usage is kept, so that the price can be asked again.
    """

    batch = models.ForeignKey(LateBatch, models.PROTECT, related_name="settlements", verbose_name=_("batch"))
    invoice_line = models.ForeignKey(
        "billing.InvoiceLine",
        models.PROTECT,
        null=True,
        related_name="settlements",
        verbose_name=_("line of the invoice"),
    )
    description = models.CharField(_("description"), max_length=200)
    quantity_before = models.DecimalField(_("quantity before"), **QUANTITY)
    quantity = models.DecimalField(_("quantity"), **QUANTITY)
    event_count = models.BigIntegerField(_("events"), null=True)
    detail = models.JSONField(_("what else was looked at"), default=dict)
    billed_minor = models.BigIntegerField(_("billed"))
    rerated_minor = models.BigIntegerField(_("rated again"))
    difference_minor = models.BigIntegerField(_("difference"))
    action = models.CharField(_("action"), max_length=10, choices=LATE_ACTIONS)
    amount_minor = models.BigIntegerField(_("amount"))
    discount_minor = models.BigIntegerField(_("discounts"), default=0)
    noted_minor = models.BigIntegerField(_("noted"), default=0)
    item = models.OneToOneField(
        "billing.InvoiceItem", models.PROTECT, null=True, related_name="late_settlement", verbose_name=_("item")
    )

    class Meta:
        verbose_name = _("settlement of late usage")
        verbose_name_plural = _("settlements of late usage")
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "invoice_line"], nulls_distinct=False, name="late_settlement_once_per_line"
            ),
            models.CheckConstraint(
                condition=Q(difference_minor=F("rerated_minor") - F("billed_minor")),
                name="late_settlement_is_the_difference",
            ),
            models.CheckConstraint(
                condition=Q(action="bill", difference_minor__gt=0, amount_minor=F("difference_minor"))
                | Q(action="credit", difference_minor__lt=0, amount_minor=F("difference_minor"))
                | Q(action="take_back", amount_minor=F("difference_minor"))
                | Q(action="waive", amount_minor=0) & ~Q(difference_minor=0)
                | Q(action="nothing", amount_minor=0, difference_minor=0),
                name="late_settlement_acts_as_it_says",
            ),
            models.CheckConstraint(
                condition=Q(noted_minor__gte=0) & (Q(noted_minor=0) | Q(amount_minor__lt=0)),
                name="late_settlement_sets_notes_off_against_credit",
            ),
        ]

    def __str__(self) -> str:
        return self.description
