"""How good alerts and forecasts were, from what became of them. Pure; shares and chances are floats, nothing is money.

A share of nothing is None, never zero: no figure is shown that nothing stands behind.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from math import sqrt
from statistics import quantiles

Z = 1.959964  # 95 % of a normal distribution lies within so many deviations
BINS = 10
ENOUGH_WINDOWS, ENOUGH_REACHED = 20, 5  # graded, and of these come to their limit: fewer advise nothing
THRESHOLDS = tuple(number / 100 for number in range(1, 100))
TARGET_RECALL = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `count`."""

    hits: int
    count: int

    @property
    def value(self) -> float | None:
        return self.hits / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the share lies with 95 %, by E. B. Wilson, "Probable Inference", JASA 22 (1927), 209–212."""
        if not self.count:
            return None
        share, width = self.hits / self.count, Z * Z / self.count
        middle = share + width / 2
        reach = sqrt(width * share * (1 - share) + width * width / 4)
        return max(0.0, (middle - reach) / (1 + width)), min(1.0, (middle + reach) / (1 + width))


@dataclass(frozen=True, slots=True)
class Spread:
    """Quartiles of `count` values."""

    count: int
    low: float
    median: float
    high: float


def spread(values: Collection[float]) -> Spread | None:
    """Quartiles by linear interpolation between the values. None of no values.

    Type 7 of R. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996).
    """
    if not values:
        return None
    low, median, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else [*values] * 3
    return Spread(len(values), low, median, high)


class Verdict(Enum):
    """What a told alert was."""

    EARLY = "early"  # told before the limit was reached: a true positive
    FALSE = "false"  # the limit was not reached: a false positive
    AT_LIMIT = "at_limit"  # told when it was reached already: it warned of nothing, and was not wrong


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that was told and graded: of which window and base, with what lead in days and as a share of it."""

    window: tuple[int, int]  # a limit and the epoch of its quantity
    verdict: Verdict
    lead_days: float | None = None
    lead_share: float | None = None
    is_acted_on: bool = False


@dataclass(frozen=True, slots=True)
class AlertScore:
    """What alerts were worth, over windows of which `reached` came to their limit.

    `precision`: of the alerts that were told before, or in vain, those whose limit was reached; `recall`: of the
    windows that reached their limit those with an alert before; `acted_on`: of all that were told.
    """

    told: int
    early: int
    false: int
    at_limit: int
    precision: Share
    recall: Share
    acted_on: Share
    lead_days: Spread | None
    lead_share: Spread | None

    @property
    def missed(self) -> int:
        return self.recall.count - self.recall.hits


