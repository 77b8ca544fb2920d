"""A forecast in sentences, in the active language and on the clocks of its account.

Expected totals are rounded to three digits, since nobody expects the fourth; limits and what was used are told exactly.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext, pgettext_lazy

from metering.forecast.facts import ForecastFact
from metering.quantities import EXACT, format_expected, format_readable

NBSP = "\N{NO-BREAK SPACE}"
SURE, LIKELY, UNLIKELY = Decimal("0.8"), Decimal("0.5"), Decimal("0.2")
SHORT_WINDOW = timedelta(days=3)  # told by the hour
STALE = timedelta(hours=2)

DAY = pgettext_lazy("date format: day and month, short", "j M")
LONG_DAY = pgettext_lazy("date format: weekday, day and month, short", "D j M")
HOUR = pgettext_lazy("date format: time of the day", "H:i")
DAY_AND_HOUR = pgettext_lazy("date format: weekday, day, month and time, short", "D j M, H:i")


def word_forecast(fact: ForecastFact) -> str:
    """What is expected, in one sentence: `Reaches 100,000 calls on Thu 27 Nov (25–30 Nov), 86 %`."""
    words = word_totals(fact, unit=fact.unit)
    if fact.is_learning and not fact.is_reached:
        days = fact.days_to_learn
        return ngettext("Learning: %(days)s more day", "Learning: %(days)s more days", days) % {"days": days}
    if fact.quantity is None or fact.p_hit is None:
        return _("%(total)s expected by %(end)s (%(range)s)") % words
    words["limit"] = format_readable(fact.quantity, fact.unit)
    if fact.is_reached:
        return _("The limit of %(limit)s is reached: %(total)s expected by %(end)s (%(range)s)") % words
    if fact.p_hit >= LIKELY:
        return word_reach(fact, words)
    words["total"] = format_expected(fact.total_mid, fact.unit if fact.unit == "byte" else "")
    if fact.p_hit < UNLIKELY:
        return _("Stays within the limit: %(total)s of %(limit)s expected by %(end)s (%(range)s)") % words
    words["chance"] = word_chance(1 - fact.p_hit)
    return _("May stay within the limit, %(chance)s: %(total)s of %(limit)s expected by %(end)s (%(range)s)") % words


def word_reach(fact: ForecastFact, words: dict[str, str]) -> str:
    words["chance"] = word_chance(fact.p_hit or Decimal(0))
    if fact.hit_low is None or fact.hit_mid is None or fact.hit_high is None:
        if fact.p_hit is not None and fact.p_hit >= SURE:
            return _("Reaches %(limit)s by %(end)s, %(chance)s") % words
        return _("May reach %(limit)s by %(end)s, %(chance)s") % words
    words["day"], words["days"] = word_moment(fact, fact.hit_mid), word_range(fact, fact.hit_low, fact.hit_high)
    if fact.p_hit is not None and fact.p_hit >= SURE:
        return _("Reaches %(limit)s on %(day)s (%(days)s), %(chance)s") % words
    return _("May reach %(limit)s on %(day)s (%(days)s), %(chance)s") % words


def word_totals(fact: ForecastFact, *, unit: str) -> dict[str, str]:
    bare = unit if unit == "byte" else ""
    low, high = (format_expected(total, bare) for total in (fact.total_low, fact.total_high))
    return {
        "total": format_expected(fact.total_mid, unit),
        "end": word_end(fact),
        "range": low if low == high else f"{low}–{high}",
    }


def word_reason(fact: ForecastFact) -> str:
    """Why, as in `weekday traffic up 34 % since 12 Nov`; empty where the sentence says all there is to say."""
    return find_reason(fact.reason) % read_params(fact.reason_params)


def find_reason(code: str) -> str:
    match code:
        case "batch":
            return _("%(share)s of the usage comes on few days")
        case "intermittent":
            return _("used on %(share)s of the days")
        case "steady":
            return _("steady usage")
        case "step_up":
            return _("usage up %(percent)s since %(since)s")
        case "step_down":
            return _("usage down %(percent)s since %(since)s")
        case "trend_up":
            return _("growing: up %(percent)s since %(since)s")
        case "trend_down":
            return _("falling: down %(percent)s since %(since)s")
        case "weekday_up":
            return _("weekday traffic up %(percent)s since %(since)s")
        case "weekday_down":
            return _("weekday traffic down %(percent)s since %(since)s")
        case "weekend":
            return _("a weekend is ahead, which is %(percent)s quieter")
        case "unused":
            return _("nothing used so far")
    return ""


def read_params(params: Mapping[str, object]) -> dict[str, str]:
    """As a reason's sentence takes them: how much without its sign, a day, a share in percent."""
    words = {}
    if isinstance(percent := params.get("percent"), int):
        words["percent"] = word_percent(abs(percent))
    if isinstance(since := params.get("since"), str):
        words["since"] = show(date.fromisoformat(since), DAY)
    if isinstance(share := params.get("share"), float | int):
        words["share"] = word_percent(round(share * 100))
    return words


def word_made(fact: ForecastFact, *, at: datetime) -> str:
    """Of when a forecast is that is not of this hour or the one before: `as of Mon 24 Nov, 09:00`; else empty."""
    if at - fact.made_at < STALE:
        return ""
    local = fact.made_at.astimezone(ZoneInfo(fact.time_zone))
    return _("as of %(moment)s") % {"moment": show(local, DAY_AND_HOUR)}


def word_chance(chance: Decimal) -> str:
    """`86 %`: whole percent, and never certain before it is."""
    percent = EXACT.multiply(chance, Decimal(100)).quantize(Decimal(1), context=EXACT)
    if percent == 0:
        return _("under %(percent)s") % {"percent": word_percent(1)}
    if percent == 100 and chance < 1:
        return _("over %(percent)s") % {"percent": word_percent(99)}
    return word_percent(int(percent))


def word_percent(percent: int) -> str:
    return f"{number_format(percent)}{NBSP}%"


def word_moment(fact: ForecastFact, moment: datetime) -> str:
    """A day of the account's calendar; with the hour where the window is short."""
    local = moment.astimezone(ZoneInfo(fact.time_zone))
    return show(local, DAY_AND_HOUR if fact.end - fact.start <= SHORT_WINDOW else LONG_DAY)


def word_range(fact: ForecastFact, low: datetime, high: datetime) -> str:
    """`25–30 Nov`, `27 Nov – 2 Dec`, `27 Nov`; of a short window `09:00–14:00`."""
    zone = ZoneInfo(fact.time_zone)
    first, last = low.astimezone(zone), high.astimezone(zone)
    if fact.end - fact.start <= SHORT_WINDOW:
        if first.date() == last.date():
            return f"{show(first, HOUR)}–{show(last, HOUR)}"
        return f"{show(first, DAY_AND_HOUR)} – {show(last, DAY_AND_HOUR)}"
    if first.date() == last.date():
        return show(last, DAY)
    if (first.year, first.month) == (last.year, last.month):
        return pgettext("days of one month", "%(first)s–%(last)s") % {"first": first.day, "last": show(last, DAY)}
    return f"{show(first, DAY)} – {show(last, DAY)}"


def word_end(fact: ForecastFact) -> str:
    """When the window resets."""
    local = fact.end.astimezone(ZoneInfo(fact.time_zone))
    return show(local, DAY_AND_HOUR if fact.end - fact.start <= SHORT_WINDOW else DAY)


def show(moment: date, form: Promise) -> str:
    return date_format(moment, str(form))
