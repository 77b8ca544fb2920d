"""The forecast: when a limit is reached, how sure that is, and what its window comes to.

`maths` is pure; what is here reads what was used, puts forecasts on record and says them in words.
"""

from metering.forecast.band import BandPoint
from metering.forecast.facts import Expectation, ForecastFact
from metering.forecast.records import read_forecasts, read_latest_forecasts, record_forecast

__all__ = [
    "BandPoint",
    "Expectation",
    "ForecastFact",
    "read_forecasts",
    "read_latest_forecasts",
    "record_forecast",
]
