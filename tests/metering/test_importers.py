import contextlib
import gzip
import os
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import Count, Sum

from metering.accounts import find_account
from metering.importers import (
    AccessLog,
    DamagedFile,
    ImportMovedOn,
    ImportRefused,
    ImportReport,
    import_usage,
    importing,
)
from metering.importers.access_log import parse_line
from metering.importers.errors import BadLine
from metering.importers.files import name_source
from metering.importers.lines import LINE_MAX_BYTES
from metering.invariants import check
from metering.models import Account, Event, HourlyRollup, RejectedLine, UsageImport
from metering.usage import read_totals
from tests.metering.children import kill_import, run_child
from tests.metering.makers import make_account, make_meter
from tests.metering.threads import open_threads, wait_until_blocked

REAL_LOG = settings.BASE_DIR / "portal" / "demo_data" / "apache_access.log"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def write_line(client: str = "10.0.0.1", *, size: str = "100", time: str = "17/May/2015:10:05:03 +0000") -> str:
    return f'{client} - - [{time}] "GET /a HTTP/1.1" 200 {size} "-" "Agent"\n'


def write_log(path: Path, *lines: str, count: int = 0) -> Path:
    path.write_text("".join(lines) + "".join(write_line(f"10.0.0.{n % 7}", size=str(n)) for n in range(count)))
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def import_log(path: Path, **options) -> ImportReport:
    return import_usage(path, format=AccessLog(), at=NOW, **{"create_accounts": True, **options})


def count_usage() -> tuple[int, int]:
    """All requests and all bytes, from the rollups."""
    totals = dict(HourlyRollup.objects.values_list("meter__key").annotate(total=Sum("total")))
    return int(totals.get("requests", 0)), int(totals.get("bandwidth", 0))


def read_rejected() -> list[tuple[int, str]]:
    return list(RejectedLine.objects.order_by("line_number").values_list("line_number", "reason"))


# The real log


@pytest.mark.django_db
def test_the_real_log_comes_out_exact_and_a_second_import_adds_nothing():
    first = import_log(REAL_LOG, shift_to=NOW)
    assert (first.lines, first.accepted, first.rejected, first.unmatched) == (10_000, 10_000, 0, 0)
    assert (first.accounts, first.bytes_served, first.new_meters) == (1_753, 2_747_282_740, ["requests", "bandwidth"])
    second = import_log(REAL_LOG, shift_to=NOW + timedelta(hours=1))
    assert (second.lines, second.accepted, second.duplicates, second.accounts) == (0, 0, 0, 0)
    assert (second.file_lines, second.file_accepted, second.shift) == (10_000, 10_000, first.shift)

    assert count_usage() == (10_000, 2_747_282_740)
    assert Account.objects.count() == 1_753
    busiest = Event.objects.values_list("subject").annotate(count=Count("pk")).order_by("-count")
    assert [count for _, count in busiest[:5]] == [482, 364, 357, 273, 113]
    heaviest = HourlyRollup.objects.filter(meter__key="bandwidth").values_list("account__key")
    assert heaviest.annotate(sum=Sum("total")).order_by("-sum").first() == ("68.180.224.225", 168_132_893)
    assert max(Event.objects.values_list("happened_at", flat=True)) == NOW


# Lines


@pytest.mark.django_db
def test_a_line_becomes_an_event_named_by_its_file_and_its_number(log):
    head = write_log(log, write_line("10.0.0.1", size="1234")).read_bytes()
    report = import_log(log)
    event = Event.objects.get()
    assert (event.source, event.event_id) == (name_source("access-log", head), "1")
    assert event.source == report.source
    assert (event.type, event.subject) == ("http.request", "10.0.0.1")
    assert (event.happened_at, event.received_at) == (datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC), NOW)
    assert event.data == {"bytes": 1234, "status": 200, "method": "GET", "path": "/a"}


