import csv
import io
import random
from datetime import UTC, datetime, timedelta

import pytest

from metering.importers import DamagedFile, ImportRefused
from metering.importers.tables import ROW_MAX_BYTES, Header, RowReader, leaves_open


def read_rows(content: bytes, *, delimiter: str = ",") -> list[list[str]]:
    rows = RowReader(io.BytesIO(content), delimiter=delimiter, complete=True)
    return [next(csv.reader([row.text.decode()], delimiter=delimiter, strict=True), []) for row in rows]


def test_rows_are_cut_where_the_csv_module_cuts_them():
    choose = random.Random(5)  # noqa: S311
    for _ in range(500):
        width, count = choose.randint(1, 4), choose.randint(1, 5)
        rows = [
            ["".join(choose.choices('ab,;" \n|', k=choose.randint(0, 6))) for _ in range(width)] for _ in range(count)
        ]
        delimiter, end = choose.choice(",;|"), choose.choice(["\n", "\r\n"])
        quoting = choose.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
        assert read_rows(text.getvalue().encode(), delimiter=delimiter) == rows


def test_a_row_has_the_number_of_the_line_it_begins_in():
    rows = RowReader(io.BytesIO(b'a,b\n1,"x\ny\nz"\n2,w\n'), delimiter=",")
    assert [(row.number, row.text) for row in rows] == [(1, b"a,b"), (2, b'1,"x\ny\nz"'), (5, b"2,w")]


def test_a_reader_that_skips_counts_the_lines_it_skips():
    content = b'a,b\n1,"x\ny\nz"\n2,w\n'
    reader = RowReader(io.BytesIO(content), delimiter=",")
    assert reader.skip_to(content.index(b"2,w"))
    assert [row.number for row in reader] == [5]


def test_a_row_without_end_stops_the_reading_and_says_where():
    content = b'a,b\n1,2\n3,"' + b"x\n" * ROW_MAX_BYTES
    reader = RowReader(io.BytesIO(content), delimiter=",")
    read = []
    with pytest.raises(DamagedFile, match="The row in line 3 is longer than 524288 bytes, or a quote"):
        read.extend(row.text for row in reader)
    assert read == [b"a,b", b"1,2"]
    assert reader.offset == content.index(b"3,")


@pytest.mark.parametrize("line", [b'"' * 60_000, b'",' * 30_000, b'"a"b,' * 12_000, b'a"' * 30_000, b'""' * 30_000])
def test_no_line_takes_long_to_look_at(line):
    started = datetime.now(UTC)
    leaves_open(line, delimiter=",", is_open=False)
    leaves_open(line, delimiter=",", is_open=True)
    assert datetime.now(UTC) - started < timedelta(seconds=2)


def test_two_columns_of_one_name_matter_only_to_who_asks_for_them():
    header = Header(["When", "Note", "note", "", ""])
    assert "when" in header
    assert "Who" not in header
    with pytest.raises(ImportRefused, match="two columns called NOTE"):
        assert "NOTE" in header
