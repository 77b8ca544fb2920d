"""Events that waited for their account: counted once its name exists."""

from collections.abc import Iterable
from datetime import datetime
from typing import LiteralString

from metering.catalogue import read_catalogue
from metering.counting import count_tallies
from metering.statements import run_statement, text_array
from metering.stored import seal_rows
from metering.tallies import tally_events

# A corrected event learns its account too, but counts no more.
ADOPT: LiteralString = """
    WITH adopted AS (
        UPDATE metering_event e SET account_id = a.account_id FROM metering_alias a
        WHERE e.account_id IS NULL AND e.subject = a.name AND a.name = ANY(%s::text[])
        RETURNING e.account_id, e.happened_at, e.type, e.data::text, e.source, e.event_id, e.subject
    )
    SELECT account_id, happened_at, type, data, source, event_id, subject, EXISTS (
        SELECT FROM metering_correction c WHERE c.source = a.source AND c.event_id = a.event_id
    ) FROM adopted a
"""


def adopt_events(names: Iterable[str], *, at: datetime) -> int:
    """Count the events that waited for these names; returns how many. The caller holds the aliases for change."""
    rows = run_statement(ADOPT, [text_array(list(names))])
    catalogue = read_catalogue()
    countable = seal_rows((row[:7] for row in rows if not row[7]), catalogue)
    count_tallies(tally_events(countable, catalogue.aggregations), catalogue, at=at)
    return len(rows)
