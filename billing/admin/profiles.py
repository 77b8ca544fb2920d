"""Who pays for an account, and the taxes that invoices bear."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing.admin.papers import StatementPaper
from billing.admin.reading import NamedBlankFilter, PlainDecimalField
from billing.models import BillingProfile, TaxRate

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
    formfield_overrides = {models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}

    def get_readonly_fields(self, request: HttpRequest, obj: BillingProfile | None = None) -> list[str]:
        return ["account"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: BillingProfile | None = None) -> bool:
        """Without it no period could be closed."""
        return False


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
