"""Who pays for an account, and the taxes that invoices bear."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import ask_first
from billing.admin.papers import StatementPaper
from billing.admin.reading import NamedBlankFilter, PlainDecimalField
from billing.models import BillingProfile, StripeCustomer, TaxRate
from billing.stripe.client import is_on
from billing.stripe.customers import connect_account
from metering import limits

if TYPE_CHECKING:
    ProfileModelAdmin = admin.ModelAdmin[BillingProfile]
    TaxRateModelAdmin = admin.ModelAdmin[TaxRate]
else:
    ProfileModelAdmin = TaxRateModelAdmin = admin.ModelAdmin


@admin.register(BillingProfile)
class BillingProfileAdmin(StatementPaper, ProfileModelAdmin):
    list_display = ["legal_name", "account", "email", "country", "time_zone"]
    list_filter = [("country", NamedBlankFilter)]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["legal_name", "pk"]
    search_fields = ["legal_name", "email", "tax_number", "account__key", "account__name"]
    search_help_text = _("Search in names, e-mail addresses, tax numbers and accounts")
    raw_id_fields = ["account"]
    actions = ["connect"]
    formfield_overrides = {models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}

    def get_readonly_fields(self, request: HttpRequest, obj: BillingProfile | None = None) -> list[str]:
        return ["account"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: BillingProfile | None = None) -> bool:
        """Without it no period could be closed."""
        return False

    def save_model(
        self, request: HttpRequest, obj: BillingProfile, form: "forms.ModelForm[BillingProfile]", change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        limits.move_time_zone(account_id=obj.account_id, time_zone=obj.time_zone)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        return actions if is_on() else {name: each for name, each in actions.items() if name != "connect"}

    @admin.action(description=_("Charge selected through Stripe"), permissions=["change"])
    def connect(self, request: HttpRequest, queryset: QuerySet[BillingProfile]) -> HttpResponse | None:
        """After a question: from then on their invoices are asked there."""
        known = StripeCustomer.objects.values("pk")
        profiles = list(queryset.exclude(pk__in=known).select_related("account").order_by("pk"))
        if not profiles:
            self.message_user(request, _("All of them are charged through Stripe already."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            question = _("Charge these accounts through Stripe? Invoices issued from now on are asked there.")
            rows = [(profile, profile.account, profile.email) for profile in profiles]
            return ask_first(self, request, rows, action="connect", question=question)
        for profile in profiles:
            connect_account(profile.account_id, at=timezone.now())
            self.log_change(request, profile, gettext("Charged through Stripe from now on."))
        text = ngettext(
            "%(count)d account is charged through Stripe now.",
            "%(count)d accounts are charged through Stripe now.",
            len(profiles),
        )
        self.message_user(request, text % {"count": len(profiles)}, messages.SUCCESS)
        return None


@admin.register(TaxRate)
class TaxRateAdmin(TaxRateModelAdmin):
    """A rate is made once; only its name can be mended. Profiles point at it, so none is removed."""

    list_display = ["name", "country", "percent", "is_inclusive"]
    list_filter = [("country", NamedBlankFilter), "is_inclusive"]
    search_fields = ["name", "country"]
    search_help_text = _("Search in names and countries")
    fields = ["name", "country", "percent", "is_inclusive"]
    formfield_overrides = {models.DecimalField: {"form_class": PlainDecimalField}}

    def get_readonly_fields(self, request: HttpRequest, obj: TaxRate | None = None) -> list[str]:
        return ["country", "percent", "is_inclusive"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: TaxRate | None = None) -> bool:
        return False
