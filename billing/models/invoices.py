"""Invoices, their lines, and the series that number them."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.columns import EXACT_AMOUNT, QUANTITY
from billing.models.items import ItemKind
from billing.models.profiles import find_language
from billing.models.subscriptions import Period, Subscription
from billing.sellers import name_seller


class InvoiceState(models.TextChoices):
    DRAFT = "draft", _("draft")
    ISSUED = "issued", _("issued")
    PAID = "paid", _("paid")
    UNCOLLECTIBLE = "uncollectible", _("uncollectible")
    VOID = "void", _("void")


class InvoiceSeries(models.Model):
    """The counter behind gap-free numbers; its row is locked while one is taken."""

    prefix = models.CharField(_("prefix"), max_length=20, unique=True)
    last_number = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("invoice series")
        verbose_name_plural = _("invoice series")

    def __str__(self) -> str:
        return self.prefix


class InvoiceKind(models.TextChoices):
    PERIOD = "period", _("of a period")
    ONE_OFF = "one_off", _("one-off")
    THRESHOLD = "threshold", _("ahead of the period's end")


class Invoice(models.Model):
    """What an account owes. Frozen by trigger once issued; corrected only by another document.

    In smallest units: `subtotal_minor` is what its lines ask without tax and with discounts taken off, `total_minor`
    the same with tax, `credited_minor` what credit pays of it when it is issued, and `due_minor` what remains. One that
    comes to less than zero gives credit: there `credited_minor` is below zero as well, and nothing is due.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=10, choices=InvoiceKind.choices, default=InvoiceKind.PERIOD)
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, related_name="invoices", verbose_name=_("subscription")
    )
    period = models.ForeignKey(
        Period, models.PROTECT, null=True, blank=True, related_name="invoices", verbose_name=_("period")
    )
    state = models.CharField(_("state"), max_length=14, choices=InvoiceState.choices, default=InvoiceState.DRAFT)
    series = models.ForeignKey(InvoiceSeries, models.PROTECT, null=True, verbose_name=_("series"))
    sequence = models.PositiveIntegerField(_("sequence"), null=True)
    number = models.CharField(_("number"), max_length=40, null=True, unique=True)  # noqa: DJ001 - a draft has none, and many are drafts
    currency = models.CharField(_("currency"), max_length=3)
    discount_minor = models.BigIntegerField(_("discounts"), default=0)
    subtotal_minor = models.BigIntegerField(_("without tax"), default=0)
    tax_minor = models.BigIntegerField(_("tax"), default=0)
    total_minor = models.BigIntegerField(_("total"), default=0)
    credited_minor = models.BigIntegerField(_("paid by credit"), default=0)
    due_minor = models.BigIntegerField(_("due when issued"), default=0)
    period_start = models.DateTimeField(_("start of the period"))
    period_end = models.DateTimeField(_("end of the period"))
    customer_name = models.CharField(_("customer"), max_length=200)
    customer_address = models.TextField(_("customer's address"), blank=True)
    customer_country = models.CharField(_("customer's country"), max_length=2, blank=True)
    customer_tax_number = models.CharField(_("customer's tax number"), max_length=40, blank=True)
    seller = models.JSONField(
        _("seller"), default=name_seller, help_text=_("Who asks, and how it is paid: billing.sellers.")
    )
    language = models.CharField(_("language"), max_length=10, default=find_language)
    plan_name = models.CharField(_("plan"), max_length=140, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=60)
    issued_at = models.DateTimeField(_("issued"), null=True)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        permissions = [
            ("issue_invoice", "Can issue drafts"),
            ("void_invoice", "Can make invoices void"),
            ("settle_invoice", "Can say that invoices are paid or given up"),
            ("credit_invoice", "Can issue credit notes"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["period"], condition=~Q(state="void") & Q(kind="period"), name="invoice_one_per_period"
            ),
            models.UniqueConstraint(fields=["series", "sequence"], name="invoice_sequence_once_per_series"),
            models.CheckConstraint(condition=Q(period_start__lt=F("period_end")), name="invoice_period_is_positive"),
            models.CheckConstraint(
                condition=Q(state="draft", number__isnull=True, issued_at__isnull=True)
                | (
                    ~Q(state="draft")
                    & Q(number__isnull=False, series__isnull=False, sequence__isnull=False, issued_at__isnull=False)
                ),
                name="invoice_numbered_exactly_once_issued",
            ),
            models.CheckConstraint(
                condition=Q(kind="one_off", period__isnull=True)
                | Q(kind__in=["period", "threshold"], subscription__isnull=False, period__isnull=False),
                name="invoice_has_the_period_of_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")), name="invoice_total_is_net_and_tax"
            ),
            models.CheckConstraint(
                condition=Q(due_minor=F("total_minor") - F("credited_minor")), name="invoice_due_is_total_less_credit"
            ),
            models.CheckConstraint(
                condition=Q(credited_minor=0)
                | Q(credited_minor__gt=0, credited_minor__lte=F("total_minor"))
                | Q(credited_minor__lt=0, credited_minor=F("total_minor")),
                name="invoice_credit_is_within_the_total",
            ),
        ]
        indexes = [
            models.Index(fields=["subscription"], condition=Q(state="draft"), name="invoice_drafts"),
        ]

    def __str__(self) -> str:
        return self.number or "draft"


