"""One history with all that would have been forecast on the way."""

from dataclasses import dataclass, field

from metering.forecast.maths.candidates import Past, open_past
from metering.forecast.maths.series import Floats, Series
from metering.forecast.maths.tracing import Blend, Trace, blend_horizon, list_excesses, list_reaches, trace_blend


@dataclass(slots=True, eq=False)
class Retrospect:
    """Traces by horizon, each made once. A row of a trace knows nothing of what came after its moment."""

    history: Series
    season: int
    past: Past = field(init=False)
    blends: dict[int, Blend] = field(default_factory=dict)
    traces: dict[int, Trace] = field(default_factory=dict)
    excesses: Floats | None = None

    def __post_init__(self) -> None:
        self.past = open_past(self.history, self.season)

    def blend(self, horizon: int) -> Blend:
        if horizon not in self.blends:
            self.blends[horizon] = blend_horizon(self.past, horizon)
        return self.blends[horizon]

    def trace(self, horizon: int) -> Trace:
        if self.excesses is None:
            self.excesses = list_excesses([self.blend(reach) for reach in list_reaches(self.season)], self.season)
        if horizon not in self.traces:
            self.traces[horizon] = trace_blend(self.blend(horizon), self.excesses, self.season)
        return self.traces[horizon]

    def is_used(self, now: int) -> bool:
        """Whether there was any usage before `now`."""
        return bool(self.past.sums[now] > 0.0)
