"""The editor of a price's tiers."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext

from billing.models import Price, Tier
from billing.rating import trim

if TYPE_CHECKING:
    TierModelForm = forms.ModelForm[Tier]
    TierInlineFormSet = forms.BaseInlineFormSet[Tier, Price, TierModelForm]
else:
    TierModelForm, TierInlineFormSet = forms.ModelForm, forms.BaseInlineFormSet


class TierForm(TierModelForm):
    def _get_validation_exclusions(self) -> set[str]:
        """What is once in a price is looked at among the rows of the form: those stored are about to go."""
        return {*super()._get_validation_exclusions(), "price"}  # type: ignore[misc]


class TierFormSet(TierInlineFormSet):
    """Tiers in the order of their positions: they ascend, and the last one is open. The field at fault says so."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        forms_by_position = sorted(self.list_kept(), key=lambda each: each.cleaned_data["position"])
        floor, last = None, None
        for form in forms_by_position:
            position, end = form.cleaned_data["position"], form.cleaned_data.get("up_to")
            is_last = form is forms_by_position[-1]
            if position == last:
                form.add_error("position", gettext("Another tier has this position."))
            if is_last and end is not None:
                form.add_error("up_to", gettext("The last tier is open: leave this empty."))
            elif not is_last and end is None:
                form.add_error("up_to", gettext("Only the last tier is open: say where this one ends."))
            elif end is not None and floor is not None and end <= floor:
                form.add_error(
                    "up_to", gettext("A tier ends above the one before, which ends at %s.") % f"{trim(floor):f}"
                )
            floor, last = end if end is not None else floor, position

    def list_kept(self) -> list[Any]:
        return [each for each in self.forms if each.cleaned_data and not each.cleaned_data.get("DELETE")]

    def save(self, commit: bool = True) -> list[Tier]:
        """All rows anew: one by one they would stand in each other's way, two at one end or at one position."""
        kept = self.list_kept()
        self.new_objects = [each.instance for each in kept if each.instance.pk is None]
        self.changed_objects = [
            (each.instance, each.changed_data) for each in kept if each.instance.pk and each.changed_data
        ]
        self.deleted_objects = [each.instance for each in self.deleted_forms if each.instance.pk]
        if not (self.new_objects or self.changed_objects or self.deleted_objects):
            return []
        with transaction.atomic():
            self.instance.tiers.all().delete()
            for each in kept:
                each.instance.pk, each.instance._state.adding = None, True
                each.instance.price = self.instance
                each.instance.save()
        return [each.instance for each in kept]
