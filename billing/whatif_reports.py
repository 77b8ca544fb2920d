"""What a what-if comes to, for people and files: the sum, the largest changes, and a row for each subscription.

Of the subscriptions only those that change most are kept, so that memory does not grow with their number.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from defusedcsv import csv
from django.utils.translation import gettext_lazy as _

from billing.money import Money
from billing.whatif import Outcome, Skip, Summary

KEPT = 100  # on each side
SKIP_WORDS = {
    Skip.NO_PERIOD: _("no period is over yet"),
    Skip.OTHER_CURRENCY: _("another currency"),
    Skip.OTHER_INTERVAL: _("periods of another length"),
    Skip.PRUNED: _("events that the prices look at were dropped"),
    Skip.TOO_LARGE: _("more than an invoice can hold"),
}
COLUMNS = (
    "account", "name", "plan", "version", "period_start", "period_end", "currency", "current", "proposed", "change",
    "left_out",
)  # fmt: skip


@dataclass(slots=True)
class Report:
    """`rises` and `falls` are the outcomes that change most, the largest change first."""

    summary: Summary = field(default_factory=Summary)
    rises: list[Outcome] = field(default_factory=list)
    falls: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.summary.add(outcome)
        if outcome.change_minor > 0:
            keep_largest(self.rises, outcome)
        elif outcome.change_minor < 0:
            keep_largest(self.falls, outcome)


def keep_largest(outcomes: list[Outcome], new: Outcome) -> None:
    outcomes.append(new)
    outcomes.sort(key=lambda each: -abs(each.change_minor))
    del outcomes[KEPT:]


def state_outcome(outcome: Outcome, currency: str) -> dict[str, Any]:
    """As JSON has it: amounts as text in whole units."""
    return {
        "account": outcome.account_key,
        "name": outcome.account_name,
        "plan": outcome.plan_slug,
        "version": outcome.version_number,
        "left_out": outcome.skip,
        "current": write_amount(outcome.current_minor, currency),
        "proposed": write_amount(outcome.proposed_minor, currency),
        "change": write_amount(outcome.change_minor, currency),
        "periods": [
            {
                "start": period.start.isoformat(),
                "end": period.end.isoformat(),
                "current": write_amount(period.current_minor, currency),
                "proposed": write_amount(period.proposed_minor, currency),
            }
            for period in outcome.periods
        ],
    }


def state_summary(summary: Summary, currency: str) -> dict[str, Any]:
    return {
        "currency": currency,
        "compared": summary.compared,
        "winners": summary.winners,
        "losers": summary.losers,
        "unchanged": summary.unchanged,
        "current": write_amount(summary.current_minor, currency),
        "proposed": write_amount(summary.proposed_minor, currency),
        "change": write_amount(summary.change_minor, currency),
        "left_out": dict(summary.skipped),
    }


def write_amount(minor: int, currency: str) -> str:
    return f"{Money(minor, currency).amount:f}"


class Line:
    """A file of one line: what is written is returned, to be sent at once."""

    def write(self, text: str) -> str:
        return text


def write_rows(outcomes: Iterable[Outcome], currency: str) -> Iterator[str]:
    """CSV, a row for each period; one without a period for what is left out. Safe to open in a spreadsheet."""
    writer = csv.writer(Line())
    yield writer.writerow(COLUMNS)
    for outcome in outcomes:
        names = [outcome.account_key, outcome.account_name, outcome.plan_slug, str(outcome.version_number)]
        if outcome.skip is not None:
            yield writer.writerow([*names, "", "", currency, "", "", "", outcome.skip.value])
        for period in outcome.periods:
            current, proposed = period.current_minor, period.proposed_minor
            amounts = [write_amount(minor, currency) for minor in (current, proposed, proposed - current)]
            bounds = [f"{moment:%Y-%m-%d %H:%M}" for moment in (period.start, period.end)]
            yield writer.writerow([*names, *bounds, currency, *amounts, ""])
