"""What a rule was worth. Every figure is over windows; a share of nothing is None."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from metering.forecast.backtest.replaying import MiddleView, Outcome
from metering.forecast.backtest.rules import RULES, THRESHOLDS, Firing


@dataclass(frozen=True, slots=True)
class Score:
    """One rule.

    `windows`: how many there were; `hits`: in how many the limit was reached; `fired`: in how many the rule spoke
    before that. `precision`: the share of windows where it spoke that hit; `recall`: the share of hits where it spoke
    before. Over those that did both: `median_lead`, from speaking to the hit, and `date_error`, the mean distance
    between the date told and the hit, both as shares of the period. `brier`: mean squared error of the chance at
    mid-period, 0 or 1 for a rule that knows no chance. `coverage` and `width`: how often the total at close lay in the
    80 % range told at mid-period, and the median width of that range as a share of the total it expects; one for each
    start of a window, since the range knows no limit. `ms_per_forecast`: mean of whole forecasts.
    """

    windows: int
    hits: int
    fired: int
    precision: float | None
    recall: float | None
    median_lead: float | None
    date_error: float | None
    brier: float | None
    coverage: float | None
    width: float | None
    ms_per_forecast: float | None


def score_rules(outcomes: Sequence[Outcome], *, seconds: Sequence[float] = ()) -> dict[str, Score]:
    """Each rule over these windows. `seconds` are of whole forecasts."""
    return {rule: score_rule(rule, outcomes, seconds) for rule in RULES}


def score_rule(rule: str, outcomes: Sequence[Outcome], seconds: Sequence[float]) -> Score:
    hits = [each for each in outcomes if each.window.hit is not None]
    fired = [each for each in outcomes if rule in each.watch.firings]
    both = [each for each in fired if each.window.hit is not None]
    forecasts = rule in THRESHOLDS
    ranges = list({(each.series, each.window.start): each for each in outcomes}.values()) if forecasts else []
    return Score(
        windows=len(outcomes),
        hits=len(hits),
        fired=len(fired),
        precision=share(len(both), len(fired)),
        recall=share(len(both), len(hits)),
        median_lead=mean_of(both, lambda each: lead(each, rule), median),
        date_error=mean_of(both, lambda each: date_error(each, rule), fmean),
        brier=mean_of(outcomes, lambda each: brier(each, rule), fmean),
        coverage=mean_of(ranges, is_covered, fmean),
        width=mean_of([each for each in ranges if middle(each).mid > 0], width, median),
        ms_per_forecast=1000 * fmean(seconds) if seconds and forecasts else None,
    )


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def mean_of(
    outcomes: Sequence[Outcome], read: Callable[[Outcome], float], average: Callable[[Sequence[float]], float]
) -> float | None:
    return average([read(each) for each in outcomes]) if outcomes else None


def hit_and_firing(outcome: Outcome, rule: str) -> tuple[int, Firing, int]:
    hit = outcome.window.hit
    if hit is None:
        raise ValueError("only a window that hit has a lead and a date")
    return hit, outcome.watch.firings[rule], len(outcome.window.used) - 1


def lead(outcome: Outcome, rule: str) -> float:
    hit, firing, period = hit_and_firing(outcome, rule)
    return (hit - firing.at) / period


def date_error(outcome: Outcome, rule: str) -> float:
    hit, firing, period = hit_and_firing(outcome, rule)
    return abs(firing.expects - hit) / period


def middle(outcome: Outcome) -> MiddleView:
    if outcome.middle is None:
        raise ValueError("every window of a replay passes its middle")
    return outcome.middle


def brier(outcome: Outcome, rule: str) -> float:
    return (middle(outcome).chance[rule] - (outcome.window.hit is not None)) ** 2


def is_covered(outcome: Outcome) -> float:
    view = middle(outcome)
    return float(view.low <= float(outcome.window.used[-1]) <= view.high)


def width(outcome: Outcome) -> float:
    view = middle(outcome)
    return (view.high - view.low) / view.mid
