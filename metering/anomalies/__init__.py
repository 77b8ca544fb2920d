"""Usage that is unlike the same weekday and hour before. The door of this room."""

from metering.anomalies.deviations import Deviation
from metering.anomalies.finding import Anomaly, Pair, Terms, find_anomalies, find_pairs, find_terms
from metering.anomalies.places import find_week

__all__ = ["Anomaly", "Deviation", "Pair", "Terms", "find_anomalies", "find_pairs", "find_terms", "find_week"]