@pytest.mark.django_db
def test_identical_lines_are_separate_requests(log):
    write_log(log, *[write_line(size="5")] * 3)
    assert import_log(log).accepted == 3
    assert count_usage() == (3, 15)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ('h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7', ("GET", "/", 200, 7)),
        ('h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 304 -', ("GET", "/", 304, 0)),
        ('h - frank b [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "-" "x"', ("GET", "/", 200, 7)),
        (r'h - - [17/May/2015:10:05:03 +0000] "GET /\"a\" HTTP/1.1" 200 7 "-" "\"x\""', ("GET", r"/\"a\"", 200, 7)),
        (r'h - - [17/May/2015:10:05:03 +0000] "\x16\x03\x01" 400 226 "-" "-"', ("", r"\x16\x03\x01", 400, 226)),
        ('h - - [17/May/2015:10:05:03 +0000] "-" 408 0 "-" "-"', ("", "-", 408, 0)),
        ('h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 7 "-" "cut short', ("GET", "/", 200, 7)),
        ('h - - [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200 7 "-" "-" 0.012 edge-1', ("GET", "/", 200, 7)),
    ],
)
def test_combined_and_common_lines_are_read(line, fields):
    request = parse_line(line.encode())
    assert (request.method, request.path, request.status, request.size) == fields
    assert (request.client, request.time) == ("h", datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC))


BEGINNING = 'h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" '
BAD_LINES = [
    (b"", "is empty"),
    (b" \t ", "is empty"),
    (b"\x16\x03\x01\x02", "does not begin with client, identity and user"),
    (b"PK\x03\x04\x00\x00", "holds a NUL byte"),
    (b'h - - [17/May/2015:10:05:03 +0000] "GET /\xff HTTP/1.1" 200 7', "is not UTF-8 from byte 42 on"),
    (b"hello", "does not begin with client, identity and user"),
    (b"h - - no time", "has no time like [17/May/2015:10:05:03 +0000] in its place"),
    (b"h - - [2015-05-17T10:05:03Z]", "has no time like [17/May/2015:10:05:03 +0000] in its place"),
    (b"h - - [31/Feb/2015:10:05:03 +0000] \"GET /\" 200 7", "has a time that does not exist"),
    (b"h - - [17/Mai/2015:10:05:03 +0000] \"GET /\" 200 7", "has a time that does not exist"),
    (b"h - - [17/May/0000:10:05:03 +0000] \"GET /\" 200 7", "has a time that does not exist"),
    (b"h - - [01/Jan/0001:00:05:03 +0100] \"GET /\" 200 7", "has a time that does not exist"),
    (b"h - - [17/May/2015:10:05:03 +9900] \"GET /\" 200 7", "has a time that does not exist"),
    (b"h - - [17/May/2015:10:05:03 +0000] \"GET / HT", "has no quoted request after its time, or is cut short in it"),
    (BEGINNING.encode() + b"OK 7", "has no status of three digits after its request"),
    (BEGINNING.encode() + b"200", "has no status of three digits after its request"),
    (BEGINNING.encode() + b"200 -7", "has neither a number of bytes nor - after its status"),
    (BEGINNING.encode() + b"200 1e9", "has neither a number of bytes nor - after its status"),
    (BEGINNING.encode() + b"200 9999999999999999", "has an absurd number of bytes"),
    (BEGINNING.encode() + b"200 " + b"9" * 5_000, "has an absurd number of bytes"),
    (b"<script> - - [17/May/2015:10:05:03 +0000] \"GET /\" 200 7", "has a client that cannot be an account"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), BAD_LINES)
def test_a_bad_line_says_why(text, reason):
    with pytest.raises(BadLine) as refusal:
        parse_line(text)
    assert str(refusal.value) == reason


@pytest.mark.parametrize("text", [b'"' * 60_000, b"h - " + b"[" * 60_000, BEGINNING.encode()[:36] + b'"\\' * 30_000])
def test_no_line_takes_long_to_refuse(text):
    started = datetime.now(UTC)
    with pytest.raises(BadLine):
        parse_line(text)
    assert datetime.now(UTC) - started < timedelta(seconds=2)


