"""Reservations: what callers hold of limits, and how it ended. The API makes and ends them; nobody edits them here."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from metering.admin.reading import ReadOnly
from metering.models import Reservation
from metering.quantities import format_exact

if TYPE_CHECKING:
    ReservationModelAdmin = admin.ModelAdmin[Reservation]
else:
    ReservationModelAdmin = admin.ModelAdmin


@admin.register(Reservation)
class ReservationAdmin(ReadOnly, ReservationModelAdmin):
    list_display = [
        "account", "meter", "quantity_text", "state", "settled_text", "passes_limit", "created_at", "expires_at",
        "ended_at",
    ]  # fmt: skip
    list_filter = ["state", "meter", "passes_limit"]
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "created_at"
    ordering = ["-created_at", "pk"]
    search_fields = ["account__key", "account__name", "idempotency_key"]
    search_help_text = _("Search in keys and names of accounts and in idempotency keys")
    fields = [
        "id", "account", "meter", "limit", "api_key", "idempotency_key", "quantity_text", "passes_limit", "state",
        "settled_text", "created_at", "expires_at", "ended_at",
    ]  # fmt: skip

    @admin.display(description=_("quantity"), ordering="quantity")
    def quantity_text(self, reservation: Reservation) -> str:
        return format_exact(reservation.quantity, reservation.meter.unit)

    @admin.display(description=_("settled quantity"), ordering="settled_quantity")
    def settled_text(self, reservation: Reservation) -> str:
        settled = reservation.settled_quantity
        return "–" if settled is None else format_exact(settled, reservation.meter.unit)
