"""What is asked when credit is given by hand. Amounts are typed in whole units and kept in the smallest."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.account_forms import AccountForm
from billing.credits.grants import RecurrenceTerms
from billing.models import CreditSource, TopUpRule
from billing.models.credits import INTERVALS
from billing.money import Money, find_exponent
from billing.periods import Interval
from billing.validators import validate_currency

# A top-up is what a payment made, not what a person writes.
BY_HAND = [choice for choice in CreditSource.choices if choice[0] != CreditSource.TOP_UP]


if TYPE_CHECKING:
    RuleModelForm = forms.ModelForm[TopUpRule]
else:
    RuleModelForm = forms.ModelForm


def read_minor(form: forms.BaseForm, name: str, currency: str | None) -> int:
    """The amount of that name in the currency's smallest unit; a finer one is an error of its field."""
    amount: Decimal | None = form.cleaned_data.get(name)
    if amount is None or currency is None:
        return 0
    minor = amount.scaleb(find_exponent(currency))
    if minor != minor.to_integral_value():
        form.add_error(name, gettext("%(currency)s has no unit as small as that.") % {"currency": currency})
    return int(minor)


def amount_field(label: Any, *, least: Decimal | None = Decimal(0), **options: Any) -> forms.DecimalField:
    return forms.DecimalField(label=label, max_digits=15, decimal_places=4, min_value=least, **options)


class MomentField(forms.DateTimeField):
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class GrantForm(AccountForm):
    currency = forms.CharField(label=_("currency"), max_length=3, validators=[validate_currency])
    amount = amount_field(_("amount"))
    source = forms.ChoiceField(label=_("source"), choices=BY_HAND, initial=CreditSource.MANUAL)
    effective_at = MomentField(label=_("takes effect"), required=False, help_text=_("UTC. Empty: now."))
    expires_at = MomentField(label=_("expires"), required=False, help_text=_("UTC. Empty: never, or as it recurs."))
    priority = forms.IntegerField(
        label=_("priority"), min_value=0, max_value=32_767, initial=0, help_text=_("The lowest number is used first.")
    )
    scope = forms.CharField(
        label=_("pays for"),
        required=False,
        max_length=500,
        help_text=_("Keys of meters, or descriptions of fees, with commas between them. Empty: anything."),
    )
    interval = forms.ChoiceField(label=_("comes back"), required=False, choices=[("", _("never")), *INTERVALS])
    rollover_least = amount_field(
        _("at least rolls over"), required=False, help_text=_("Even where less of it is left.")
    )
    rollover = amount_field(_("at most rolls over"), required=False)
    recurs_until = MomentField(label=_("comes back until"), required=False, help_text=_("UTC. Empty: for ever."))
    note = forms.CharField(label=_("note"), required=False, max_length=200)
    once = forms.UUIDField(widget=forms.HiddenInput)

    def clean_scope(self) -> list[str]:
        return [name for part in self.cleaned_data["scope"].split(",") if (name := part.strip())]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        currency = values.get("currency")
        values["amount_minor"] = read_minor(self, "amount", currency)
        least, rollover = read_minor(self, "rollover_least", currency), read_minor(self, "rollover", currency)
        if values.get("interval"):
            until: datetime | None = values.get("recurs_until")
            values["recurrence"] = RecurrenceTerms(
                Interval(values["interval"]), rollover_min_minor=least, rollover_max_minor=rollover, until=until
            )
        elif least or rollover or values.get("recurs_until"):
            self.add_error("interval", gettext("Only credit that comes back can roll over, or end doing so."))
        return values

    def list_words(self) -> Iterator[tuple[Any, Any]]:
        """What was filled in, with its label and as it was read; choices by their words."""
        for field in self.visible_fields():
            value = self.cleaned_data.get(field.name)
            if field.name not in ("account", "amount", "currency") and value not in ("", None, []):
                word = ", ".join(value) if isinstance(value, list) else value
                yield field.label, dict(getattr(field.field, "choices", ())).get(word, word)

    def read_terms(self) -> dict[str, Any]:
        """As grant_credit takes them. The page's own key makes a second click the same grant."""
        values = self.cleaned_data
        names = ("currency", "amount_minor", "source", "effective_at", "expires_at", "priority", "scope", "note")
        terms = {name: values[name] for name in names}
        return terms | {
            "account_id": values["account"],
            "recurrence": values.get("recurrence"),
            "key": f"by hand {values['once']}",
        }


class RuleForm(RuleModelForm):
    threshold = amount_field(_("below"), least=None, help_text=_("Of the ongoing balance."))
    amount = amount_field(_("amount of a top-up"))

    class Meta:
        model = TopUpRule
        fields = ["account", "currency", "is_active"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        rule = self.instance
        if rule.pk is not None:
            self.initial["threshold"] = Money(rule.threshold_minor, rule.currency).amount
            self.initial["amount"] = Money(rule.amount_minor, rule.currency).amount

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        currency = values.get("currency") or self.instance.currency or None
        self.instance.threshold_minor = read_minor(self, "threshold", currency)
        self.instance.amount_minor = read_minor(self, "amount", currency)
        return values