@pytest.mark.django_db
def test_every_bad_line_is_stored_with_its_number_and_reason_and_the_good_ones_count(log):
    log.write_bytes(b"".join(text + b"\n" + write_line().encode() for text, _ in BAD_LINES))
    report = import_log(log)
    expected = [(2 * position + 1, reason) for position, (_, reason) in enumerate(BAD_LINES)]
    assert read_rejected() == expected
    assert (report.lines, report.accepted, report.rejected) == (2 * len(BAD_LINES), len(BAD_LINES), len(BAD_LINES))
    assert [(bad.line_number, bad.reason) for bad in report.rejections] == expected[:20]
    assert count_usage()[0] == len(BAD_LINES)


@pytest.mark.django_db
def test_a_line_of_ten_megabytes_is_one_bad_line(log):
    log.write_bytes(write_line().encode() + b"x" * 10_000_000 + b"\n" + write_line().encode())
    assert import_log(log).accepted == 2
    assert read_rejected() == [(2, f"is longer than {LINE_MAX_BYTES} bytes")]
    assert len(RejectedLine.objects.get().text) == 200


@pytest.mark.django_db
def test_a_shown_line_cannot_play_with_the_terminal(log):
    log.write_bytes(b"\x1b[2J\x00\xff\r\n")
    [bad] = import_log(log).rejections
    assert bad.text == r"\x1b[2J\x00\xff"


@pytest.mark.django_db
def test_a_file_of_noise_is_nothing_but_bad_lines(log):
    noise = random.Random(3).randbytes(200_000)  # noqa: S311
    log.write_bytes(noise + bytes(range(256)) * 3 + b"\xff" * 300 + b"\n" + "\U0001fffe".encode() * 90 + b"\n")
    report = import_log(log)
    assert report.lines == report.rejected == RejectedLine.objects.count() == log.read_bytes().count(b"\n")
    assert {
        len(text) <= 200 and text.isprintable() for text in RejectedLine.objects.values_list("text", flat=True)
    } == {True}


@pytest.mark.django_db
def test_what_ingestion_refuses_is_reported_as_a_bad_line(log):
    write_log(
        log, write_line(), write_line(time="17/May/1815:10:05:03 +0000"), write_line(time="1/Jan/2999:00:00:00 +0000")
    )
    assert import_log(log).accepted == 1
    assert [(number, reason.split(":")[0]) for number, reason in read_rejected()] == [
        (2, "time_too_old"),
        (3, "time_in_future"),
    ]


@pytest.mark.django_db
def test_how_old_a_line_may_be_can_be_said(log):
    write_log(log, write_line(time="20/Nov/2026:12:00:00 +0000"), write_line(time="22/Nov/2026:11:00:00 +0000"))
    assert import_log(log, max_age=timedelta(days=1)).accepted == 1
    assert [number for number, _ in read_rejected()] == [1]


@pytest.mark.django_db
def test_an_id_that_another_event_took_is_a_bad_line(log):
    write_log(log, write_line())
    import_log(log, source="edge")
    UsageImport.objects.all().delete()
    write_log(log, write_line(size="7"))
    assert import_log(log, source="edge").rejected == 1
    assert read_rejected()[0][1].startswith("conflict")


@pytest.mark.django_db
def test_lines_may_end_as_on_windows(log):
    log.write_bytes(write_line().replace("\n", "\r\n").encode() * 2)
    assert (import_log(log).accepted, count_usage()) == (2, (2, 200))


@pytest.mark.django_db
def test_a_loopback_client_of_ipv6_becomes_an_account(log):
    write_log(log, write_line("::1"), write_line("2001:db8::1"))
    assert import_log(log).accepted == 2
    assert (find_account("0::1").key, find_account("2001:db8::1").key) == ("0::1", "2001:db8::1")


# Accounts and meters