LINE_OF_PRICE = "price"
LINE_OF_ADD_ON = "add_on"
LINES_OF_PLAN = [LINE_OF_PRICE, LINE_OF_ADD_ON]  # what the version asks of a period; all others bill something else
LINE_KINDS = [(LINE_OF_PRICE, _("price")), (LINE_OF_ADD_ON, _("add-on")), *ItemKind.choices]


class InvoiceLine(models.Model):
    """One rounded amount of an invoice, with the steps that led to it; of a price or an add-on of the plan, or of an
    item.

    `amount_minor` is what the price makes of the quantity. `discount_minor` is taken off it; then the taxes are taken
    out of it, where it held them, or added: `subtotal_minor` and `tax_minor` add up to `total_minor`.
    """

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines", verbose_name=_("invoice"))
    position = models.PositiveIntegerField(_("position"))
    kind = models.CharField(_("kind"), max_length=12, choices=LINE_KINDS, default=LINE_OF_PRICE)
    description = models.CharField(_("description"), max_length=200)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, null=True, related_name="+", verbose_name=_("meter"))
    quantity = models.DecimalField(_("quantity"), **QUANTITY)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    event_count = models.BigIntegerField(_("events"), null=True, help_text=_("How many events the line prices."))
    event_digest = models.CharField(  # noqa: DJ001 - a line without events has none, and one from before digests
        _("digest of the events"),
        max_length=64,
        null=True,
        help_text=_("Of the set of events that the line prices, in hexadecimal."),
    )
    detail = models.JSONField(
        _("what else was looked at"),
        default=dict,
        help_text=_("What else of the usage the price looked at: by dimension, or each transaction."),
    )
    steps = models.JSONField(
        _("steps"), default=list, help_text=_("Tier, quantity, unit price and exact amount of each step.")
    )
    amount_exact = models.DecimalField(_("exact amount"), **EXACT_AMOUNT, help_text=_("Before the one rounding."))
    amount_minor = models.BigIntegerField(_("amount"))
    discount_minor = models.BigIntegerField(_("discounts"), default=0)
    taxes = models.JSONField(_("taxes"), default=list, help_text=_("Name, percentage and amount of each tax."))
    subtotal_minor = models.BigIntegerField(_("without tax"))
    tax_minor = models.BigIntegerField(_("tax"), default=0)
    total_minor = models.BigIntegerField(_("total"))
    period_start = models.DateTimeField(
        _("start of the period"), null=True, help_text=_("What it is for, where that is not the invoice's.")
    )
    period_end = models.DateTimeField(_("end of the period"), null=True)

    class Meta:
        ordering = ["position"]
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once"),
            models.CheckConstraint(
                condition=Q(event_digest__isnull=True) | Q(event_digest__regex="^[0-9a-f]{64}$", meter__isnull=False),
                name="invoice_line_digest_is_of_metered_events",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")), name="invoice_line_total_is_net_and_tax"
            ),
            models.CheckConstraint(
                condition=Q(discount_minor=0) | Q(discount_minor__gt=0, discount_minor__lte=F("amount_minor")),
                name="invoice_line_discount_is_within_the_amount",
            ),
        ]

    def __str__(self) -> str:
        return self.description
