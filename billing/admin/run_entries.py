"""The entries of a billing run as its page shows them: which are asked for, their columns, and what each came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import (
    HttpRequest,
)
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import BillingProfile, BillingRunEntry, EntryState
from billing.rating import trim
from billing.runs import reports
from billing.runs.reports import LEAST_CHANGE, Choice, CurrencySums, Kind
from billing.wording import display_money, display_period

CHOICE_WORDS = {
    Choice.ALL: _("All"),
    Choice.FAILED: _("Failed"),
    Choice.NEW: _("New"),
    Choice.GONE: _("Gone"),
    Choice.CHANGED: _("Changed"),
    Choice.UNCHANGED: _("Unchanged"),
    Choice.DIFFERENT: _("Other than previewed"),
    Choice.SKIPPED: _("Left out"),
}
KIND_WORDS = {
    Kind.NEW: _("new"),
    Kind.GONE: _("gone"),
    Kind.CHANGED: _("changed"),
    Kind.UNCHANGED: _("unchanged"),
}
COLUMNS = [
    ("account", _("account")),
    ("", _("period")),
    ("last", _("period before")),
    ("", _("preview")),
    ("", _("invoice")),
    ("change", _("change")),
    ("state", _("state")),
]


class EntriesForm(forms.Form):
    """Which entries are shown, and how; each has a value that stands for what was sent wrong."""

    show = forms.ChoiceField(choices=[(each.value, each.value) for each in Choice], required=False)
    change = forms.DecimalField(
        label=_("Changed by at least"),
        min_value=0,
        max_value=1_000,
        max_digits=6,
        decimal_places=2,
        required=False,
    )
    q = forms.CharField(label=_("Account"), max_length=100, required=False)
    sort = forms.CharField(max_length=20, required=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, without what it has wrong."""

    show: Choice
    change: Decimal
    words: str
    sort: str

    def write(self, **other: Any) -> str:
        """The query of an address that asks for the same, but for the others."""
        values = {
            "show": self.show.value,
            "change": f"{trim(self.change):f}",
            "q": self.words,
            "sort": self.sort,
        } | other
        return urlencode({name: value for name, value in values.items() if value != ""})


@dataclass(frozen=True, slots=True)
class ShownEntry:
    id: int
    account: str
    account_key: str
    plan: str
    period: str
    last: str
    last_invoice: Any
    previewed: str
    billed: str
    invoice: Any
    is_different: bool
    change: str
    kind: str
    is_notable: bool
    state: str
    state_text: str
    reason: str
    retry_at: datetime | None

    @property
    def is_failed(self) -> bool:
        """Also what could not be previewed."""
        return bool(self.reason) and self.state in (EntryState.PENDING, EntryState.FAILED)


def read_asked(request: HttpRequest) -> tuple[Asked, EntriesForm]:
    form = EntriesForm(request.GET)
    form.is_valid()
    sent = form.cleaned_data
    change = sent.get("change")
    asked = Asked(
        show=Choice(sent.get("show") or Choice.ALL.value),
        change=LEAST_CHANGE if change is None else change,
        words=sent.get("q") or "",
        sort=sent["sort"] if sent.get("sort", "").removeprefix("-") in reports.SORTS else "account",
    )
    return asked, form


def show_totals(totals: dict[str, int]) -> list[str]:
    return [display_money(minor, currency) for currency, minor in sorted(totals.items())]


def show_sums(sums: CurrencySums) -> dict[str, Any]:
    currency = sums.currency
    return {
        "currency": currency,
        "entries": sums.entries,
        "last": display_money(sums.last_minor, currency),
        "previewed": display_money(sums.previewed_minor, currency),
        "billed": display_money(sums.billed_minor, currency),
        "change": display_change(sums.change_minor, sums.last_minor, currency),
    }


def display_change(minor: int, last_minor: int, currency: str) -> str:
    """`+€5.00 (+12 %)`; without a percentage where there was nothing before."""
    text = ("+" if minor > 0 else "") + display_money(minor, currency)
    if not last_minor:
        return text
    percent = (abs(minor) * 200 + abs(last_minor)) // (abs(last_minor) * 2)  # rounded half up, by whole numbers
    sign = "" if percent == 0 else "+" if minor > 0 else "−"
    return f"{text} ({sign}{percent} %)"


def show_column(key: str, label: Any, asked: Asked) -> dict[str, Any]:
    """Its heading, where a click leads, and what is said to who cannot see the arrow."""
    is_down, is_sorted = asked.sort == f"-{key}", bool(key) and asked.sort.removeprefix("-") == key
    is_up_first = key in ("account", "state")
    turned = key if is_down else f"-{key}"
    return {
        "label": label,
        "query": asked.write(sort=turned if is_sorted else key if is_up_first else f"-{key}") if key else "",
        "aria": ("descending" if is_down else "ascending") if is_sorted else "",
    }


def show_entries(entries: Sequence[BillingRunEntry]) -> list[ShownEntry]:
    """Each with its period on the clocks of its account."""
    profiles = BillingProfile.objects.filter(account__in=[entry.account_id for entry in entries])
    zones = dict(profiles.values_list("account_id", "time_zone"))
    return [show_entry(entry, zones.get(entry.account_id, "UTC")) for entry in entries]


def show_entry(entry: BillingRunEntry, time_zone: str) -> ShownEntry:
    currency = entry.currency
    last, change = getattr(entry, "last_minor", None), getattr(entry, "change_minor", None)
    previewed, billed = entry.previewed_minor, entry.billed_minor
    kind = Kind(getattr(entry, "kind", Kind.OTHER))
    return ShownEntry(
        id=entry.pk,
        account=entry.account.name or entry.account.key,
        account_key=entry.account.key,
        plan=str(reports.find_plan(entry).name),
        period=display_period(entry.starts_at, entry.ends_at, time_zone),
        last=show_amount(last, currency),
        last_invoice=entry.last_invoice,
        previewed=show_amount(previewed, currency),
        billed=gettext("free") if entry.is_free and entry.state == EntryState.DONE else show_amount(billed, currency),
        invoice=entry.invoice,
        is_different=None not in (previewed, billed) and previewed != billed,
        change="–" if change is None or last is None else display_change(change, last, currency),
        kind=str(KIND_WORDS.get(kind, "")),
        is_notable=kind in (Kind.GONE, Kind.CHANGED),
        state=str(entry.state),
        state_text=entry.get_state_display(),
        reason=entry.error or (entry.get_reason_display() if entry.reason else ""),
        retry_at=entry.retry_at,
    )


def show_amount(minor: int | None, currency: str) -> str:
    return "–" if minor is None else display_money(minor, currency)
