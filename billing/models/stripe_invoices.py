"""What Stripe asks for Palier's issued invoices, and what of it Stripe's credit notes take back."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models.invoices import Invoice
from billing.models.outcomes import CreditNote, Payment
from billing.models.stripe_subscriptions import StripeSubscription
from billing.models.subscriptions import Period


class StripeInvoiceRole(models.TextChoices):
    CYCLE = "cycle", _("drawn by Stripe as the period ended")
    OWN = "own", _("made for an invoice")
    REST = "rest", _("made for what came too late for another")


class StripeInvoiceState(models.TextChoices):
    """As Stripe's `status`; `deleted` is a draft that is gone."""

    DRAFT = "draft", _("draft")
    OPEN = "open", pgettext_lazy("invoice", "open")
    PAID = "paid", _("paid")
    UNCOLLECTIBLE = "uncollectible", _("uncollectible")
    VOID = "void", _("void")
    DELETED = "deleted", _("deleted")


class StripeInvoiceStep(models.TextChoices):
    """How far we are with it; each is stored once it is done at Stripe."""

    HELD = "held", pgettext_lazy("invoice", "held")
    FILLED = "filled", _("filled")
    COMPARED = "compared", _("compared")
    FINALISED = "finalised", _("finalised")
    STOPPED = "stopped", _("stopped")


class StripeDispute(models.TextChoices):
    NONE = "none", _("none")
    OPEN = "open", pgettext_lazy("dispute", "open")
    WON = "won", pgettext_lazy("dispute", "won")
    LOST = "lost", pgettext_lazy("dispute", "lost")