@pytest.mark.django_db
def test_requests_of_unknown_clients_wait_and_count_once_there_are_accounts(log):
    write_log(log, write_line("10.0.0.1"), write_line("10.0.0.2"), write_line("10.0.0.1"))
    make_account("10.0.0.2")
    waiting = import_log(log, create_accounts=False)
    assert (waiting.accepted, waiting.unmatched, waiting.accounts, waiting.file_unmatched) == (1, 2, 0, 2)
    again = import_log(log)
    assert (again.lines, again.accounts) == (0, 1)
    assert (again.file_accepted, again.file_unmatched) == (3, 0)
    assert count_usage() == (3, 300)


@pytest.mark.django_db
def test_a_client_that_is_an_alias_gets_no_account_of_its_own(log):
    account = make_account("acme", aliases=["10.0.0.1"])
    assert import_log(write_log(log, write_line("10.0.0.1"))).accounts == 0
    totals = read_totals(account_id=account.id, start=datetime(2015, 5, 17, tzinfo=UTC), end=NOW)
    assert [reading.quantity for reading in totals] == [100, 1]


@pytest.mark.django_db
def test_meters_that_are_there_are_left_alone(log):
    make_meter("requests", event_type="http.request", unit="call")
    assert import_log(write_log(log, write_line())).new_meters == ["bandwidth"]


@pytest.mark.django_db
def test_a_meter_of_other_events_under_that_name_stops_the_import(log):
    make_meter("requests", event_type="order")
    with pytest.raises(ImportRefused, match="counts events of type order"):
        import_log(write_log(log, write_line()))
    assert Event.objects.count() == 0


# The same file again


@pytest.mark.django_db
def test_a_log_that_has_grown_imports_its_new_lines(log):
    write_log(log, count=50)
    import_log(log)
    write_log(log, count=80)
    report = import_log(log)
    assert (report.lines, report.file_lines) == (30, 80)
    assert count_usage() == (80, sum(range(80)))


@pytest.mark.django_db
@pytest.mark.parametrize("steps", [(1, 2, 40), (3, 13, 14, 15), (12, 13)])
def test_a_log_shorter_than_its_head_is_known_when_it_has_grown(log, steps):
    """Thirteen lines pass the 1,024 bytes that name a log."""
    for count in steps:
        import_log(write_log(log, count=count))
    assert UsageImport.objects.count() == 1
    assert count_usage() == (steps[-1], sum(range(steps[-1])))


@pytest.mark.django_db
def test_a_new_log_under_an_old_name_is_another_source(log):
    first = import_log(write_log(log, write_line("10.1.1.1"), count=20))
    second = import_log(write_log(log, write_line("10.2.2.2"), count=20))
    assert first.source != second.source
    assert count_usage()[0] == 42


@pytest.mark.django_db
def test_a_log_is_known_under_any_name_and_compressed(log, tmp_path):
    import_log(write_log(log, count=50))
    packed = tmp_path / "access.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert (import_log(packed).lines, count_usage()[0]) == (0, 50)


@pytest.mark.django_db
def test_a_compressed_log_is_read_as_well(log):
    write_log(log, count=50)
    log.write_bytes(gzip.compress(log.read_bytes()))
    assert (import_log(log).lines, count_usage()) == (50, (50, sum(range(50))))


