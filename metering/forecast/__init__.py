"""The forecast: when a limit is reached, how sure that is, and what its window comes to.

`maths` is pure; what is here reads what was used, puts forecasts on record and says them in words.
"""

from metering.forecast.band import BandPoint
from metering.forecast.facts import Expectation, ForecastFact
from metering.forecast.records import read_forecasts, read_latest_forecasts, record_forecast
from metering.forecast.running import forecast_moved_limits
from metering.forecast.words import word_forecast, word_made, word_reason

__all__ = [
    "BandPoint",
    "Expectation",
    "ForecastFact",
    "forecast_moved_limits",
    "read_forecasts",
    "read_latest_forecasts",
    "record_forecast",
    "word_forecast",
    "word_made",
    "word_reason",
]
