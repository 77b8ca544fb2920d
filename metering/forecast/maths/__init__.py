"""The forecast's maths: numpy and nothing else, no database, no clock. Method and sources are in `docs/forecast.md`."""

from metering.forecast.maths.calibration import Calibration, calibrate
from metering.forecast.maths.cohorts import CohortProfile, forecast_by_cohort
from metering.forecast.maths.forecasting import Forecast, forecast_usage
from metering.forecast.maths.outlook import Outlook, look_ahead
from metering.forecast.maths.reasons import Reason
from metering.forecast.maths.series import Series

__all__ = [
    "Calibration",
    "CohortProfile",
    "Forecast",
    "Outlook",
    "Reason",
    "Series",
    "calibrate",
    "forecast_by_cohort",
    "forecast_usage",
    "look_ahead",
]
