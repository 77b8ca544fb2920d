import logging

import pytest

from palier_client.problems import LOG_EVERY, Problem, Reporter

DROPPED = Problem("dropped", "there is no room for more")


def test_rejections_and_the_rest_are_told_apart():
    rejected: list[Problem] = []
    other: list[Problem] = []
    reporter = Reporter(on_rejected=rejected.append, on_error=other.append)
    kinds = ["rejected", "conflict", "refused", "invalid", "dropped", "delayed", "corrupt", "callback", "internal"]
    for kind in kinds:
        reporter.report(Problem(kind, "so"))
    assert [each.kind for each in rejected] == kinds[:3]
    assert [each.kind for each in other] == kinds[3:]


def test_a_callable_that_raises_stops_nobody():
    def fail(problem: Problem) -> None:
        raise RuntimeError("of the host")

    Reporter(on_rejected=fail, on_error=fail).report(DROPPED)


def test_the_log_has_a_line_a_minute_for_each_kind(caplog: pytest.LogCaptureFixture):
    reporter = Reporter(on_rejected=None, on_error=None)
    with caplog.at_level(logging.WARNING, "palier_client"):
        reporter.log(DROPPED, now=1000)
        reporter.log(Problem("rejected", "too_old", id="7"), now=1001)
        reporter.log(DROPPED, now=1002)
        reporter.log(Problem("dropped", "closed", count=4), now=1003)
        reporter.log(DROPPED, now=1000 + LOG_EVERY)
    assert caplog.messages == [
        "dropped: there is no room for more",
        "rejected: 7: too_old",
        "dropped: there is no room for more (and 5 more since the last line of this kind)",
    ]
