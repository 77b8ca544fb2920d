"""What an alert says, in whole sentences of one language: the ONE source of them.

Mail, webhook, the portal's banner and the lead page all show what `word_alert` returns, so that they state the same
percentage, limit and reset date. The figures are those that the alert saw; sentences say when.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from metering.alerts.facts import AlertFact
from metering.calendars import find_time_zone
from metering.limits import find_percent
from metering.models import AlertCause, AlertKind, LevelUnit, Recovery
from metering.notices.amounts import say_amount
from metering.quantities import format_exact, format_readable

NO_BREAK = "\N{NO-BREAK SPACE}"
MOST_PERCENT = Decimal(1000)  # beyond it the number says nothing more
MONEY_KINDS = (AlertKind.SPEND, AlertKind.BUDGET, AlertKind.CREDIT, AlertKind.COMMITMENT)


@dataclass(frozen=True, slots=True)
class AlertWords:
    """Texts in one language. `percent` and `limit` are empty where there is no base, `resets_on` where nothing resets,
    `advice` where nothing can be done.
    """

    title: str
    sentence: str
    percent: str
    limit: str
    used: str
    resets_on: str
    advice: str
    notes: tuple[str, ...]
    severity: str

    @property
    def paragraphs(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.sentence, *self.notes, self.advice)))


def word_alert(fact: AlertFact, *, language: str | None = None, can_upgrade: bool | None = None) -> AlertWords:
    """Say it in this language (default: the active one), with times by the account's clock.

    `can_upgrade` says whether a larger plan is there to be moved to: the advice is to do so, or to talk to the vendor;
    without a word about it there is no advice.
    """
    with translation.override(language or translation.get_language() or "en"):
        figures = say_figures(fact)
        title, sentence = TELLERS[AlertKind(fact.kind)](fact, figures)
        return AlertWords(
            title=title,
            sentence=sentence,
            percent=figures["percent"],
            limit=figures["limit"],
            used=figures["used"],
            resets_on=figures["resets_on"],
            advice=give_advice(fact, can_upgrade=can_upgrade),
            notes=tuple(list_notes(fact)),
            severity=fact.severity,
        )


def say_figures(fact: AlertFact) -> dict[str, str]:
    """Every figure that a sentence may need, as text."""
    base, used = fact.quantity, fact.used
    if fact.kind == AlertKind.ANOMALY:
        base, used = None, read_number(fact, "actual") or Decimal(0)
    return {
        "what": name_subject(fact),
        "percent": say_percent(find_percent(used, base)) if base is not None else "",
        "limit": say_quantity(fact, base) if base is not None else "",
        "used": say_quantity(fact, used),
        "level": say_level(fact),
        "resets_on": "" if fact.kind == AlertKind.ANOMALY else say_moment(fact.end, fact),
        "since": say_moment(fact.start, fact),
        "seen": say_moment(fact.detected_at, fact),
        "chance": say_percent((fact.p_hit * 100).quantize(Decimal(1))) if fact.p_hit is not None else "",
    }


def name_subject(fact: AlertFact) -> str:
    if fact.meter_name:
        return fact.meter_name
    named = fact.details.get("name")
    return str(named) if named else fact.subject


def say_percent(percent: Decimal) -> str:
    """Two decimals, rounded down before, so that no level is read before it is reached; whole where it is whole.

    Never more than 1,000 %.
    """
    return f"{format_exact(min(percent, MOST_PERCENT))}{NO_BREAK}%"


def say_quantity(fact: AlertFact, quantity: Decimal) -> str:
    if fact.kind in MONEY_KINDS:
        return say_amount(quantity, find_currency(fact))
    return format_readable(quantity, fact.unit).rstrip()


def say_level(fact: AlertFact) -> str:
    return say_percent(fact.level) if fact.level_unit == LevelUnit.PERCENT else say_quantity(fact, fact.level)


def find_currency(fact: AlertFact) -> str:
    """An observation of money says its currency in the details; where that is all there is to say, as the subject."""
    return str(fact.details.get("currency") or fact.subject[:3])


def say_moment(moment: datetime, fact: AlertFact) -> str:
    """`1 December 2026, 00:00`, by the account's clock."""
    return date_format(moment.astimezone(find_time_zone(fact.time_zone)), "j F Y, H:i")


