"""What is asked when something is billed by hand."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.account_forms import AccountForm
from billing.admin.credit_forms import MomentField
from billing.admin.reading import show_moment
from billing.models import InvoiceItem, ItemKind, Plan, Subscription
from billing.money import round_money
from billing.validators import validate_currency
from metering.quantities import format_exact

if TYPE_CHECKING:
    from billing.admin.pages import Words


class ItemForm(AccountForm):
    plan = forms.ModelChoiceField(
        Plan.objects.order_by("rank"),
        label=_("goes on"),
        required=False,
        empty_label=_("a one-off invoice"),
        to_field_name="slug",
        help_text=_("Or the next invoice of the account's subscription to a plan."),
    )
    description = forms.CharField(label=_("description"), max_length=200, help_text=_("The customer reads it."))
    quantity = forms.DecimalField(label=_("quantity"), max_digits=38, decimal_places=12, min_value=Decimal(0))
    unit_amount = forms.DecimalField(
        label=_("price of one"), max_digits=24, decimal_places=12, help_text=_("Below zero it gives back.")
    )
    currency = forms.CharField(label=_("currency"), max_length=3, validators=[validate_currency])
    period_start = MomentField(label=_("for the time from"), required=False, help_text=_("UTC. Empty: for no period."))
    period_end = MomentField(label=_("until"), required=False, help_text=_("UTC, not included."))
    key = forms.CharField(
        label=_("key"),
        required=False,
        max_length=120,
        help_text=_("What it is for, such as the number of an order: billed once. Empty: one is drawn."),
    )
    once = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        start, end = values.get("period_start"), values.get("period_end")
        if (start is None) != (end is None) or (start is not None and end is not None and start >= end):
            self.add_error("period_end", gettext("A time has a start and an end after it."))
        if not self.errors and self.count_minor() == 0:
            self.add_error("unit_amount", gettext("It comes to nothing."))
        values["key"] = values.get("key") or f"by hand {values.get('once')}"
        account_id = values.get("account")
        if account_id is None:
            return values
        values["subscription"] = self.find_billed(values)
        known = InvoiceItem.objects.filter(account_id=account_id, key=values["key"]).first()
        # The page's own key comes again with a second click, which is the same item.
        if known is not None and values["key"] != f"by hand {values.get('once')}":
            self.add_error("key", gettext("Billed before: %(item)s.") % {"item": known})
        return values

    def find_billed(self, values: dict[str, Any]) -> Subscription | None:
        """The subscription whose next invoice it goes on; none for a one-off invoice."""
        if values.get("plan") is None:
            return None
        subscription = self.find_subscription(values["plan"])
        if subscription is not None and subscription.version.currency != values.get("currency"):
            words = {"currency": subscription.version.currency}
            self.add_error("currency", gettext("This subscription is billed in %(currency)s.") % words)
        return subscription

    def count_minor(self) -> int:
        """The amount in the currency's smallest unit, rounded as the item will be."""
        values = self.cleaned_data
        return round_money(values["quantity"] * values["unit_amount"], values["currency"]).minor

    def list_words(self) -> "list[tuple[Words, Words]]":
        values = self.cleaned_data
        price = f"{format_exact(values['quantity'])} × {format_exact(values['unit_amount'])} {values['currency']}"
        terms: list[tuple[Words, Words]] = [
            (_("goes on"), values["subscription"] or _("a one-off invoice")),
            (_("description"), values["description"]),
            (_("price"), price),
        ]
        if values.get("period_start"):
            terms.append(
                (
                    _("for the time from"),
                    f"{show_moment(values['period_start'])} – {show_moment(values['period_end'])}",
                )
            )
        if self["key"].value():
            terms.append((_("key"), values["key"]))
        return terms

    def read_terms(self) -> dict[str, Any]:
        """As add_item takes them."""
        values = self.cleaned_data
        names = ("currency", "description", "quantity", "unit_amount", "period_start", "period_end", "key")
        subscription = values["subscription"]
        return {name: values[name] for name in names} | {
            "account_id": values["account"],
            "subscription_id": subscription.pk if subscription else None,
            "kind": ItemKind.ONE_OFF.value,
        }
