"""What Stripe told: each event with its body, what became of it, and why; handled anew by hand."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import ask_first
from billing.admin.reading import ReadOnly
from billing.admin.stripe.showing import link_to_stripe, may_repair, shorten_id, show_body
from billing.models import StripeEvent
from billing.stripe.inbox.handling import NothingToReplay, replay_event
from billing.stripe.inbox.storing import HANDLE_EVENT
from jobs import queue

if TYPE_CHECKING:
    EventModelAdmin = admin.ModelAdmin[StripeEvent]
else:
    EventModelAdmin = admin.ModelAdmin


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnly, EventModelAdmin):
    list_display = ["type", "short_object_id", "state", "reason", "received_at"]
    list_filter = ["state", "origin", "is_thin", "livemode"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "received_at"
    ordering = ["-received_at", "-pk"]
    search_fields = ["=stripe_id", "=object_id", "type"]
    search_help_text = _("Search for an id of Stripe, or in types")
    fields = [
        "stripe_id", "type", "object_text", "state", "reason", "attempts", "origin", "is_thin", "livemode", "account",
        "api_version", "created_at", "received_at", "handled_at", "replays", "body",
    ]  # fmt: skip
    readonly_fields = ["object_text", "attempts", "body"]
    actions = ["replay"]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[StripeEvent]:
        """A list needs no bodies, which may be long."""
        events = super().get_queryset(request)
        return (
            events
            if request.resolver_match and "object_id" in request.resolver_match.kwargs
            else events.defer("payload")
        )

    @admin.display(description=_("object's id"), ordering="object_id")
    def short_object_id(self, event: StripeEvent) -> str:
        return shorten_id(event.object_id)

    @admin.display(description=_("object"))
    def object_text(self, event: StripeEvent) -> SafeString | str:
        return link_to_stripe(event.object_id)

    @admin.display(description=_("attempts"))
    def attempts(self, event: StripeEvent) -> str:
        """Of its job; nothing where it has none."""
        job = queue.read_job(HANDLE_EVENT, event.job_key)
        return "–" if job is None else f"{job.attempts}"

    @admin.display(description=_("body"))
    def body(self, event: StripeEvent) -> SafeString | str:
        return show_body(event.payload)

    def has_repair_permission(self, request: HttpRequest) -> bool:
        return may_repair(request)

    @admin.action(description=_("Handle anew"), permissions=["repair"])
    def replay(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> HttpResponse | None:
        events = list(queryset.defer("payload").order_by("pk"))
        if "confirmed" not in request.POST:
            rows: list[tuple[Any, Any, str]] = [
                (event, event.object_id or "–", event.get_state_display()) for event in events
            ]
            question = _("Each of these is handled once more, by what Stripe says now:")
            return ask_first(self, request, rows, action="replay", question=question, verb=_("Handle anew"))
        count = 0
        for event in events:
            try:
                replay_event(event.pk, at=timezone.now())
            except NothingToReplay as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                count += 1
                self.log_change(request, event, gettext("Handled anew."))
        text = ngettext("%(count)d event is handled anew.", "%(count)d events are handled anew.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)
        return None
