"""What a person may send to a lead."""

from datetime import datetime, time
from typing import TYPE_CHECKING

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.assignment import list_candidates
from crm.models import Lead, RepProfile, Stage
from crm.notes import NOTE_LENGTH
from crm.transitions import MOVES

if TYPE_CHECKING:
    RepChoiceField = forms.ModelChoiceField[RepProfile]
else:
    RepChoiceField = forms.ModelChoiceField


class RepField(RepChoiceField):
    """Every rep who can enter the back-office; those who are away today are marked."""

    def label_from_instance(self, obj: RepProfile) -> str:
        return str(obj) if obj.is_present else _("%(rep)s (away today)") % {"rep": obj}


class AssignForm(forms.Form):
    rep = RepField(queryset=RepProfile.objects.none(), label=_("Give to"), empty_label=_("Choose a rep"))

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["rep"].queryset = list_candidates()  # type: ignore[attr-defined]


class MoveForm(forms.Form):
    to_stage = forms.ChoiceField(label=_("New stage"))
    reason = forms.CharField(
        label=_("Reason"), max_length=200, required=False, help_text=_("Needed when the lead is lost.")
    )

    def __init__(self, *args: object, lead: Lead, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        # Where the lead is already may be sent again: a second click is no error.
        stages = (Stage(lead.stage), *MOVES[lead.stage]) if self.is_bound else MOVES[lead.stage]
        self.fields["to_stage"].choices = [(stage.value, stage.label) for stage in stages]  # type: ignore[attr-defined]


class NoteForm(forms.Form):
    text = forms.CharField(label=_("Note"), max_length=NOTE_LENGTH, widget=forms.Textarea({"rows": 3}))


class SnoozeForm(forms.Form):
    until = forms.DateField(
        label=_("Quiet until"),
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text=_("Its first moment."),
    )
    until_level = forms.DecimalField(
        label=_("Or until"),
        required=False,
        min_value=1,
        max_value=1000,
        decimal_places=2,
        help_text=_("Percent of the limit. A higher level breaks through without it, too."),
    )
    why = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def clean_until(self) -> datetime | None:
        """The first moment of the day, by the reader's clock."""
        day = self.cleaned_data["until"]
        return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
