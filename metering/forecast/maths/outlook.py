"""The outlook: what the rest of a period may still bring, before any limit is compared with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metering.forecast.maths.calibration import EDGES, Calibration, Lessons, count_errors, read_beyond
from metering.forecast.maths.candidates import SEASONS, Past
from metering.forecast.maths.gauges import trace_level
from metering.forecast.maths.retrospect import Retrospect
from metering.forecast.maths.series import Floats, Series
from metering.forecast.maths.tracing import MEMORY, Trace, list_reaches

REMEMBERED = MEMORY + max(SEASONS)  # seasons of a history beyond which nothing is looked at
OWN = 3.0  # an error of the series itself counts as so many of another's
LOW, MID, HIGH = 0.1, 0.5, 0.9
UNLIKELY = 0.05  # below it no date is told
NOTHING = np.where(EDGES < 0.0, 1.0, 0.0)  # of errors, where nothing is expected


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution: `middle` + error × `scale`; `beyond[i]`: the chance that the error is above `sinh(EDGES[i])`."""

    middle: float
    scale: float
    beyond: Floats

    def above(self, amount: float) -> float:
        """The chance of at least `amount`."""
        if self.scale <= 0.0:
            return 1.0 if self.middle >= amount else 0.0
        return float(np.interp(np.arcsinh((amount - self.middle) / self.scale), EDGES, self.beyond))

    def quantile(self, share: float) -> float:
        """The amount that is not exceeded with this chance."""
        if self.scale <= 0.0:
            return self.middle
        error = np.sinh(np.interp(1.0 - share, self.beyond[::-1], EDGES[::-1]))
        return float(self.middle + error * self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """The way to the end: middle and scale after each number of buckets, from one to all that remain."""

    middles: Floats
    scales: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What the next `remaining` buckets may bring on top of what there is now.

    `most` is the highest that it comes to on the way, `close` where it stands at the end: of a flow, which only grows,
    they are one. `follow` finds the path to `most`; it costs more than all the rest, so that one asks for it last.
    """

    remaining: int
    most: Spread
    close: Spread
    follow: Callable[[], Path]

    def probability(self, need: float) -> float:
        """That the rest brings at least `need`."""
        return 1.0 if need <= 0.0 else self.most.above(need)

    def reach(self, need: float) -> tuple[int, int, int] | None:
        """After how many buckets `need` is reached, given that it is: 10, 50 and 90 %. None where it is unlikely."""
        whole = self.probability(need)
        if need <= 0.0:
            return 0, 0, 0
        if whole < UNLIKELY:
            return None
        path = self.follow()
        errors = (need - path.middles) / np.maximum(path.scales, 1e-300)
        chances = np.maximum.accumulate(np.interp(np.arcsinh(errors), EDGES, self.most.beyond))
        chances = np.minimum(chances, whole)
        chances[-1] = whole
        low, mid, high = (int(np.argmax(chances >= whole * share * (1 - 1e-12))) + 1 for share in (LOW, MID, HIGH))
        return low, mid, high


def look_ahead(history: Series, *, remaining: int, season: int, calibration: Calibration | None) -> Outlook:
    """Of what flows, from the history alone. A history without usage foresees none."""
    reach = REMEMBERED * season + remaining
    retrospect = Retrospect(history.since(max(0, len(history.values) - reach)), season)
    now = retrospect.past.length
    return look_ahead_from(retrospect, now, remaining=remaining, calibration=calibration)


def look_ahead_from(retrospect: Retrospect, now: int, *, remaining: int, calibration: Calibration | None) -> Outlook:
    """At one moment of a history, as if nothing were known of what came after it."""
    season = retrospect.season
    if remaining == 0 or now < season or not retrospect.is_used(now):
        return foresee_nothing(remaining)
    taught = calibration or Calibration()

    def forecast_horizon(horizon: int) -> Spread:
        return spread_at(retrospect.trace(horizon), now, taught.nearest(horizon, season))

    spread = forecast_horizon(remaining)

    def follow() -> Path:
        usual = follow_profile(retrospect.past, now, remaining)
        horizons = {*list_reaches(season), max(1, remaining // 2)}
        known = [(horizon, forecast_horizon(horizon)) for horizon in sorted(horizons) if horizon < remaining]
        return bend(usual, [*known, (remaining, spread)])

    return Outlook(remaining, spread, spread, follow)


def spread_at(trace: Trace, now: int, lessons: Lessons) -> Spread:
    """Others' errors, the series' own, and the shape that one begins with; each in what the series usually errs by."""
    own, factor = trace.own_errors(lessons.slopes, now)
    scale = float(trace.scale[now])
    middle = max(trace.lowest, float(trace.blend[now]) + float(lessons.slopes @ trace.excess[:, now]) * scale)
    errors = lessons.errors + OWN / trace.horizon * count_errors(own / factor)
    return Spread(middle, factor * scale, read_beyond(errors))


def look_at_level(history: Series, *, remaining: int, season: int) -> Outlook:
    """Of a gauge, which is judged by its own errors alone: how levels move is told by no other series."""
    values = np.ascontiguousarray(history.values[-REMEMBERED * season - remaining :], dtype=np.float64)
    if remaining == 0 or len(values) < 2 or not np.abs(values).max() > 0.0:
        return foresee_nothing(remaining)
    nothing = Lessons()

    def forecast_horizon(horizon: int) -> tuple[Spread, Spread]:
        highest, last = trace_level(values, horizon, season)
        return spread_at(highest, len(values), nothing), spread_at(last, len(values), nothing)

    most, close = forecast_horizon(remaining)

    def follow() -> Path:
        horizons = sorted({max(1, remaining // 4), max(1, remaining // 2)} - {remaining})
        known = [(horizon, forecast_horizon(horizon)[0]) for horizon in horizons]
        return bend(np.zeros(remaining), [*known, (remaining, most)])

    return Outlook(remaining, most, close, follow)


def bend(usual: Floats, known: Sequence[tuple[int, Spread]]) -> Path:
    """Bring the usual path to what is forecast for some horizons; in between the difference is a straight line."""
    steps = np.arange(1, len(usual) + 1)
    knots = [0, *(horizon for horizon, _ in known)]
    moved = [0.0, *(spread.middle - usual[horizon - 1] for horizon, spread in known)]
    middles = np.maximum.accumulate(np.maximum(usual + np.interp(steps, knots, moved), 0.0))
    return Path(middles, np.interp(steps, knots, [0.0, *(spread.scale for _, spread in known)]))


def foresee_nothing(remaining: int) -> Outlook:
    nothing = Spread(0.0, 0.0, NOTHING)
    return Outlook(remaining, nothing, nothing, lambda: Path(np.zeros(remaining), np.zeros(remaining)))


def follow_profile(past: Past, now: int, remaining: int) -> Floats:
    """Running totals of the next buckets if each is the mean of the last (up to seven) at its place in the season."""
    count = min(7, now // past.season)
    profile = past.values[now - count * past.season : now].reshape(count, past.season).mean(axis=0)
    return np.cumsum(np.resize(profile, remaining))
