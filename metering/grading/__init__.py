"""What alerts and forecasts were worth: graded once when their window has ended, and summed up in a report."""

from metering.grading.answers import state_plainly
from metering.grading.periods import read_day, start_day
from metering.grading.reports import QualityReport, read_report
from metering.grading.tables import draw_table
from metering.grading.windows import grade_windows
from metering.grading.wording import show_count, show_share, show_spread

__all__ = [
    "QualityReport",
    "draw_table",
    "grade_windows",
    "read_day",
    "read_report",
    "show_count",
    "show_share",
    "show_spread",
    "start_day",
    "state_plainly",
]
