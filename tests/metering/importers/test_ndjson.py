from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from metering.importers import Ndjson
from metering.ingest import ingest_events
from tests.metering.importers.samples import DATA, NOW, import_file, read_rejected, read_sums
from tests.metering.makers import make_account, make_event, make_meter

pytestmark = pytest.mark.django_db


def test_an_event_that_came_by_the_api_is_a_duplicate_in_a_file() -> None:
    make_account("acme")
    make_meter("minutes", event_type="call", value_property="minutes")
    time = datetime(2026, 11, 1, 9, tzinfo=UTC)
    event = make_event("a-1", source="/edge/1", type="call", time=time, minutes=Decimal("2.5"))
    ingest_events([event], at=NOW)
    report = import_file(DATA / "events.ndjson", Ndjson())
    assert (report.accepted, report.duplicates) == (1, 1)
    assert read_sums() == {"minutes": Decimal("3.5")}
    [(number, reason)] = read_rejected()
    assert number == 3
    assert "missing required field `subject`" in reason


def test_unknown_types_can_be_refused_line_by_line(tmp_path: Path) -> None:
    make_meter("minutes", event_type="call", value_property="minutes")
    path = tmp_path / "events.ndjson"
    path.write_bytes(
        (DATA / "events.ndjson").read_bytes().replace(b'"call", "subject": "globex"', b'"x", "subject": "g"')
    )
    report = import_file(path, Ndjson(), create_meters=False, reject_unknown_types=True)
    assert (report.accepted, report.rejected) == (1, 2)
