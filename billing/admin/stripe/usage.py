"""Meter events: what each hour's usage was told to Stripe as, and what became of it."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import ask_first
from billing.admin.reading import ReadOnly
from billing.admin.stripe.showing import may_repair
from billing.models import MeterEventState, StripeMeterEvent
from billing.stripe.usage.failures import CannotReplay, replay_events
from metering.quantities import format_exact

if TYPE_CHECKING:
    UsageModelAdmin = admin.ModelAdmin[StripeMeterEvent]
else:
    UsageModelAdmin = admin.ModelAdmin


@admin.register(StripeMeterEvent)
class StripeMeterEventAdmin(ReadOnly, UsageModelAdmin):
    list_display = ["account", "meter", "starts_at", "value_text", "state", "error_code", "revision", "accepted_at"]
    list_display_links = ["starts_at"]
    list_filter = ["state", "meter", "error_code"]
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "starts_at"
    ordering = ["-pk"]
    search_fields = ["account__key", "account__name", "=identifier", "=customer_id"]
    search_help_text = _("Search in accounts, and for an identifier or a customer of Stripe")
    fields = [
        "account", "meter", "period", "starts_at", "ends_at", "value_text", "revision", "part", "timestamp",
        "identifier", "event_name", "customer_id", "state", "error_code", "error_message", "attempts", "due_at",
        "unsure_since", "created_at", "accepted_at", "replaces",
    ]  # fmt: skip
    readonly_fields = ["value_text"]
    actions = ["send_again"]

    @admin.display(description=_("value"), ordering="value")
    def value_text(self, event: StripeMeterEvent) -> str:
        return format_exact(event.value, event.meter.unit)

    def has_repair_permission(self, request: HttpRequest) -> bool:
        return may_repair(request)

    @admin.action(description=_("Send again what failed"), permissions=["repair"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[StripeMeterEvent]) -> HttpResponse | None:
        """What failed is queued anew, under another identifier; the sender sends it."""
        failed = list(
            queryset.filter(state=MeterEventState.FAILED, replacement__isnull=True)
            .select_related("account", "meter")
            .order_by("pk")
        )
        if not failed:
            self.message_user(request, _("None of the selected events failed and waits to be sent."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            rows = [(event, event.account, f"{self.value_text(event)} ({event.error_code})") for event in failed]
            question = _("Each of these is sent again, in place of the one that failed:")
            return ask_first(self, request, rows, action="send_again", question=question, verb=_("Send again"))
        try:
            count = replay_events([event.pk for event in failed], at=timezone.now())
        except CannotReplay as error:
            self.message_user(request, str(error), messages.ERROR)
            return None
        for event in failed:
            self.log_change(request, event, gettext("Sent again."))
        text = ngettext("%(count)d event is sent again.", "%(count)d events are sent again.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)
        return None
