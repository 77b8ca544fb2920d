"""Notices: who is told of an alert, how and when, and the log of it.

`announce` is called where an alert is recorded, in the same transaction; everything else happens later, in jobs.
"""

from metering.notices.announcing import announce

__all__ = ["announce"]
