"""The editor of a price's tiers."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from billing.admin.price_forms import PartFormSet, blame
from billing.models import Tier
from billing.price_rows import describe_tier
from billing.rating import trim
from billing.rating.checks import TIERED, find_one_tier_problems

if TYPE_CHECKING:
    TierModelForm = forms.ModelForm[Tier]
else:
    TierModelForm = forms.ModelForm


class TierForm(TierModelForm):
    def _get_validation_exclusions(self) -> set[str]:
        """What is once in a price is looked at among the rows of the form: those stored are about to go."""
        return {*super()._get_validation_exclusions(), "price"}  # type: ignore[misc]


class TierFormSet(PartFormSet):
    """Tiers in the order of their positions: they ascend, and the last one is open. The field at fault says so.

    Each has what the model of its price asks of it.
    """

    def check(self, kept: list[Any]) -> None:
        if kept and self.instance.model not in TIERED:
            raise ValidationError(gettext("Only graduated and volume prices have tiers."))
        floor, last = None, None
        for form in kept:
            position, end = form.cleaned_data["position"], form.cleaned_data.get("up_to")
            is_last = form is kept[-1]
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
            for field, problem in find_one_tier_problems(self.instance.model, "", describe_tier(form.instance)):
                blame(form, field.removeprefix("."), problem)

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