def say_day(moment: datetime, fact: AlertFact) -> str:
    """`Thu 27 Nov`."""
    local = moment.astimezone(find_time_zone(fact.time_zone))
    return date_format(local, pgettext("date format: weekday, day and month, short", "D j M"))


def say_days(first: datetime, last: datetime, fact: AlertFact) -> str:
    """`25–30 Nov`, `28 Nov – 2 Dec`, or one day."""
    zone = find_time_zone(fact.time_zone)
    first, last = first.astimezone(zone), last.astimezone(zone)
    day_and_month = pgettext("date format: day and month, short", "j M")
    end = date_format(last, day_and_month)
    if first.date() == last.date():
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    return f"{date_format(first, day_and_month)} – {end}"


def tell_usage(fact: AlertFact, figures: dict[str, str]) -> tuple[str, str]:
    if fact.level_unit == LevelUnit.ABSOLUTE:
        title = _("%(what)s: %(level)s reached") % figures
        if not figures["limit"]:
            return title, _("%(used)s used as of %(seen)s. The count starts anew on %(resets_on)s.") % figures
    else:
        title = _("%(what)s: %(level)s of the limit reached") % figures
    told = _("%(used)s used of a limit of %(limit)s, %(percent)s, as of %(seen)s. It resets on %(resets_on)s.")
    return title, told % figures


def tell_forecast(fact: AlertFact, figures: dict[str, str]) -> tuple[str, str]:
    low, middle, high = (read_moment(fact, name) for name in ("hit_low", "hit_mid", "hit_high"))
    so_far = _("So far %(used)s, %(percent)s. It resets on %(resets_on)s.") % figures
    if middle is None:
        title = _("%(what)s is likely to reach its limit") % figures
        return title, _("Likely to reach %(limit)s before it resets, %(chance)s.") % figures + " " + so_far
    figures = figures | {"day": say_day(middle, fact)}
    title = _("%(what)s is likely to reach its limit on %(day)s") % figures
    if low is None or high is None:
        return title, _("Likely to reach %(limit)s on %(day)s, %(chance)s.") % figures + " " + so_far
    figures |= {"days": say_days(low, high, fact)}
    likely = _("Likely to reach %(limit)s on %(day)s (%(days)s), %(chance)s.") % figures
    return title, likely + " " + so_far


def tell_spend(fact: AlertFact, figures: dict[str, str]) -> tuple[str, str]:
    title = _("Spend: %(level)s reached") % figures
    if figures["limit"]:
        told = _("%(used)s spent of %(limit)s, %(percent)s, as of %(seen)s. The period ends on %(resets_on)s.")
    else:
        told = _("%(used)s spent since %(since)s, as of %(seen)s. The period ends on %(resets_on)s.")
    return title, told % figures


def tell_budget(fact: AlertFact, figures: dict[str, str]) -> tuple[str, str]:
    """Of everything, or of one meter."""
    title = _("Your budget of %(what)s: %(level)s reached") if fact.meter_name else _("Your budget: %(level)s reached")
    if figures["limit"]:
        told = _(
            "%(used)s spent of a budget of %(limit)s, %(percent)s, as of %(seen)s. It starts anew on %(resets_on)s."
        )
    else:
        told = _("%(used)s spent since %(since)s, as of %(seen)s. It starts anew on %(resets_on)s.")
    return title % figures, told % figures


def tell_credit(fact: AlertFact, figures: dict[str, str]) -> tuple[str, str]:
    if not figures["limit"]:
        title = _("Credit: down to %(level)s") % figures
        return title, _("%(used)s left as of %(seen)s. The period ends on %(resets_on)s.") % figures
    title = _("Credit: down to %(level)s of it") % figures
    told = _("%(used)s left of %(limit)s of credit, %(percent)s, as of %(seen)s. The period ends on %(resets_on)s.")
    return title, told % figures


