import gzip
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from metering.models import Account, RejectedLine
from metering.usage import read_series

LINE = '{} - - [17/May/2015:10:05:{:02} +0000] "GET / HTTP/1.1" 200 1500 "-" "Agent"\n'

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_text("".join(LINE.format(f"10.0.0.{n % 3}", n) for n in range(30)))
    return path


def run(*arguments: object) -> None:
    call_command("import_usage", "access-log", *map(str, arguments))


def test_it_says_what_it_did_and_the_second_time_that_nothing_is_new(log, capsys):
    run(log, "--create-accounts", "--source", "edge")
    assert capsys.readouterr().out.splitlines()[:10] == [
        "access.log as edge, times shifted by nothing",
        "Made the meters it is counted by: requests, bandwidth.",
        "                    this run     file so far",
        "lines                     30              30",
        "accepted                  30              30",
        "duplicates                 0               0",
        "rejected                   0               0",
        "unmatched                  0               0",
        "accounts                   3",
        "bytes served          45,000",
    ]
    run(log, "--create-accounts", "--source", "edge")
    again = capsys.readouterr().out.splitlines()
    assert again[2:4] == [
        "lines                      0              30",
        "accepted                   0              30",
    ]


def test_it_shows_twenty_bad_lines_and_counts_the_rest(log, capsys):
    log.write_text(log.read_text() + "garbage\n" * 25)
    run(log, "--create-accounts")
    shown = capsys.readouterr().out.splitlines()
    assert "Line 31 does not begin with client, identity and user: garbage" in shown
    assert sum(line.startswith("Line ") for line in shown) == 20
    assert "… and 5 more bad lines, all stored as rejected lines." in shown
    assert RejectedLine.objects.count() == 25


def test_without_accounts_it_says_what_waits(log, capsys):
    run(log)
    shown = capsys.readouterr().out
    assert "unmatched                 30              30" in shown
    assert "--create-accounts makes them all" in shown
    assert not Account.objects.exists()


def test_it_says_that_a_last_line_waits(log, capsys):
    log.write_text(log.read_text()[:-1])
    run(log, "--create-accounts")
    assert "The last line has no newline yet" in capsys.readouterr().out
    run(log, "--create-accounts", "--complete")
    assert "lines                      1              30" in capsys.readouterr().out


def test_the_first_shift_stays_and_it_says_so(log, capsys):
    run(log, "--create-accounts", "--shift-seconds", 3600)
    run(log, "--create-accounts", "--shift-seconds", 7200)
    assert "The shift is that of the first run, 3600 s, not 7200 s." in capsys.readouterr().out


def test_times_can_be_moved_to_now(log, time_machine):
    time_machine.move_to("2026-11-22T12:00:00Z", tick=False)
    run(log, "--create-accounts", "--shift-to-now")
    account = Account.objects.get(key="10.0.0.2")
    noon = account.created_at
    [point] = read_series(
        account_id=account.pk,
        meter_key="requests",
        start=noon.replace(hour=11),
        end=noon.replace(hour=12, minute=0, second=1),
        bucket="day",
    )
    assert point.quantity == 10


def test_it_reads_compressed_files(log, capsys):
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    run(packed, "--create-accounts")
    assert "lines                     30              30" in capsys.readouterr().out


def test_off_a_terminal_progress_is_plain_lines(log, capsys, monkeypatch):
    monkeypatch.setattr("metering.management.commands.import_usage.PLAIN_SECONDS", 0)
    run(log, "--create-accounts", "--batch", 10)
    assert capsys.readouterr().err.splitlines()[-1] == "access.log: 100 %, 30 lines"


def test_on_a_terminal_progress_is_a_bar(log, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run(log, "--create-accounts")
    bar = capsys.readouterr().err
    assert "access.log: 100%" in bar
    assert "2.40k/2.40k" in bar


def test_an_interruption_is_no_error_and_the_next_run_goes_on(log, capsys, monkeypatch):
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("metering.importers.importing.sort_fates", interrupt)
        with pytest.raises(CommandError, match="Run it again") as stop:
            run(log, "--create-accounts")
    assert stop.value.returncode == 130
    run(log, "--create-accounts")
    assert "accepted                  30              30" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["missing", "folder", "cut gzip"])
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path, damage):
    path = tmp_path / "access.log"
    if damage == "folder":
        path.mkdir()
    if damage == "cut gzip":
        path.write_bytes(gzip.compress(b"x" * 3_000)[:15])
    with pytest.raises(CommandError, match=r"access\.log (cannot be read: No such file|is no file|is damaged)"):
        run(path)


@pytest.mark.parametrize(
    "options",
    [
        ["--batch", "0"],
        ["--batch", "many"],
        ["--max-age-days", "-1"],
        ["--shift-seconds", "1e9"],
        ["--shift-seconds", "99999999999999999999"],
        ["--shift-seconds", "1", "--shift-to-now"],
    ],
)
def test_options_that_make_no_sense_are_refused(log, options):
    with pytest.raises(CommandError):
        run(log, *options)
