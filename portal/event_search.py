"""What is looked for in the log of events, and the page of it that is shown, to customers and to our own staff."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError as BrokenPosition

from metering.accounts import UnknownAccount, find_account
from metering.event_log import EventPage, InvalidWindow, LogCounts, LogPosition, begin_query, count_events, read_page
from metering.rest.paging import read_position, write_position

MINUTES = "%Y-%m-%dT%H:%M"


class TimeInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format=MINUTES)


class EventSearchForm(forms.Form):
    """By GET, on the clocks of the active time zone. Empty fields ask for nothing."""

    text = forms.CharField(label=_("Text"), required=False, max_length=200, strip=False)
    event_id = forms.CharField(label=_("Id"), required=False, max_length=255, strip=False)
    source = forms.CharField(label=_("Source"), required=False, max_length=255, strip=False)
    type = forms.CharField(label=_("Type"), required=False, max_length=120, strip=False)
    fate = forms.ChoiceField(label=_("Fate"), required=False, choices=[("", _("all")), ("corrected", _("corrected"))])
    start = forms.DateTimeField(
        label=_("Received from"), required=False, widget=TimeInput, input_formats=[MINUTES, "%Y-%m-%dT%H:%M:%S"]
    )
    end = forms.DateTimeField(
        label=_("Received before"), required=False, widget=TimeInput, input_formats=[MINUTES, "%Y-%m-%dT%H:%M:%S"]
    )


class StaffSearchForm(EventSearchForm):
    """And whose they are, or that they are nobody's yet."""

    field_order = ["text", "event_id", "source", "type", "account", "subject", "fate", "start", "end"]
    account = forms.CharField(label=_("Account"), required=False, max_length=120)
    subject = forms.CharField(label=_("Subject"), required=False, max_length=120, strip=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["fate"].choices = [  # type: ignore[attr-defined]
            ("", _("all")),
            ("unmatched", _("waits for its account")),
            ("corrected", _("corrected")),
        ]

    def clean_account(self) -> int | None:
        """By its key, or a name in its events."""
        name = self.cleaned_data["account"]
        try:
            return find_account(name).id if name else None
        except UnknownAccount:
            raise forms.ValidationError(_("No account goes by this name.")) from None


@dataclass(frozen=True, slots=True)
class EventListing:
    """A page of the log beside its form. `older` is the query string of the next page; empty on the last one."""

    form: EventSearchForm
    page: EventPage
    counts: LogCounts
    older: str
    is_search: bool


def read_listing(
    parameters: Mapping[str, str], *, account_id: int | None, at: datetime, form_type: type[EventSearchForm]
) -> EventListing:
    """What the query string asks for; of a form that is not right, nothing but its errors."""
    form = form_type(parameters, label_suffix="")
    nothing = EventListing(form, EventPage((), None), LogCounts(0, 0, 0, has_more=False), "", is_search=True)
    if not form.is_valid():
        return nothing
    terms = {name: value for name, value in form.cleaned_data.items() if value}
    is_search, account_id = bool(terms), terms.pop("account", account_id)
    try:
        query = begin_query(at=at, account_id=account_id, **terms)
        position = read_position(parameters.get("after", ""), tuple[datetime, str, str])
    except InvalidWindow:
        form.add_error("start", _("The log shows up to 31 days at a time, and the end comes after the start."))
        return nothing
    except (BrokenPosition, OverflowError):
        form.add_error(None, _("This is no page of the log."))
        return nothing
    page = read_page(query, after=LogPosition(*position) if position else None)
    kept = {name: parameters[name] for name in form.fields if parameters.get(name)}
    older = urlencode(kept | {"after": write_position(page.next)}) if page.next else ""
    return EventListing(form, page, count_events(query), older, is_search=is_search)
