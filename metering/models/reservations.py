"""Reservations: what is kept of a limit until the real usage is known."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from metering.models.digits import QUANTITY, TOTAL


class ReservationState(models.TextChoices):
    HELD = "held", _("held")
    SETTLED = "settled", _("settled")
    RELEASED = "released", _("released")
    EXPIRED = "expired", _("expired")


class Reservation(models.Model):
    """A quantity of a limit that is kept for one caller until the real usage is known, or time is up."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(
        "metering.Account", models.PROTECT, verbose_name=_("account"), related_name="reservations"
    )
    meter = models.ForeignKey("metering.Meter", models.PROTECT, verbose_name=_("meter"), db_index=False)
    limit = models.ForeignKey(
        "metering.Limit", models.PROTECT, verbose_name=_("limit"), related_name="reservations", db_index=False
    )
    api_key = models.ForeignKey(
        "metering.ApiKey", models.PROTECT, verbose_name=_("API key"), null=True, blank=True, db_index=False
    )
    idempotency_key = models.CharField(
        _("idempotency key"), max_length=255, blank=True, help_text=_("The caller's own name for it.")
    )
    quantity = models.DecimalField(_("quantity"), **QUANTITY)
    passes_limit = models.BooleanField(
        _("passes limit"), default=False, help_text=_("Granted beyond the limit, which is soft.")
    )
    state = models.CharField(_("state"), max_length=8, choices=ReservationState.choices, default=ReservationState.HELD)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    ended_at = models.DateTimeField(
        _("ended at"), null=True, blank=True, help_text=_("When it was settled, released or expired.")
    )
    settled_quantity = models.DecimalField(
        _("settled quantity"),
        **TOTAL,
        null=True,
        blank=True,
        help_text=_("What its settlement counted; empty where events do not add up."),
    )

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                nulls_distinct=False,
                name="reservation_once_per_idempotency_key",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_holds_something"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="reservation_lasts"),
            models.CheckConstraint(
                condition=Q(state="held", ended_at__isnull=True) | (~Q(state="held") & Q(ended_at__isnull=False)),
                name="reservation_ended_unless_held",
            ),
            models.CheckConstraint(
                condition=Q(state="settled") | Q(settled_quantity__isnull=True),
                name="reservation_quantity_once_settled",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="held"), name="reservation_held_until"),
            models.Index(fields=["limit"], condition=Q(state="held"), name="reservation_held_of_limit"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