@pytest.mark.django_db(transaction=True)
def test_a_damaged_compressed_log_keeps_what_could_be_read(log):
    packed = gzip.compress(os.urandom(2_000).hex().encode() + b"\n" + write_log(log, count=20_000).read_bytes())
    log.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DamagedFile, match="is damaged"):
        import_log(log, batch=100)
    assert UsageImport.objects.get().lines == Event.objects.count() + 1 > 100


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["changed", "shorter"])
def test_a_log_whose_imported_part_is_not_the_same_is_refused(log, change):
    text = write_log(log, count=50).read_text()
    import_log(log)
    log.write_text(text.replace("10.0.0.6", "10.9.9.9", 1) if change == "changed" else text[: len(text) // 2])
    if change == "changed":
        log.write_text(text[:-60] + text[-60:].replace("200", "404"))
    with pytest.raises(ImportRefused, match="--source"):
        import_log(log)
    assert count_usage()[0] == 50


@pytest.mark.django_db
def test_a_source_of_its_own_makes_a_log_count_again(log):
    write_log(log, count=5)
    import_log(log)
    assert import_log(log, source="mirror").accepted == 5
    assert count_usage()[0] == 10


@pytest.mark.django_db
def test_after_its_record_is_gone_a_log_is_all_duplicates(log):
    write_log(log, count=5)
    import_log(log)
    UsageImport.objects.all().delete()
    assert import_log(log).duplicates == 5
    assert count_usage()[0] == 5


@pytest.mark.django_db
def test_an_empty_log_is_nothing_at_all(log):
    log.write_bytes(b"")
    assert (import_log(log).lines, UsageImport.objects.count()) == (0, 0)


# A last line that is still being written


@pytest.mark.django_db
def test_a_last_line_without_a_newline_waits_until_it_has_one(log):
    write_log(log, write_line(), write_line(size="1234")[:-20])
    report = import_log(log)
    assert (report.lines, report.is_unfinished, report.rejected) == (1, True, 0)
    write_log(log, write_line(), write_line(size="1234"))
    assert (import_log(log).lines, count_usage()) == (1, (2, 1_334))


@pytest.mark.django_db
def test_an_only_line_that_is_unfinished_leaves_no_trace(log):
    write_log(log, write_line()[:-1])
    assert (import_log(log).lines, UsageImport.objects.count()) == (0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_complete_file_needs_no_last_newline_and_may_get_it_later(log, ending):
    write_log(log, write_line(), write_line()[:-1])
    assert import_log(log, complete=True).lines == 2
    write_log(log, write_line(), write_line()[:-1], ending, write_line() if ending else "")
    assert import_log(log).lines == (1 if ending else 0)
    assert UsageImport.objects.count() == 1


@pytest.mark.django_db
def test_a_file_that_was_not_complete_after_all_is_refused(log):
    write_log(log, count=20)
    log.write_text(log.read_text() + write_line(size="12")[:-15])
    import_log(log, complete=True)
    log.write_text(log.read_text() + '34 "-" "-"\n')
    with pytest.raises(ImportRefused, match=r"line 21 .* has grown since"):
        import_log(log)


# Shifted times


@pytest.mark.django_db
def test_times_are_shifted_as_the_first_run_said(log):
    write_log(log, count=1)
    first = import_log(log, shift=timedelta(days=10))
    write_log(log, count=2)
    second = import_log(log, shift=timedelta(days=99))
    assert first.shift == second.shift == timedelta(days=10)
    assert {event.happened_at for event in Event.objects.all()} == {datetime(2015, 5, 27, 10, 5, 3, tzinfo=UTC)}


@pytest.mark.django_db
def test_the_newest_time_is_moved_wherever_it_stands_and_a_time_to_come_is_not_it(log):
    write_log(
        log,
        write_line(time="17/May/2015:10:05:09 +0000"),
        write_line(time="17/May/2015:10:05:03 +0000"),
        write_line(time="17/May/9015:10:05:03 +0000"),
        "garbage\n",
    )
    import_log(log, shift_to=NOW + timedelta(microseconds=1))
    assert sorted(event.happened_at for event in Event.objects.all()) == [NOW - timedelta(seconds=6), NOW]
    assert [number for number, _ in read_rejected()] == [3, 4]


@pytest.mark.django_db
def test_a_shift_beyond_the_calendar_is_a_bad_line(log):
    write_log(log, write_line(time="17/May/9990:10:05:03 +0000"))
    assert import_log(log, shift=timedelta(days=36_000)).rejected == 1
    assert read_rejected() == [(1, "has a time that cannot be shifted")]


# Interrupted, and two at once


@pytest.mark.django_db(transaction=True)
def test_an_import_that_was_killed_twice_comes_out_exact():
    for where, batches, lines in [("before commit", 4, 1_500), ("after commit", 5, 4_000)]:
        kill_import(REAL_LOG, "AccessLog", where=where, batches=batches, at=NOW, shift_to=NOW, batch=500)
        assert UsageImport.objects.get().lines == lines == Event.objects.count()
    report = import_log(REAL_LOG, shift_to=NOW + timedelta(hours=3))
    assert (report.lines, report.duplicates, report.file_accepted) == (6_000, 0, 10_000)
    assert count_usage() == (10_000, 2_747_282_740)
    assert Account.objects.count() == 1_753
    assert max(Event.objects.values_list("happened_at", flat=True)) == NOW
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
def test_of_two_imports_of_one_file_the_second_waits(log):
    write_log(log, count=40)
    first_holds, may_go_on, waits = threading.Event(), threading.Event(), []

    def hold_up(progress) -> None:
        first_holds.set()
        assert may_go_on.wait(20)

    with open_threads(2) as threads:
        first = threads.start(import_log, log, batch=10, on_progress=hold_up)
        assert first_holds.wait(20)
        second = threads.start(
            import_log, log, batch=10, on_progress=lambda progress: waits.append(progress.is_waiting)
        )
        wait_until_blocked()
        may_go_on.set()
        assert (first.result(20).lines, second.result(20).lines) == (40, 0)
    assert waits == [True]
    assert UsageImport.objects.get().lines == 40


def import_side_by_side(log: Path, monkeypatch) -> list[ImportReport | ImportMovedOn]:
    """Two imports that both start from nothing, because neither holds the record."""
    both_started = threading.Barrier(2, timeout=20)

    @contextlib.contextmanager
    def hold_nothing(record_id, *, on_wait) -> Iterator[UsageImport]:
        record = UsageImport.objects.get(pk=record_id)
        both_started.wait()
        yield record

    def run() -> ImportReport | ImportMovedOn:
        try:
            return import_log(log, batch=10)
        except ImportMovedOn as refusal:
            return refusal

    monkeypatch.setattr(importing, "hold_record", hold_nothing)
    with open_threads(2) as threads:
        return threads.run_all(run, run)


@pytest.mark.django_db(transaction=True)
def test_should_two_imports_read_the_same_lines_one_of_them_stops(log, monkeypatch):
    import_side_by_side(write_log(log, count=40), monkeypatch)
    assert UsageImport.objects.get().lines == Event.objects.count() == count_usage()[0]
    monkeypatch.undo()
    import_log(log)
    assert UsageImport.objects.get().lines == Event.objects.count() == count_usage()[0] == 40


@pytest.mark.django_db(transaction=True)
def test_without_either_lock_the_record_tells_twice_what_was_read(log, monkeypatch):
    monkeypatch.setattr(importing, "lock_record", lambda pk, *, offset: UsageImport.objects.get(pk=pk))
    import_side_by_side(write_log(log, count=10), monkeypatch)
    record = UsageImport.objects.get()
    assert (record.lines, record.accepted, record.duplicates) != (10, 10, 0)


MEASURED_IMPORTS = """
    import resource, sys
    from datetime import datetime
    from pathlib import Path
    from metering.importers import AccessLog, import_usage
    status = Path("/proc/self/status")  # where there is none, getrusage may tell what the parent took
    for path in sys.argv[2:]:
        at = datetime.fromisoformat(sys.argv[1])
        import_usage(Path(path), format=AccessLog(), at=at, create_accounts=True)
        if status.exists():
            print(next(line.split()[1] for line in status.open() if line.startswith("VmHWM")))
        else:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.django_db(transaction=True)
def test_a_large_file_takes_hardly_more_memory_than_a_small_one(tmp_path):
    small, large = write_log(tmp_path / "small.log", count=1_000), tmp_path / "large.log"
    wide = write_line().replace("/a", "/" + "a" * 60_000).encode()
    large.write_bytes(wide * 650 + b"x" * 11_000_000 + b"\n")
    assert large.stat().st_size > 50_000_000
    child = run_child(MEASURED_IMPORTS, NOW.isoformat(), str(small), str(large))
    assert child.returncode == 0, child.stderr
    peak_small, peak_large = (int(kilobytes) for kilobytes in child.stdout.split())
    assert peak_large - peak_small < 30_000, f"{peak_small} kB, then {peak_large} kB"
