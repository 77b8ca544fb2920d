"""What alerts and forecasts were worth: graded once when their window has ended, and summed up in a report."""

from metering.grading.windows import grade_windows

__all__ = ["grade_windows"]
