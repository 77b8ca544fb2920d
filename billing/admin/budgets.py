"""What customers mean to spend, to be read: they say it themselves, in the portal."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly
from billing.models import Budget, BudgetChange
from billing.wording import display_money

if TYPE_CHECKING:
    BudgetModelAdmin = admin.ModelAdmin[Budget]
    ChangeInline = admin.TabularInline[BudgetChange, Budget]
else:
    BudgetModelAdmin, ChangeInline = admin.ModelAdmin, admin.TabularInline


class BudgetChangeInline(ReadOnly, ChangeInline):
    model = BudgetChange
    fields = ["number", "amount", "levels", "is_active", "at", "made_by"]
    readonly_fields = ["number", "amount", "levels", "is_active", "at", "made_by"]
    ordering = ["-number"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[BudgetChange]:
        return super().get_queryset(request).select_related("budget", "made_by")

    @admin.display(description=_("amount"))
    def amount(self, change: BudgetChange) -> str:
        return display_money(change.amount_minor, change.budget.currency)


@admin.register(Budget)
class BudgetAdmin(ReadOnly, BudgetModelAdmin):
    list_display = ["account", "meter_text", "amount", "levels", "is_active"]
    list_filter = ["is_active", "currency"]
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["account__key", "pk"]
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in keys and names of accounts")
    fields = ["account", "meter_text", "amount", "levels", "is_active", "epoch"]
    inlines = [BudgetChangeInline]

    @admin.display(description=_("meter"), ordering="meter__name")
    def meter_text(self, budget: Budget) -> str:
        return str(budget.meter) if budget.meter else gettext("everything")

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, budget: Budget) -> str:
        return display_money(budget.amount_minor, budget.currency)
