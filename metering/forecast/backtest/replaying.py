"""Let the past happen again: all series side by side in the order of the calendar, and nobody sees further than that.

At each moment what ended by then is learnt first, of every series; then each open window is forecast. So a forecast
knows its own series up to its moment, and of other series the errors of stretches that had ended by the same moment
of the calendar.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import thread_time

from metering.forecast.backtest.files import NamedSeries
from metering.forecast.backtest.rules import ACTUAL_SHARE, THRESHOLDS, Watch
from metering.forecast.backtest.settings import Settings
from metering.forecast.backtest.windows import Entrant, Window
from metering.forecast.maths import Calibration, Outlook, Series, forecast_usage
from metering.forecast.maths.outlook import HIGH, LOW, MID, look_ahead_from
from metering.forecast.maths.retrospect import Retrospect


@dataclass(frozen=True, slots=True)
class MiddleView:
    """What was said at mid-period of one limit: `chance` by each rule; the total at close with its 80 % range."""

    chance: dict[str, float]
    low: float
    mid: float
    high: float


@dataclass(slots=True)
class Outcome:
    """One window, what each rule did in it, and how it looked at mid-period."""

    series: str
    watch: Watch
    middle: MiddleView | None = None

    @property
    def window(self) -> Window:
        return self.watch.window


@dataclass(slots=True)
class Replay:
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of whole forecasts, one for each start of a window


@dataclass(slots=True)
class Player:
    """One series on its way through time."""

    named: NamedSeries
    season: int
    retrospect: Retrospect
    by_start: dict[int, list[Outcome]]
    learnt: int = 0

    @property
    def series(self) -> Series:
        return self.named.series

    def learn(self, now: int, calibration: Calibration) -> None:
        """Once a season."""
        if now - self.learnt >= self.season:
            calibration.learn_between(self.retrospect, since=self.learnt, now=now)
            self.learnt = now


def replay(entrants: Sequence[Entrant], settings: Settings) -> Replay:
    """Run every rule in every window. The order of the entrants does not matter."""
    result = Replay()
    calibration = Calibration()
    players = [take_part(each, settings, result) for each in sorted(entrants, key=lambda each: each.named.name)]
    for _, present in walk_calendar(players):
        for player, now in present:
            player.learn(now, calibration)
        for player, now in present:
            run_moment(player, now, calibration, settings, result)
    return result


def take_part(entrant: Entrant, settings: Settings, result: Replay) -> Player:
    named, by_start = entrant.named, dict[int, list[Outcome]]()
    for window in entrant.windows:
        outcome = Outcome(named.name, Watch(window))
        by_start.setdefault(window.start, []).append(outcome)
        result.outcomes.append(outcome)
    return Player(named, settings.season, Retrospect(named.series, settings.season), by_start)


def walk_calendar(players: Sequence[Player]) -> Iterator[tuple[datetime, list[tuple[Player, int]]]]:
    """Each moment at which a bucket of some series ends, with the series that have one, in order."""
    moments: dict[datetime, list[tuple[Player, int]]] = {}
    for player in players:
        for index in range(1, len(player.series.values) + 1):
            moments.setdefault(player.series.at(index), []).append((player, index))
    for moment in sorted(moments):
        yield moment, moments[moment]


def run_moment(player: Player, now: int, calibration: Calibration, settings: Settings, result: Replay) -> None:
    """Forecast the rest of every window that is open now; those of one start share what the rest may bring."""
    starts = range(max(settings.history, now - settings.period + 1), now + 1)
    for start in (each for each in starts if each in player.by_start):
        outcomes = player.by_start[start]
        elapsed = now - start
        if elapsed != settings.middle and all(elapsed >= each.window.watched for each in outcomes):
            continue
        remaining = settings.period - elapsed
        outlook = look_ahead_from(player.retrospect, now, remaining=remaining, calibration=calibration)
        for outcome in outcomes:
            run_window(outcome, elapsed, outlook, settings.middle)
        if elapsed == settings.middle:
            known = player.series.until(now)
            result.seconds.append(time_forecast(known, outcomes[0].window, elapsed, calibration, settings))


def run_window(outcome: Outcome, elapsed: int, outlook: Outlook, middle: int) -> None:
    window = outcome.window
    used = float(window.used[elapsed])
    need = 0.0 if reached(window, elapsed) else window.limit - used
    chance = outlook.probability(need)
    if elapsed < window.watched:
        outcome.watch.run_plain_rules(elapsed)
        outcome.watch.run_forecast_rules(elapsed, chance, lambda: elapsed + expect_hit(outlook, need))
    if elapsed == middle:
        period = len(window.used) - 1
        outcome.middle = MiddleView(
            chance={
                "actual_80": float(used >= ACTUAL_SHARE * window.limit),
                "run_rate": float(used / elapsed * period >= window.limit),
                **dict.fromkeys(THRESHOLDS, chance),
            },
            low=used + max(0.0, outlook.close.quantile(LOW)),
            mid=used + max(0.0, outlook.close.quantile(MID)),
            high=used + max(0.0, outlook.close.quantile(HIGH)),
        )


def reached(window: Window, elapsed: int) -> bool:
    return window.hit is not None and window.hit <= elapsed


def expect_hit(outlook: Outlook, need: float) -> float:
    """Buckets from now; a rule speaks of a limit that is likely to be reached, which has a date."""
    dates = outlook.reach(need)
    return float(dates[1] if dates else outlook.remaining)


def time_forecast(known: Series, window: Window, elapsed: int, calibration: Calibration, settings: Settings) -> float:
    """Seconds of processor time that one whole forecast takes, with its dates and its reason."""
    began = thread_time()
    forecast_usage(
        known,
        used=float(window.used[elapsed]),
        limit=window.limit,
        remaining=settings.period - elapsed,
        season=settings.season,
        calibration=calibration,
        elapsed=elapsed,
    )
    return thread_time() - began
