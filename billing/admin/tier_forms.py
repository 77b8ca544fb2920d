"""The editor of a price's tiers."""

from django import forms
from django.utils.translation import gettext

from billing.rating import trim


class TierFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Tiers in the order of their positions: they ascend, and the last one is open. The field at fault says so."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        kept = [each for each in self.forms if each.cleaned_data and not each.cleaned_data.get("DELETE")]
        forms_by_position = sorted(kept, key=lambda each: each.cleaned_data["position"])
        floor = None
        for form in forms_by_position:
            end, is_last = form.cleaned_data.get("up_to"), form is forms_by_position[-1]
            if is_last and end is not None:
                form.add_error("up_to", gettext("The last tier is open: leave this empty."))
            elif not is_last and end is None:
                form.add_error("up_to", gettext("Only the last tier is open: say where this one ends."))
            elif end is not None and floor is not None and end <= floor:
                form.add_error(
                    "up_to", gettext("A tier ends above the one before, which ends at %s.") % f"{trim(floor):f}"
                )
            floor = end if end is not None else floor
