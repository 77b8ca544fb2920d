"""What becomes of an issued invoice: its moves, payments and credit notes. Rows are only added, by trigger."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class InvoiceMove(models.Model):
    """That an invoice was issued, paid, given up or made void: when, why, and by whom, if not by a payment."""

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="moves", verbose_name=_("invoice"))
    state = models.CharField(_("state"), max_length=14)
    at = models.DateTimeField(_("at"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("invoice move")
        verbose_name_plural = _("invoice moves")
        constraints = [models.UniqueConstraint(fields=["invoice", "state"], name="invoice_move_once")]

    def __str__(self) -> str:
        return self.state


class Payment(models.Model):
    """Money that came in for an invoice; never more than is due, by trigger. `key` names it, so that it counts once."""

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="payments", verbose_name=_("invoice"))
    amount_minor = models.BigIntegerField(_("amount"))
    method = models.CharField(_("how it was paid"), max_length=40)
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    key = models.CharField(_("key"), max_length=120)
    paid_at = models.DateTimeField(_("paid"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.UniqueConstraint(fields=["invoice", "key"], name="payment_counts_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.reference}".strip()


class CreditDestination(models.TextChoices):
    DUE = "due", _("taken off what is due")
    BALANCE = "balance", _("credit")
    REFUND = "refund", _("refund")


class CreditNote(models.Model):
    """What of an issued invoice is given back. All notes of one come to no more than it, by trigger."""

    invoice = models.ForeignKey(
        "billing.Invoice", models.PROTECT, related_name="credit_notes", verbose_name=_("invoice")
    )
    series = models.ForeignKey("billing.InvoiceSeries", models.PROTECT, verbose_name=_("series"))
    sequence = models.PositiveIntegerField(_("sequence"))
    number = models.CharField(_("number"), max_length=40, unique=True)
    destination = models.CharField(_("how it is given back"), max_length=10, choices=CreditDestination.choices)
    reason = models.CharField(_("reason"), max_length=200)
    subtotal_minor = models.BigIntegerField(_("without tax"))
    tax_minor = models.BigIntegerField(_("tax"))
    total_minor = models.BigIntegerField(_("total"))
    key = models.CharField(_("key"), max_length=120)
    issued_at = models.DateTimeField(_("issued"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("credit note")
        verbose_name_plural = _("credit notes")
        constraints = [
            models.UniqueConstraint(fields=["series", "sequence"], name="credit_note_sequence_once_per_series"),
            models.UniqueConstraint(fields=["invoice", "key"], name="credit_note_written_once"),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")), name="credit_note_total_is_net_and_tax"
            ),
            models.CheckConstraint(condition=Q(total_minor__gt=0), name="credit_note_is_positive"),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """How much of a line is given back, with the taxes on it."""

    note = models.ForeignKey(CreditNote, models.PROTECT, related_name="lines", verbose_name=_("note"))
    invoice_line = models.ForeignKey(
        "billing.InvoiceLine", models.PROTECT, related_name="credited", verbose_name=_("line of the invoice")
    )
    subtotal_minor = models.BigIntegerField(_("without tax"))
    taxes = models.JSONField(_("taxes"), default=list)
    tax_minor = models.BigIntegerField(_("tax"))
    total_minor = models.BigIntegerField(_("total"))

    class Meta:
        verbose_name = _("credit note line")
        verbose_name_plural = _("credit note lines")
        constraints = [
            models.UniqueConstraint(fields=["note", "invoice_line"], name="credit_note_line_once"),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")),
                name="credit_note_line_total_is_net_and_tax",
            ),
            models.CheckConstraint(condition=Q(total_minor__gt=0), name="credit_note_line_is_positive"),
        ]

    def __str__(self) -> str:
        return str(self.invoice_line)


class Reminder(models.Model):
    """That the customer was reminded of an invoice, the first time, the second, and so on."""

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="reminders", verbose_name=_("invoice"))
    number = models.PositiveSmallIntegerField(_("number"))
    email = models.EmailField(
        _("e-mail address"), blank=True, help_text=_("Where it went; empty where nobody's address is known.")
    )
    sent_at = models.DateTimeField(_("sent"))

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        constraints = [models.UniqueConstraint(fields=["invoice", "number"], name="reminder_sent_once")]

    def __str__(self) -> str:
        return str(self.number)
