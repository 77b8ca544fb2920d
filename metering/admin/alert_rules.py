"""Rules of alerts and the sets in which they are switched on together."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from metering.admin.alert_forms import LevelFormSet, PlainDecimalField, RuleForm
from metering.alerts.rules import Scope, apply_change, state_scope
from metering.models import AlertLevel, AlertRule, LevelUnit, RuleSet

if TYPE_CHECKING:
    RuleModelAdmin = admin.ModelAdmin[AlertRule]
    RuleSetModelAdmin = admin.ModelAdmin[RuleSet]
    LevelTabularInline = admin.TabularInline[AlertLevel, AlertRule]
else:
    RuleModelAdmin = RuleSetModelAdmin = admin.ModelAdmin
    LevelTabularInline = admin.TabularInline

PLAIN: "dict[type[models.Field[Any, Any]], dict[str, Any]]" = {models.DecimalField: {"form_class": PlainDecimalField}}
FROZEN = ["kind", "unit", "direction"]  # an alert is read by them


@admin.register(RuleSet)
class RuleSetAdmin(RuleSetModelAdmin):
    """The set that is live cannot be switched off, only replaced by another."""

    list_display = ["name", "is_live"]
    ordering = ["-is_live", "name"]
    fields = ["name", "is_live"]
    readonly_fields = ["is_live"]
    actions = ["switch_on"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not obj.is_live)

    @admin.action(description=_("Switch on the selected rule set"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[RuleSet]) -> None:
        if len(queryset) != 1:
            self.message_user(request, gettext("Select one rule set."), messages.ERROR)
            return
        with transaction.atomic():
            chosen = queryset.get()
            RuleSet.objects.filter(is_live=True).exclude(pk=chosen.pk).update(is_live=False)
            RuleSet.objects.filter(pk=chosen.pk).update(is_live=True)
            apply_change([Scope()], at=timezone.now())
        self.log_change(request, chosen, gettext("Switched on."))
        self.message_user(request, gettext("%(name)s is live.") % {"name": chosen.name})


class LevelInline(LevelTabularInline):
    model = AlertLevel
    formset = LevelFormSet
    fields = ["level", "severity"]
    formfield_overrides = PLAIN
    extra = 1


@admin.register(AlertRule)
class AlertRuleAdmin(RuleModelAdmin):
    """Whatever is saved holds from the next check on, for the limits the rule was and is for."""

    form = RuleForm
    formfield_overrides = PLAIN
    list_display = ["name", "rule_set", "kind", "levels_text", "account", "plan", "meter", "is_enabled"]
    list_filter = ["rule_set", "kind", "is_enabled"]
    list_select_related = ["rule_set", "account", "meter"]
    ordering = ["-rule_set__is_live", "rule_set", "kind", "pk"]
    search_fields = ["name", "plan", "account__key"]
    autocomplete_fields = ["account"]
    inlines = [LevelInline]
    fieldsets = [
        (None, {"fields": ["rule_set", "name", "is_enabled", "kind", "unit", "direction"]}),
        (_("For whom"), {"fields": ["account", "plan", "meter", "currency"]}),
        (_("When"), {"fields": ["repeat_step", "rearm_points", "renotify_hours"]}),
        (_("By the forecast"), {"fields": ["p_on", "p_off", "confirmations", "min_days"]}),
        (
            _("Who is told"),
            {"fields": ["tells_rep", "tells_members", "tells_webhook", "quiet_from", "quiet_until", "digest"]},
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRule]:
        return super().get_queryset(request).prefetch_related("levels")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return FROZEN if obj is not None and obj.alerts.exists() else []

    @admin.display(description=_("levels"))
    def levels_text(self, rule: AlertRule) -> str:
        sign = " %" if rule.unit == LevelUnit.PERCENT else f" {rule.currency}".rstrip()
        return ", ".join(f"{level.level.normalize():f}{sign}" for level in rule.levels.all())

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        before = AlertRule.objects.filter(pk=obj.pk).first()
        super().save_model(request, obj, form, change)
        apply_change([state_scope(rule) for rule in (before, obj) if rule is not None], at=timezone.now())

    def delete_model(self, request: HttpRequest, obj: AlertRule) -> None:
        apply_change([state_scope(obj)], at=timezone.now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        apply_change([state_scope(rule) for rule in queryset], at=timezone.now())
        super().delete_queryset(request, queryset)