def tell_commitment(fact: AlertFact, figures: dict[str, str]) -> tuple[str, str]:
    """The base is what would have been used by now at the pace of the commitment: a low share is slow."""
    title = _("Commitment: %(level)s of its pace") % figures
    if not figures["limit"]:
        return title, _("%(used)s used as of %(seen)s. The period ends on %(resets_on)s.") % figures
    told = _(
        "%(used)s used, where %(limit)s by %(seen)s would keep the pace: %(percent)s. The period ends on %(resets_on)s."
    )
    return title, told % figures


def tell_anomaly(fact: AlertFact, figures: dict[str, str]) -> tuple[str, str]:
    """The value of an anomaly is how many deviations it is off; what was used and what was usual is in its details."""
    seen, usual = read_number(fact, "actual"), read_number(fact, "expected")
    start, end = read_moment(fact, "from") or fact.crossed_at, read_moment(fact, "until") or fact.detected_at
    figures = figures | {"from": say_moment(start, fact), "until": say_moment(end, fact)}
    if seen is None or usual is None:
        told = _("Unlike the same weekday and hour before, from %(from)s to %(until)s.")
        return _("%(what)s: unusual usage") % figures, told % figures
    figures |= {"usual": say_quantity(fact, usual)}
    title = (_("%(what)s: a drop in usage") if seen < usual else _("%(what)s: a spike in usage")) % figures
    told = _("%(used)s from %(from)s to %(until)s, where about %(usual)s is usual at this weekday and hour.") % figures
    return title, " ".join(filter(None, (told, say_cost(fact))))


def say_cost(fact: AlertFact) -> str:
    """What the difference to usual usage costs, where that could be said."""
    cost = read_number(fact, "cost")
    if not cost:
        return ""
    values = {"cost": say_amount(abs(cost), find_currency(fact))}
    if cost < 0:
        return _("That costs about %(cost)s less than usual.") % values
    return _("That costs about %(cost)s more than usual.") % values


TELLERS = {
    AlertKind.USAGE: tell_usage,
    AlertKind.FORECAST: tell_forecast,
    AlertKind.SPEND: tell_spend,
    AlertKind.BUDGET: tell_budget,
    AlertKind.CREDIT: tell_credit,
    AlertKind.COMMITMENT: tell_commitment,
    AlertKind.ANOMALY: tell_anomaly,
}


def list_notes(fact: AlertFact) -> list[str]:
    """What the reader must know to believe it."""
    times = {"found": say_moment(fact.detected_at, fact), "reached": say_moment(fact.crossed_at, fact)}
    if fact.cause == AlertCause.CATCH_UP:
        return [_("Found at %(found)s after an outage; reached %(reached)s.") % times]
    if fact.cause == AlertCause.LIMIT_IS_NEW:
        return [_("The usage was there before this limit was.")]
    if fact.cause == AlertCause.LIMIT_CHANGED:
        return [_("The limit was changed; the usage did not jump.")]
    return []


def give_advice(fact: AlertFact, *, can_upgrade: bool | None) -> str:
    """Of what runs into a limit. A budget is the customer's own, a drop is nothing to buy against."""
    if can_upgrade is None or fact.kind not in (AlertKind.USAGE, AlertKind.FORECAST):
        return ""
    if can_upgrade:
        return _("A larger plan gives more room.")
    return _("You are on our largest plan: talk to us about more room.")


def read_moment(fact: AlertFact, name: str) -> datetime | None:
    """A time that the details hold as ISO 8601 text."""
    text = fact.details.get(name)
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def read_number(fact: AlertFact, name: str) -> Decimal | None:
    """A quantity that the details of an anomaly hold as text."""
    text = fact.details.get(name)
    return Decimal(text) if isinstance(text, str) and text else None


def say_recovery(fact: AlertFact) -> str:
    """Why an alert is over, in the active language; empty while it is not."""
    match fact.recovery:
        case Recovery.FELL:
            return _("It was left again.")
        case Recovery.LIMIT_CHANGED:
            return _("The limit was changed: it is not reached any more.")
        case Recovery.FORECAST_FELL:
            return _("It is no longer expected.")
        case Recovery.WINDOW_ENDED:
            return _("Its period has ended.")
    return ""
