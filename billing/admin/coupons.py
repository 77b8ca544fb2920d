"""Coupons are made here and never changed; discounts are read, and ended after a question."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.account_forms import AccountForm
from billing.admin.credit_forms import MomentField, amount_field, read_minor
from billing.admin.pages import Question, ask_first, fill_form
from billing.admin.reading import NamedBlankFilter, ReadOnly
from billing.coupons import CouponRefused, UnknownCoupon, apply_coupon, end_discount
from billing.models import Coupon, Discount, Plan
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


class ApplyForm(AccountForm):
    coupon = forms.ModelChoiceField(Coupon.objects.order_by("code"), label=_("coupon"), to_field_name="code")
    plan = forms.ModelChoiceField(
        Plan.objects.order_by("rank"),
        label=_("for"),
        required=False,
        empty_label=_("all that the account is billed for"),
        to_field_name="slug",
        help_text=_("Or its subscription to one plan alone."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        is_known = "account" in values and values.get("plan") is not None
        values["subscription"] = self.find_subscription(values["plan"]) if is_known else None
        return values


def ask_to_apply(form: ApplyForm) -> Question:
    coupon, subscription = form.cleaned_data["coupon"], form.cleaned_data["subscription"]
    terms = [
        (_("coupon"), coupon),
        (_("takes off"), describe_terms(coupon)),
        (_("duration"), coupon.get_duration_display()),
        (_("for"), subscription or _("all that the account is billed for")),
    ]
    text = gettext("%(account)s pays less from the period under way on:") % {"account": form.name_account()}
    return Question(text, _("Apply it"), terms)


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

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.add_discount")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A coupon for an account: which, then what it takes off, then the discount. A second one is the same."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return fill_form(
            self,
            request,
            ApplyForm(request.POST) if request.method == "POST" else ApplyForm(),
            title=_("Apply a coupon"),
            ask=ask_to_apply,
            act=partial(self.apply, request),
            refusals=(UnknownCoupon, CouponRefused),
        )

    def apply(self, request: HttpRequest, form: "ApplyForm") -> HttpResponse:
        values = form.cleaned_data
        made = apply_coupon(
            code=values["coupon"].code,
            account_id=values["account"],
            subscription_id=values["subscription"].pk if values["subscription"] else None,
            at=timezone.now(),
            by=request.user.pk,
        )
        discount = Discount.objects.get(pk=made.id)
        self.log_addition(request, discount, gettext("Applied."))
        words = {"coupon": values["coupon"], "account": form.name_account()}
        self.message_user(request, gettext("%(account)s has %(coupon)s.") % words, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_discount_changelist"))

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
