"""What was refused, with the reason and what was sent; to be replayed after a fix."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from metering.admin.reading import ReadOnly
from metering.figures import flush_figures
from metering.models import RejectedEvent
from metering.rejections import state_rejection
from metering.replay import KEPT, ReplayReport, replay_rejections

if TYPE_CHECKING:
    RejectedModelAdmin = admin.ModelAdmin[RejectedEvent]
else:
    RejectedModelAdmin = admin.ModelAdmin


class ReplayFilter(admin.SimpleListFilter):
    title = _("replay")
    parameter_name = "replay"

    def lookups(self, request: HttpRequest, model_admin: RejectedModelAdmin) -> list[tuple[str, SafeString | str]]:
        return [("waiting", gettext("not yet kept")), ("kept", gettext("kept by a replay"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RejectedEvent]) -> QuerySet[RejectedEvent]:
        is_kept = Q(replay_fate__in=KEPT)
        if self.value() == "waiting":
            return queryset.exclude(is_kept)
        return queryset.filter(is_kept) if self.value() == "kept" else queryset


@admin.register(RejectedEvent)
class RejectedEventAdmin(ReadOnly, RejectedModelAdmin):
    list_display = ["received_at", "code", "message", "name_link", "api_key", "times", "replay_fate"]
    list_filter = ["code", ReplayFilter, ("api_key", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["api_key"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "received_at"
    ordering = ["-received_at", "-pk"]
    search_fields = ["event_id", "source", "message"]
    search_help_text = _("Search in ids, sources and reasons")
    actions = ["replay"]
    fields = [
        "received_at", "last_at", "times", "api_key", "account", "source", "event_id", "name_link", "code", "field",
        "message", "sent", "replayed_at", "replay_fate",
    ]  # fmt: skip

    @admin.display(description=_("event"), ordering="event_id")
    def name_link(self, row: RejectedEvent) -> SafeString | str:
        if not row.event_id:
            return "–"
        query = urlencode({"source": row.source, "id": row.event_id})
        return format_html('<a href="{}?{}">{}</a>', reverse("staff:event"), query, row.event_id)

    @admin.display(description=_("what was sent"))
    def sent(self, row: RejectedEvent) -> SafeString:
        fact = state_rejection(row)
        more = gettext("More was sent than is kept.") if fact.is_cut else ""
        return format_html("<pre>{}</pre>{}", fact.body, more)

    @admin.action(description=_("Replay the selected rows"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[RejectedEvent]) -> None:
        """Rows that were kept before are passed over, so a second press does no harm."""
        report = replay_rejections(at=timezone.now(), ids=list(queryset.values_list("pk", flat=True)))
        flush_figures()
        refused = report.fates.get("rejected", 0) + report.fates.get("conflict", 0)
        level = messages.WARNING if refused or report.cut or not report.taken else messages.SUCCESS
        self.message_user(request, describe(report), level)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("metering.change_rejectedevent")


def describe(report: ReplayReport) -> str:
    if not report.taken and not report.cut:
        return gettext("Every selected row was kept by an earlier replay.")
    ends = ", ".join(f"{fate} {count}" for fate, count in sorted(report.fates.items()))
    told = ngettext("%(count)d row was taken again", "%(count)d rows were taken again", report.taken)
    text = told % {"count": report.taken} + (f": {ends}." if ends else ".")
    if report.cut:
        cut = ngettext(
            "%(count)d was not kept whole and must be sent again.",
            "%(count)d were not kept whole and must be sent again.",
            report.cut,
        )
        text += " " + cut % {"count": report.cut}
    return text
