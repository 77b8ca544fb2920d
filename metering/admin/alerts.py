"""Alerts as they were seen, in the words that everybody reads, with what became of them and who was told."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from metering.admin.notices import NoticeInline
from metering.admin.quality import answer_quality
from metering.admin.reading import ReadOnly
from metering.alerts import state_alert
from metering.models import Alert
from metering.notices.words import word_alert

if TYPE_CHECKING:
    AlertModelAdmin = admin.ModelAdmin[Alert]
else:
    AlertModelAdmin = admin.ModelAdmin


@admin.register(Alert)
class AlertAdmin(ReadOnly, AlertModelAdmin):
    list_display = [
        "account", "title", "kind", "severity", "used_text", "limit_text", "crossed_at", "detected_at", "state",
        "resolved_at", "claimed_at",
    ]  # fmt: skip
    list_filter = [
        "kind", "severity", "state", "silence", "cause", "recovery", "outcome", "meter",
        ("resolved_at", admin.EmptyFieldListFilter), ("claimed_at", admin.EmptyFieldListFilter),
    ]  # fmt: skip
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "detected_at"
    ordering = ["-detected_at", "-pk"]
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in keys and names of accounts")
    inlines = [NoticeInline]
    fieldsets = [
        (None, {"fields": ["account", "title", "sentence", "kind", "meter", "subject", "severity", "rule", "cause"]}),
        (_("Seen"), {"fields": ["used_text", "limit_text", "p_hit", "starts_at", "ends_at", "epoch", "arming"]}),
        (_("Times"), {"fields": ["crossed_at", "detected_at", "claimed_at", "reminded_at", "acted_on_at"]}),
        (_("What became of it"), {"fields": ["state", "silence", "resolved_at", "recovery", "outcome", "reached_at"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        quality = self.admin_site.admin_view(lambda request: answer_quality(self, request))
        return [path("quality/", quality, name="metering_forecast_quality"), *super().get_urls()]

    @admin.display(description=_("alert"), ordering="level")
    def title(self, alert: Alert) -> str:
        return word_alert(state_alert(alert)).title

    @admin.display(description=_("in words"))
    def sentence(self, alert: Alert) -> str:
        return " ".join(word_alert(state_alert(alert)).paragraphs)

    @admin.display(description=_("used"), ordering="used")
    def used_text(self, alert: Alert) -> str:
        return word_alert(state_alert(alert)).used

    @admin.display(description=_("limit"), ordering="quantity")
    def limit_text(self, alert: Alert) -> str:
        return word_alert(state_alert(alert)).limit or "–"
