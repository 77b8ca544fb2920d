import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from palier_client.backlog import BATCH_MAX_BYTES
from palier_client.spool import Spool

OpenSpool = Callable[..., Spool]


@pytest.fixture
def open_spool(tmp_path: Path) -> Iterator[OpenSpool]:
    """Spools in one folder, as of several processes; those that were not closed before are closed at the end."""
    opened: list[Spool] = []

    def open_one(*rows: bytes, **options: Any) -> Spool:
        defaults = {"max_bytes": 10_000, "batch_rows": 2, "fsync": False}
        spool = Spool(tmp_path / "spool", **(defaults | options))
        spool.open()
        opened.append(spool)
        assert all(spool.put(row) for row in rows)
        return spool

    yield open_one
    for spool in opened:
        spool.close()


def die(spool: Spool) -> None:
    """As a kill does: what is open is closed, and nothing else happens."""
    os.close(spool.lock)
    if spool.file >= 0:
        os.close(spool.file)
    spool.lock, spool.file, spool.open_segment = -1, -1, None
    spool.sealed.clear()


def adopt(spool: Spool) -> int:
    before = spool.waiting
    for segment in spool.collect_orphans():
        spool.add(segment)
    return spool.waiting - before


def drain(spool: Spool) -> list[bytes]:
    rows: list[bytes] = []
    while batch := spool.oldest():
        rows += batch.read()[0]
        spool.forget()
    return rows


def list_names(spool: Spool, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in spool.folder.glob(pattern))


def test_rows_come_back_in_batches_and_their_files_go(open_spool: OpenSpool):
    spool = open_spool(b"a", b"b", b"c")
    batch = spool.oldest()
    assert batch is not None
    assert batch.read() == ([b"a", b"b"], 0)
    assert spool.waiting == 3
    assert drain(spool) == [b"a", b"b", b"c"]
    assert (spool.waiting, spool.bytes) == (0, 0)
    assert list_names(spool) == [f"{spool.name}.lock"]
    spool.close()
    assert list_names(spool) == []


def test_it_takes_so_many_bytes(open_spool: OpenSpool):
    spool = open_spool(b"12345", max_bytes=20)  # 15 with its checksum
    assert not spool.put(b"12345")
    assert drain(spool) == [b"12345"]
    assert spool.put(b"12345")


def test_a_batch_fits_into_a_request(open_spool: OpenSpool):
    large = b"x" * (BATCH_MAX_BYTES // 2)
    spool = open_spool(large, large, max_bytes=3 * BATCH_MAX_BYTES, batch_rows=10)
    assert [each.rows for each in spool.sealed] == [1]
    assert drain(spool) == [large, large]


@pytest.mark.parametrize("fsync", [False, True])
def test_what_the_dead_left_is_taken_over_once(open_spool: OpenSpool, fsync: bool):
    die(open_spool(b"a", b"b", b"c"))
    heir, late = open_spool(fsync=fsync), open_spool()
    assert adopt(heir) == 3
    assert adopt(late) == 0
    assert drain(heir) == [b"a", b"b", b"c"]
    assert list_names(heir) == sorted([f"{heir.name}.lock", f"{late.name}.lock"])


def test_the_living_keep_their_own(open_spool: OpenSpool):
    living = open_spool(b"a")
    assert adopt(open_spool()) == 0
    assert drain(living) == [b"a"]


def test_what_was_put_first_goes_before_what_was_taken_over(open_spool: OpenSpool):
    die(open_spool(b"old"))
    heir = open_spool(b"new")
    adopt(heir)
    assert drain(heir) == [b"new", b"old"]


def test_a_death_while_taking_over_loses_nothing(open_spool: OpenSpool):
    die(open_spool(b"a", b"b", b"c", b"d"))
    heir = open_spool()
    taking = heir.collect_orphans()
    next(taking)  # one of two files
    taking.close()
    die(heir)
    last = open_spool()
    assert adopt(last) == 4
    assert sorted(drain(last)) == [b"a", b"b", b"c", b"d"]


def test_rows_without_a_lock_are_the_dead_ones_too(open_spool: OpenSpool):
    dead = open_spool(b"a")
    die(dead)
    (dead.folder / f"{dead.name}.lock").unlink()
    heir = open_spool()
    assert adopt(heir) == 1
    assert drain(heir) == [b"a"]


def test_a_file_that_cannot_be_taken_over_stops_no_other(open_spool: OpenSpool):
    dead = open_spool(b"a", b"b", b"c")
    die(dead)
    first, *_ = dead.folder.glob("*.rows")
    first.unlink()
    first.mkdir()  # not even root can read that
    heir = open_spool()
    found = heir.collect_orphans()
    heir.add(next(found))
    with pytest.raises(OSError, match="directory"):
        next(found)
    assert len(drain(heir)) in (1, 2)
    assert f"{dead.name}.lock" in list_names(heir)  # so that it is looked at again


def test_a_row_that_was_cut_short_is_counted_and_the_others_are_read(open_spool: OpenSpool):
    dead = open_spool(b"first", b"second", batch_rows=10)
    die(dead)
    [path] = dead.folder.glob("*.rows")
    path.write_bytes(path.read_bytes()[:-3])
    heir = open_spool()
    assert adopt(heir) == 2
    batch = heir.oldest()
    assert batch is not None
    assert batch.read() == ([b"first"], 1)


def test_a_row_that_was_changed_is_not_sent(open_spool: OpenSpool):
    spool = open_spool(b"first", b"second")
    batch = spool.oldest()
    assert batch is not None
    batch.path.write_bytes(batch.path.read_bytes().replace(b"first", b"worst"))
    assert batch.read() == ([b"second"], 1)


def test_a_file_that_is_gone_is_counted_and_passed_over(open_spool: OpenSpool):
    spool = open_spool(b"a", b"b")
    batch = spool.oldest()
    assert batch is not None
    batch.path.unlink()
    assert batch.read() == ([], 2)
    assert drain(spool) == []
    assert spool.waiting == 0


def test_a_full_disk_refuses_the_row_and_leaves_no_part_of_it(open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch):
    spool = open_spool(b"kept")
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, line: write(file, line[:5]))
        with pytest.raises(OSError, match="full"):
            spool.put(b"cut short")
    assert spool.waiting == 1
    assert spool.put(b"after")
    assert drain(spool) == [b"kept", b"after"]


def test_nobody_else_may_read_it(open_spool: OpenSpool):
    spool = open_spool(b"a")
    assert spool.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in spool.folder.iterdir()} == {0o600}
