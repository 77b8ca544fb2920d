"""Coupons are made here and never changed; discounts are read, and ended after a question."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.credit_forms import MomentField, amount_field, read_minor
from billing.admin.pages import ask_first
from billing.admin.reading import NamedBlankFilter, ReadOnly
from billing.coupons import end_discount
from billing.models import Coupon, Discount
from billing.rating import trim
from billing.wording import display_money

if TYPE_CHECKING:
    CouponModelAdmin = admin.ModelAdmin[Coupon]
    DiscountModelAdmin = admin.ModelAdmin[Discount]
    CouponModelForm = forms.ModelForm[Coupon]
else:
    CouponModelForm = forms.ModelForm
    CouponModelAdmin = DiscountModelAdmin = admin.ModelAdmin

FROZEN = ["code", "takes_off", "currency", "duration", "months"]


def describe_terms(coupon: Coupon) -> str:
    if coupon.percent is not None:
        return f"{trim(coupon.percent):f} %"
    return display_money(coupon.amount_minor or 0, coupon.currency)


class CouponForm(CouponModelForm):
    """An amount is typed in whole units of its currency."""

    amount = amount_field(_("amount"), required=False, help_text=_("Off each invoice, in place of a percentage."))

    class Meta:
        model = Coupon
        fields = ["code", "name", "percent", "currency", "duration", "months", "max_redemptions", "valid_until"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if self.instance.pk is None and values.get("amount") is not None:
            self.instance.amount_minor = read_minor(self, "amount", values.get("currency") or None)
        return values

    def _post_clean(self) -> None:
        """Asks the database's rules also where they are about the amount, which is no field of the model."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            self.instance.validate_constraints()
        except ValidationError as error:
            self.add_error(None, error.messages)


@admin.register(Coupon)
class CouponAdmin(CouponModelAdmin):
    form = CouponForm
    list_display = ["code", "name", "takes_off", "duration", "months", "redemption_count", "valid_until"]
    list_filter = ["duration", ("currency", NamedBlankFilter)]
    formfield_overrides = {models.DateTimeField: {"form_class": MomentField, "widget": MomentField.widget}}
    search_fields = ["code", "name"]
    search_help_text = _("Search in codes and names")
    fields = [
        "code",
        "name",
        "percent",
        "amount",
        "currency",
        "duration",
        "months",
        "max_redemptions",
        "valid_until",
    ]

    @admin.display(description=_("takes off"))
    def takes_off(self, coupon: Coupon) -> str:
        return describe_terms(coupon)

    def get_fields(self, request: HttpRequest, obj: Coupon | None = None) -> Any:
        """What it takes off is written once, and from then on told."""
        if obj is None:
            return self.fields
        return ["code", "name", "takes_off", "currency", "duration", "months", "max_redemptions", "valid_until"]

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> list[str]:
        return FROZEN if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Coupon | None = None) -> bool:
        """Its discounts name it; let it end instead."""
        return False


@admin.register(Discount)
class DiscountAdmin(ReadOnly, DiscountModelAdmin):
    list_display = ["account", "coupon", "takes_off", "subscription", "starts_at", "ends_at"]
    list_filter = ["coupon"]
    list_select_related = ["account", "coupon", "subscription__account", "subscription__version__plan"]
    list_per_page = 50
    ordering = ["-applied_at", "-pk"]
    search_fields = ["account__key", "account__name", "coupon__code"]
    search_help_text = _("Search in accounts and coupons")
    fields = ["account", "coupon", "subscription", "starts_at", "ends_at", "applied_at", "applied_by"]
    actions = ["end"]

    @admin.display(description=_("takes off"))
    def takes_off(self, discount: Discount) -> str:
        return describe_terms(discount.coupon)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_discount")

    @admin.action(description=_("End selected discounts"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Discount]) -> HttpResponse | None:
        now = timezone.now()
        discounts = list(queryset.select_related("account", "coupon").exclude(ends_at__lte=now).order_by("pk"))
        if not discounts:
            self.message_user(request, _("All the selected discounts have ended."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            return ask_first(
                self,
                request,
                [(each, each.account, describe_terms(each.coupon)) for each in discounts],
                action="end",
                question=_("Nothing is taken off periods that begin from now on:"),
                title=_("End discounts?"),
                verb=_("End"),
            )
        for each in discounts:
            end_discount(each.pk, at=now)
            self.log_change(request, each, gettext("Ended."))
        text = ngettext("%(count)d discount was ended.", "%(count)d discounts were ended.", len(discounts))
        self.message_user(request, text % {"count": len(discounts)}, messages.SUCCESS)
        return None
