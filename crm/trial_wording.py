"""A trial of rules in words and columns: sets side by side."""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from crm.kinds import KINDS
from crm.trials import RulesReport
from metering.grading import draw_table, show_count, show_share, show_spread
from metering.quantities import format_digits
from metering.trials import SetResult, TrialSet


def tell_report(report: RulesReport, sets: Sequence[TrialSet]) -> Iterator[str]:
    """Everything, line by line."""
    yield _("What was told from %(start)s to %(end)s, UTC.") % {
        "start": f"{report.start:%Y-%m-%d}",
        "end": f"{report.end:%Y-%m-%d}",
    }
    yield from word_left_out(sets)
    yield ""
    yield from draw_table(["", *list_names(report)], list_measures(report))
    yield ""
    yield word_lead_life(report)
    yield from draw_table([_("rep"), _("week of"), *list_names(report)], list_weeks(report), texts=2)
    for result in report.sets:
        yield from list_missed(result)


def word_lead_life(report: RulesReport) -> str:
    return _("A lead is taken to stay open for %(days)s days. By rep and week, alerts / leads:") % {
        "days": f"{report.lead_life.total_seconds() / 86_400:.0f}"
    }


def list_names(report: RulesReport) -> list[str]:
    return [result.name for result in report.sets]


def word_left_out(sets: Sequence[TrialSet]) -> Iterator[str]:
    for each in sets:
        if each.left_out:
            kinds = ", ".join(str(KINDS[kind]) for kind in each.left_out)
            yield _("Of %(set)s is not replayed: %(kinds)s.") % {"set": each.name, "kinds": kinds}


def list_measures(report: RulesReport) -> Iterator[list[str]]:
    """A row for each figure, a column for each set."""
    sets = report.sets
    yield [_("alerts told"), *(show_count(each.told) for each in sets)]
    for rule in sorted({rule for each in sets for rule in each.by_rule}):
        yield [f"  {rule}", *(show_count(each.by_rule.get(rule, 0)) for each in sets)]
    yield [_("leads"), *(show_count(count) for count in report.leads)]
    yield [pgettext("alerts that came true", "right"), *(show_count(each.early) for each in sets)]
    yield [pgettext("alerts that did not come true", "wrong"), *(show_count(each.wrong) for each in sets)]
    yield [_("at the limit"), *(show_count(each.at_limit) for each in sets)]
    yield [_("not known yet"), *(show_count(each.undecided) for each in sets)]
    yield [_("precision"), *(show_share(each.precision) for each in sets)]
    yield [_("limits reached"), *(show_count(each.reached) for each in sets)]
    yield [_("missed"), *(show_count(each.missed_count) for each in sets)]
    yield [_("recall"), *(show_share(each.recall) for each in sets)]
    yield [_("lead in days"), *(show_spread(each.lead_days) for each in sets)]


def list_weeks(report: RulesReport) -> Iterator[list[str]]:
    for week, counts in report.weeks.items():
        shown = (f"{show_count(alerts)} / {show_count(leads)}" for alerts, leads in counts)
        yield [_("queue") if week.rep is None else week.rep, f"{week.monday:%Y-%m-%d}", *shown]


def list_missed(result: SetResult) -> Iterator[str]:
    """The first of the limits that were reached with nothing told before."""
    if not result.missed_count:
        return
    yield ""
    yield word_missed(result)
    yield from draw_table(list_missed_columns(), list_missed_rows(result), texts=3)
    rest = result.missed_count - len(result.missed)
    if rest:
        yield _("… and %(count)s more.") % {"count": show_count(rest)}


def word_missed(result: SetResult) -> str:
    return ngettext(
        "%(set)s would have missed %(count)s limit:",
        "%(set)s would have missed %(count)s limits, of which these are the first:",
        result.missed_count,
    ) % {"set": result.name, "count": show_count(result.missed_count)}


def list_missed_columns() -> list[str]:
    return [_("account"), _("meter"), _("window from"), _("limit"), _("reached")]


def list_missed_rows(result: SetResult) -> Iterator[list[str]]:
    for each in result.missed:
        yield [
            each.account.name or each.account.key, each.meter_key, f"{each.start:%Y-%m-%d}",
            format_digits(each.quantity), f"{each.reached_at:%Y-%m-%d %H:%M}",
        ]  # fmt: skip
