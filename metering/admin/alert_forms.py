"""What a rule may say: refused in a form, with the field it is about, before the database refuses it."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from metering.models import AlertKind, AlertRule, Direction, LevelUnit, Snooze

UNITS = {
    AlertKind.USAGE: {LevelUnit.PERCENT, LevelUnit.ABSOLUTE},
    AlertKind.FORECAST: {LevelUnit.PERCENT},
    AlertKind.SPEND: {LevelUnit.ABSOLUTE},
    AlertKind.BUDGET: {LevelUnit.PERCENT},
    AlertKind.CREDIT: {LevelUnit.PERCENT, LevelUnit.ABSOLUTE},
    AlertKind.COMMITMENT: {LevelUnit.PERCENT},
    AlertKind.ANOMALY: {LevelUnit.ABSOLUTE},
}
DIRECTIONS = {
    AlertKind.CREDIT: {Direction.FALLING},
    AlertKind.COMMITMENT: {Direction.FALLING, Direction.RISING},
}
OF_METERS = {AlertKind.USAGE, AlertKind.FORECAST, AlertKind.ANOMALY}
OF_AMOUNTS = {AlertKind.SPEND, AlertKind.CREDIT}
REACHED = Decimal(100)


class PlainDecimalField(forms.DecimalField):
    """Shows 80 where twelve decimals are kept."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) and value.is_finite() else value


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # its class takes no argument when Django runs
    """One rule; its levels are the formset beside it."""

    class Meta:
        model = AlertRule
        fields = "__all__"  # noqa: DJ007 (the admin names them)

    def clean(self) -> dict[str, Any]:
        frozen = {name: getattr(self.instance, name) for name in ("kind", "unit", "direction")}
        terms: dict[str, Any] = frozen | (super().clean() or {})
        kind, unit, direction = terms.get("kind"), terms.get("unit"), terms.get("direction")
        if kind and unit not in UNITS[kind]:
            self.add_error(self.place("unit"), _("A rule of this kind cannot count so."))
        if kind and direction not in DIRECTIONS.get(kind, {Direction.RISING}):
            self.add_error(self.place("direction"), _("Only credit falls; a commitment falls behind or runs ahead."))
        if terms.get("account") and terms.get("plan"):
            self.add_error("plan", _("A rule is for an account or for a plan, not for both."))
        if kind and terms.get("meter") and kind not in OF_METERS:
            self.add_error("meter", _("A rule of this kind is not about a meter."))
        if kind == AlertKind.USAGE and unit == LevelUnit.ABSOLUTE and not terms.get("meter"):
            self.add_error("meter", _("A quantity needs the meter that it is of."))
        wants_currency = kind in OF_AMOUNTS and unit == LevelUnit.ABSOLUTE
        if wants_currency and not terms.get("currency"):
            self.add_error("currency", _("An amount needs its currency."))
        if kind and terms.get("currency") and not wants_currency:
            self.add_error("currency", _("Only amounts have a currency."))
        if (terms.get("p_off") or 0) >= (terms.get("p_on") or 1):
            self.add_error("p_off", _("An alarm is cleared at a lower chance than it is raised from."))
        if (terms.get("quiet_from") is None) != (terms.get("quiet_until") is None):
            self.add_error("quiet_until", _("Quiet hours have a beginning and an end."))
        return terms

    def place(self, name: str) -> str | None:
        """Where an error is shown: a field that is frozen is not in the form."""
        return name if name in self.fields else None


class LevelFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The levels of a rule: at least one, and such as its kind can reach."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        require_levels(self.instance, [form.cleaned_data["level"] for form in kept])


def require_levels(rule: AlertRule, levels: Collection[Decimal]) -> None:
    """Raises ValidationError."""
    if not levels:
        raise ValidationError(_("A rule needs a level at which it speaks."))
    if rule.direction == Direction.RISING and min(levels) <= 0:
        raise ValidationError(_("A level that rises is above zero."))
    if rule.kind == AlertKind.FORECAST and set(levels) != {REACHED}:
        raise ValidationError(_("A forecast knows one level: 100, the limit itself."))


class SnoozeForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Snooze
        fields = ["account", "meter", "until", "until_level", "reason"]

    def clean(self) -> dict[str, Any]:
        terms: dict[str, Any] = super().clean() or {}
        until, level = terms.get("until"), terms.get("until_level")
        if until is None and level is None and not self.errors:
            self.add_error("until", _("A snooze ends at a moment, at a level, or at both."))
        if until is not None and until <= timezone.now():
            self.add_error("until", _("This moment has passed."))
        if level is not None and level <= 0:
            self.add_error("until_level", _("The level is above zero."))
        return terms
