"""Who wants to hear nothing of an account for a while."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from metering.admin.alert_forms import SnoozeForm
from metering.alerts import end_snooze, snooze
from metering.models import Snooze

if TYPE_CHECKING:
    SnoozeModelAdmin = admin.ModelAdmin[Snooze]
else:
    SnoozeModelAdmin = admin.ModelAdmin


@admin.register(Snooze)
class SnoozeAdmin(SnoozeModelAdmin):
    """A snooze is made and ended; nobody changes one.

    The page shows every account, so it is for those who may see them; who sees some alone snoozes on their pages.
    """

    form = SnoozeForm
    list_display = ["account", "meter_text", "until", "level_text", "reason", "made_by", "made_at", "ended_at"]
    list_filter = [("ended_at", admin.EmptyFieldListFilter), "meter"]
    list_select_related = ["account", "meter"]
    date_hierarchy = "made_at"
    ordering = ["-made_at", "-pk"]
    search_fields = ["account__key", "account__name", "reason"]
    autocomplete_fields = ["account"]
    actions = ["end_now"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        own = ["account", "meter", "until", "until_level", "reason"]
        return own if obj is None else [*own, "made_by", "made_at", "ended_at"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and request.user.has_perm("metering.view_account")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and request.user.has_perm("metering.view_account")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("metering.change_snooze")

    @admin.display(description=_("meter"), ordering="meter")
    def meter_text(self, each: Snooze) -> str:
        return each.meter.name if each.meter else gettext("all")

    @admin.display(description=_("until level"), ordering="until_level")
    def level_text(self, each: Snooze) -> str:
        return "–" if each.until_level is None else f"{each.until_level.normalize():f} %"

    def save_model(self, request: HttpRequest, obj: Snooze, form: Any, change: bool) -> None:
        made = snooze(
            account_id=obj.account_id,
            meter_id=obj.meter_id,
            until=obj.until,
            until_level=obj.until_level,
            reason=obj.reason,
            made_by=str(request.user),
            at=timezone.now(),
        )
        obj.pk, obj.made_by, obj.made_at = made.id, made.made_by, made.made_at

    @admin.action(description=_("End the selected snoozes now"), permissions=["end"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Snooze]) -> None:
        ended = sum(end_snooze(pk, at=timezone.now()) for pk in queryset.order_by("pk").values_list("pk", flat=True))
        told = ngettext("%(count)d snooze was ended.", "%(count)d snoozes were ended.", ended)
        self.message_user(request, told % {"count": ended})
