"""Who was told what: the log of messages, each as it was sent, and on an alert's page who is to hear of it."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from metering.admin.reading import ReadOnly
from metering.models import Alert, Delivery, Notice
from metering.notices.repeating import send_again

if TYPE_CHECKING:
    DeliveryModelAdmin = admin.ModelAdmin[Delivery]
    NoticeTabularInline = admin.TabularInline[Notice, Alert]
else:
    DeliveryModelAdmin = admin.ModelAdmin
    NoticeTabularInline = admin.TabularInline

TEXT = '<pre class="job-text">{}</pre>'


class NoticeInline(ReadOnly, NoticeTabularInline):
    """On the page of an alert."""

    model = Notice
    fields = ["audience", "occasion", "state", "digest", "due_at", "decided_at", "told"]
    readonly_fields = ["told"]
    ordering = ["pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        return super().get_queryset(request).prefetch_related("deliveries")

    @admin.display(description=_("recipients"))
    def told(self, notice: Notice) -> str:
        return ", ".join(f"{each.recipient} ({each.get_state_display()})" for each in notice.deliveries.all()) or "–"


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, DeliveryModelAdmin):
    list_display = ["subject", "recipient", "channel", "state", "attempts", "made_at", "sent_at", "answer_status"]
    list_filter = ["state", "channel", "first_notice__occasion", "first_notice__audience"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "made_at"
    ordering = ["-made_at", "-pk"]
    search_fields = ["recipient", "subject", "first_notice__account__key"]
    search_help_text = _("Search in recipients, subjects and keys of accounts")
    actions = ["send_again"]
    fieldsets = [
        (None, {"fields": ["recipient", "channel", "state", "subject", "text_as_sent", "told_of"]}),
        (_("Sending"), {"fields": ["made_at", "sent_at", "attempts", "rounds", "error", "identifier"]}),
        (_("Answer"), {"fields": ["answer_status", "answer_text"]}),
    ]

    @admin.display(description=_("text as sent"))
    def text_as_sent(self, delivery: Delivery) -> SafeString:
        return format_html(TEXT, delivery.text)

    @admin.display(description=_("tells of"))
    def told_of(self, delivery: Delivery) -> str:
        return ", ".join(str(notice) for notice in delivery.notices.order_by("pk"))

    @admin.display(description=_("Message-ID"))
    def identifier(self, delivery: Delivery) -> str:
        return delivery.message_id

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("metering.change_delivery")

    @admin.action(description=_("Send again what failed"), permissions=["repeat"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        chosen = list(queryset.order_by("pk"))
        count = send_again([each.pk for each in chosen], at=timezone.now())
        if not count:
            self.message_user(request, gettext("None of the chosen messages has failed."), messages.WARNING)
            return
        for each in chosen:
            self.log_change(request, each, gettext("Promised to be sent again, if it had failed."))
        done = ngettext("%(count)d message will be sent again.", "%(count)d messages will be sent again.", count)
        self.message_user(request, done % {"count": count}, messages.SUCCESS)