class StripeInvoice(models.Model):
    """An invoice at Stripe. What Palier's invoice asks is asked by one, and by a second where the first was finalised
    before our lines were on it (`rest`).

    One that is drawn by Stripe is known before Palier issues the period's invoice: `invoice` is empty until then.
    `total_minor` is what Stripe says, and so is everything that follows it; `read_at` says as of when.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    role = models.CharField(_("role"), max_length=10, choices=StripeInvoiceRole.choices)
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="stripe_invoices", verbose_name=_("invoice")
    )
    period = models.ForeignKey(
        Period, models.PROTECT, null=True, blank=True, related_name="stripe_invoices", verbose_name=_("period")
    )
    mirror = models.ForeignKey(
        StripeSubscription,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="invoices",
        verbose_name=_("Stripe subscription"),
    )
    stripe_id = models.CharField(_("Stripe's id"), max_length=255, unique=True)
    number = models.CharField(_("Stripe's number"), max_length=100, blank=True)
    state = models.CharField(
        _("state at Stripe"), max_length=14, choices=StripeInvoiceState.choices, default=StripeInvoiceState.DRAFT
    )
    step = models.CharField(_("step"), max_length=10, choices=StripeInvoiceStep.choices, default=StripeInvoiceStep.HELD)
    currency = models.CharField(_("currency"), max_length=3)
    total_minor = models.BigIntegerField(_("total"), default=0)
    paid_minor = models.BigIntegerField(pgettext_lazy("amount", "paid"), default=0)
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)
    hosted_invoice_url = models.TextField(_("Stripe's page"), blank=True)
    attempt_count = models.PositiveIntegerField(_("attempts to collect it"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    error_code = models.CharField(_("code of the last error"), max_length=100, blank=True)
    error_message = models.TextField(_("last error"), blank=True)
    needs_action = models.BooleanField(_("the customer has to confirm the payment"), default=False)
    dispute = models.CharField(_("dispute"), max_length=10, choices=StripeDispute.choices, default=StripeDispute.NONE)
    refused_count = models.PositiveIntegerField(
        _("refused calls"), default=0, help_text=_("What was refused is asked again under another key.")
    )
    waiting_since = models.DateTimeField(
        _("waiting since"), null=True, blank=True, help_text=_("For usage that Stripe does not show yet.")
    )
    created_at = models.DateTimeField(_("created"))
    read_at = models.DateTimeField(_("read"), help_text=_("Stripe's state as of then."))
    finalised_at = models.DateTimeField(pgettext_lazy("moment", "finalised"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)

    class Meta:
        verbose_name = _("Stripe invoice")
        verbose_name_plural = _("Stripe invoices")
        permissions = [("charge_invoice", "Can try again what Stripe refused")]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(role__in=["cycle", "own"]) & ~Q(state="deleted"),
                name="stripe_invoice_one_per_invoice",
            ),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(role="rest") & ~Q(state="deleted"),
                name="stripe_invoice_one_rest_per_invoice",
            ),
            models.UniqueConstraint(
                fields=["period"],
                condition=Q(role="cycle") & ~Q(state="deleted"),
                name="stripe_invoice_one_cycle_per_period",
            ),
            models.CheckConstraint(
                condition=Q(role="cycle", period__isnull=False) | Q(role__in=["own", "rest"], invoice__isnull=False),
                name="stripe_invoice_is_of_a_period_or_an_invoice",
            ),
            models.CheckConstraint(
                condition=Q(invoice__isnull=False) | Q(step__in=["held", "stopped"]),
                name="stripe_invoice_goes_on_for_an_invoice",
            ),
            models.CheckConstraint(
                condition=~Q(step="finalised") | Q(state__in=["open", "paid", "uncollectible", "void"]),
                name="stripe_invoice_finalised_is_no_draft",
            ),
            models.CheckConstraint(
                condition=Q(paid_minor__gte=0, refunded_minor__gte=0), name="stripe_invoice_amounts_are_not_negative"
            ),
        ]
        indexes = [
            models.Index(
                fields=["period"],
                condition=Q(step__in=["held", "filled", "compared"]),
                name="stripe_invoices_under_way",
            ),
            models.Index(fields=["invoice"], condition=Q(state="open"), name="stripe_invoices_open"),
        ]

    def __str__(self) -> str:
        return self.number or self.stripe_id


class StripeCreditNote(models.Model):
    """What of a finalised Stripe invoice is given back at Stripe, by whoever made it there.

    Ours are for a note of Palier's, for a payment that came in part past Stripe, or (`is_correction`) for what Stripe
    asked too much since it finalised before our lines were on it.
    """

    stripe_invoice = models.ForeignKey(
        StripeInvoice, models.PROTECT, related_name="credit_notes", verbose_name=_("Stripe invoice")
    )
    note = models.ForeignKey(
        CreditNote, models.PROTECT, null=True, blank=True, related_name="stripe_notes", verbose_name=_("credit note")
    )
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="stripe_notes", verbose_name=_("payment")
    )
    is_correction = models.BooleanField(_("correction"), default=False)
    stripe_id = models.CharField(_("Stripe's id"), max_length=255, unique=True)
    number = models.CharField(_("Stripe's number"), max_length=100, blank=True)
    total_minor = models.BigIntegerField(_("total"))
    due_minor = models.BigIntegerField(_("taken off what is due"), default=0)
    refund_minor = models.BigIntegerField(_("refunded"), default=0)
    outside_minor = models.BigIntegerField(_("given back outside of Stripe"), default=0)
    is_void = models.BooleanField(pgettext_lazy("credit note", "void"), default=False)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("Stripe credit note")
        verbose_name_plural = _("Stripe credit notes")
        constraints = [
            models.CheckConstraint(condition=Q(total_minor__gt=0), name="stripe_credit_note_is_positive"),
            models.UniqueConstraint(fields=["stripe_invoice", "note"], name="stripe_credit_note_once_per_note"),
            models.UniqueConstraint(fields=["stripe_invoice", "payment"], name="stripe_credit_note_once_per_payment"),
            models.UniqueConstraint(
                fields=["stripe_invoice"], condition=Q(is_correction=True), name="stripe_credit_note_corrects_once"
            ),
        ]

    def __str__(self) -> str:
        return self.number or self.stripe_id
