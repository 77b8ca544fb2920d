"""Prices of a plan version, with their tiers and rows: writable while it is a draft, from then on only read."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from billing.admin.price_forms import DraftFormSet, PriceForm, RowFormSet
from billing.admin.reading import AmountField
from billing.admin.tier_forms import TierForm, TierFormSet
from billing.models import PlanVersion, Price, PriceRow, Tier
from billing.price_rows import describe_price
from billing.rating import InvalidPrice
from billing.stripe.modes import describe_meter, explain_charging
from billing.wording import explain_price

if TYPE_CHECKING:
    PriceModelAdmin = admin.ModelAdmin[Price]
    TierTabularInline = admin.TabularInline[Tier, Price]
    RowTabularInline = admin.TabularInline[PriceRow, Price]
else:
    PriceModelAdmin = admin.ModelAdmin
    TierTabularInline = RowTabularInline = admin.TabularInline


class WhileDraft:
    """Rows of a plan version, writable until it is published. Inlines are asked about their parent."""

    formfield_overrides: "Mapping[type[models.Field[Any, Any]], Mapping[str, Any]]" = {
        models.DecimalField: {"form_class": AmountField}
    }

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_delete_permission(request, obj)  # type: ignore[misc]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The choices of a field are read once for all rows, not once for each."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(field, forms.ModelChoiceField):
            field.choices = list(cast("Iterable[Any]", field.choices))
        return field


class DraftRows(WhileDraft):
    """The same for inlines, which are also asked whether rows may be added to that parent."""

    formset: type[Any] = DraftFormSet

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """In a table only the column is named; who cannot see it hears the name with each field."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None:
            field.widget.attrs.setdefault("aria-label", capfirst(field.label or ""))
        return field

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_draft(obj) and super().has_add_permission(request, obj)  # type: ignore[misc]


def is_draft(subject: PlanVersion | Price | None) -> bool:
    if isinstance(subject, Price):
        subject = subject.version
    return subject is None or subject.published_at is None


class TierInline(DraftRows, TierTabularInline):
    model = Tier
    form = TierForm
    formset = TierFormSet
    fields = ["position", "up_to", "unit_amount", "flat_amount", "rate_percent", "package_size"]
    extra = 0


class RowInline(DraftRows, RowTabularInline):
    model = PriceRow
    formset = RowFormSet
    fields = ["position", "values", "unit_amount"]
    extra = 0


def explain_stored_price(price: Price, currency: str) -> list[str]:
    """In words; where a draft makes no sense yet, what is wrong with it."""
    try:
        return explain_price(describe_price(price), price.meter.unit if price.meter else "", currency)
    except InvalidPrice as error:
        return [str(error)]


def explain_stored_charging(price: Price, currency: str) -> str:
    """By whom it is charged through Stripe, and why; a draft that makes no sense yet is charged by nobody."""
    try:
        return explain_charging(describe_price(price), describe_meter(price), currency)
    except InvalidPrice:
        return "–"


@admin.register(Price)
class PriceAdmin(WhileDraft, PriceModelAdmin):
    """The page of one price with its tiers, reached from its version."""

    form = PriceForm
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "version",
                    "position",
                    "description",
                    "model",
                    "meter",
                    "unit_amount",
                    "per_seat",
                    "included_units",
                ]
            },
        ),
        (_("Bounds"), {"fields": ["minimum", "cap", "first_tier_flat_at_zero"]}),
        (_("Package"), {"fields": ["package_size", "package_rounding"]}),
        (_("Dimensions"), {"fields": ["dimensions"]}),
        (
            _("Percentage"),
            {
                "fields": [
                    "rate_percent",
                    "transaction_fee",
                    "free_amount",
                    "free_transactions",
                    "transaction_minimum",
                    "transaction_maximum",
                ]
            },
        ),
        (_("Stripe"), {"fields": ["charged_by", "charging"]}),
        (
            _("Conversion"),
            {"fields": ["multiply_by", "divide_by", "conversion_rounding", "conversion_places", "conversion_unit"]},
        ),
    ]
    readonly_fields = ["version", "charging"]
    list_select_related = ["version__plan", "meter"]
    list_display = ["description", "version", "model", "meter"]
    search_fields = ["description", "version__plan__name"]
    inlines = [TierInline, RowInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        return super().get_queryset(request).select_related("version__plan", "meter")

    @admin.display(description=_("which comes to"))
    def charging(self, price: Price) -> str:
        return explain_stored_charging(price, price.version.currency)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False