def score_alerts(alerts: Collection[Told], reached: Collection[tuple[int, int]]) -> AlertScore:
    """Precision and recall as in C. J. van Rijsbergen, "Information Retrieval" (1979), chapter 7.

    `reached` are the windows, by limit and epoch, that came to their limit. A window whose limit was raised before it
    came there counts as reached where an alert said so and was right. The lead is that of the first alert of a window.
    """
    verdicts = Counter(alert.verdict for alert in alerts)
    first: dict[tuple[int, int], Told] = {}
    for alert in alerts:
        if alert.verdict is Verdict.EARLY:
            other = first.get(alert.window)
            if other is None or (alert.lead_days or 0) > (other.lead_days or 0):
                first[alert.window] = alert
    early, false = verdicts[Verdict.EARLY], verdicts[Verdict.FALSE]
    return AlertScore(
        told=len(alerts),
        early=early,
        false=false,
        at_limit=verdicts[Verdict.AT_LIMIT],
        precision=Share(early, early + false),
        recall=Share(len(first), len(first.keys() | set(reached))),
        acted_on=Share(sum(alert.is_acted_on for alert in alerts), len(alerts)),
        lead_days=spread([each.lead_days for each in first.values() if each.lead_days is not None]),
        lead_share=spread([each.lead_share for each in first.values() if each.lead_share is not None]),
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """One graded forecast of a limit that was not reached yet. What is None was not told, or cannot be compared."""

    chance: float
    was_reached: bool
    run_rate_says: bool  # that the limit will be reached, if usage goes on at the mean of the window so far
    total_in_range: bool
    date_in_range: bool | None = None
    date_error_days: float | None = None
    date_error_share: float | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts with a chance in [low, high), the last one with high itself: how often the limit was reached."""

    low: float
    high: float
    mean_chance: float | None
    reached: Share


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """`brier`: mean squared error of the chance; `run_rate_brier`: that of run-rate's 0 or 1 at the same moments.

    `coverage` of the 80 % ranges of totals and dates; the error of the date, over the forecasts that told one.
    """

    count: int
    brier: float | None
    run_rate_brier: float | None
    bins: tuple[Bin, ...]
    total_coverage: Share
    date_coverage: Share
    date_error_days: Spread | None
    date_error_share: Spread | None

    @property
    def skill(self) -> float | None:
        """By how much the error is smaller than run-rate's: 1 − Brier / Brier of the reference.

        A. H. Murphy, "Skill Scores Based on the Mean Square Error", Monthly Weather Review 116 (1988), 2417–2424.
        """
        return find_skill(self.brier, self.run_rate_brier)


def find_skill(brier: float | None, reference: float | None) -> float | None:
    """None where there is no reference, or it made no error."""
    return None if brier is None or not reference else 1 - brier / reference


@dataclass(slots=True)
class ForecastSums:
    """Forecasts added up one by one, so that any number of them takes little room."""

    bins: int = BINS
    count: int = 0
    errors: float = 0.0
    run_rate_errors: int = 0
    chances: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    reached: list[int] = field(default_factory=list)
    totals_in_range: int = 0
    dates: int = 0
    dates_in_range: int = 0
    date_errors: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chances, self.counts, self.reached = [0.0] * self.bins, [0] * self.bins, [0] * self.bins

    def add(self, forecast: Expected) -> None:
        """The error of a chance is squared, as in G. W. Brier, Monthly Weather Review 78 (1950), 1–3."""
        self.count += 1
        self.errors += (forecast.chance - forecast.was_reached) ** 2
        self.run_rate_errors += forecast.run_rate_says != forecast.was_reached
        place = find_bin(forecast.chance, self.bins)
        self.chances[place] += forecast.chance
        self.counts[place] += 1
        self.reached[place] += forecast.was_reached
        self.totals_in_range += forecast.total_in_range
        if forecast.date_in_range is not None:
            self.dates += 1
            self.dates_in_range += forecast.date_in_range
        if forecast.date_error_days is not None and forecast.date_error_share is not None:
            self.date_errors.append((forecast.date_error_days, forecast.date_error_share))

    def score(self) -> ForecastScore:
        return ForecastScore(
            count=self.count,
            brier=self.errors / self.count if self.count else None,
            run_rate_brier=self.run_rate_errors / self.count if self.count else None,
            bins=tuple(self.list_bins()),
            total_coverage=Share(self.totals_in_range, self.count),
            date_coverage=Share(self.dates_in_range, self.dates),
            date_error_days=spread([days for days, _ in self.date_errors]),
            date_error_share=spread([share for _, share in self.date_errors]),
        )

    def list_bins(self) -> Iterator[Bin]:
        for place, (chances, count, reached) in enumerate(zip(self.chances, self.counts, self.reached, strict=True)):
            mean = chances / count if count else None
            yield Bin(place / self.bins, (place + 1) / self.bins, mean, Share(reached, count))


def find_bin(chance: float, bins: int) -> int:
    return min(int(chance * bins), bins - 1)


def score_forecasts(forecasts: Iterable[Expected], *, bins: int = BINS) -> ForecastScore:
    sums = ForecastSums(bins)
    for forecast in forecasts:
        sums.add(forecast)
    return sums.score()


# The threshold that would have been best


@dataclass(frozen=True, slots=True)
class Watched:
    """A graded window: its `strength` is the highest threshold that raises an alarm before its limit is reached.

    So many forecasts in a row have passed it as have to agree; None where there were fewer.
    """

    strength: float | None
    was_reached: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What a threshold would have been worth over windows that are over."""

    threshold: float
    precision: Share
    recall: Share


@dataclass(frozen=True, slots=True)
class Advice:
    """Over `windows`, of which `reached` came to their limit. `best` is None where no threshold keeps the target.

    Of either number it takes so many as `enough_windows` and `enough_reached` say.
    """

    windows: int
    reached: int
    target: float
    best: Trial | None = None
    present: Trial | None = None
    enough_windows: int = ENOUGH_WINDOWS
    enough_reached: int = ENOUGH_REACHED

    @property
    def is_enough(self) -> bool:
        """Whether there were windows enough to say anything; else there is neither trial."""
        return self.present is not None


def try_threshold(windows: Collection[Watched], threshold: float) -> Trial:
    spoken = [each for each in windows if each.strength is not None and each.strength >= threshold]
    hits = sum(each.was_reached for each in spoken)
    reached = sum(each.was_reached for each in windows)
    return Trial(threshold, Share(hits, len(spoken)), Share(hits, reached))


def advise_threshold(windows: Collection[Watched], *, present: float, target: float = TARGET_RECALL) -> Advice:
    """Of the thresholds with a recall of `target` or more the most precise, of equals the highest.

    It was found on these windows and holds for them: of others it is an advice. None is given with fewer than
    ENOUGH_WINDOWS, or fewer than ENOUGH_REACHED that reached their limit.
    """
    reached = sum(each.was_reached for each in windows)
    if len(windows) < ENOUGH_WINDOWS or reached < ENOUGH_REACHED:
        return Advice(len(windows), reached, target)
    trials = [try_threshold(windows, threshold) for threshold in THRESHOLDS]
    kept = [trial for trial in trials if (trial.recall.value or 0) >= target]
    best = max(kept, key=lambda trial: (trial.precision.value or 0, trial.threshold), default=None)
    return Advice(len(windows), reached, target, best, try_threshold(windows, present))
