from palier_client.backlog import BATCH_MAX_BYTES
from palier_client.memory import Memory


def make_memory(*rows: bytes, max_rows: int = 100, batch_rows: int = 2, max_bytes: int = 1_000) -> Memory:
    memory = Memory(max_rows=max_rows, batch_rows=batch_rows, max_bytes=max_bytes)
    assert all(memory.put(row) for row in rows)
    return memory


def read_oldest(memory: Memory) -> list[bytes]:
    batch = memory.oldest()
    return batch.read()[0] if batch else []


def test_the_oldest_rows_come_first_and_stay_until_forgotten():
    memory = make_memory(b"a", b"b", b"c")
    assert read_oldest(memory) == read_oldest(memory) == [b"a", b"b"]
    memory.forget()
    assert (memory.waiting, memory.bytes) == (1, 1)
    assert read_oldest(memory) == [b"c"]
    memory.forget()
    assert memory.oldest() is None


def test_a_batch_does_not_grow_while_it_is_sent():
    memory = make_memory(b"a")
    assert read_oldest(memory) == [b"a"]
    memory.put(b"b")
    assert read_oldest(memory) == [b"a"]
    memory.forget()
    assert read_oldest(memory) == [b"b"]


def test_it_takes_so_many_rows_and_so_many_bytes():
    assert not make_memory(b"a", b"b", max_rows=2).put(b"c")
    full = make_memory(b"a" * 9, max_bytes=10)
    assert not full.put(b"bb")
    assert full.put(b"b")


def test_a_batch_fits_into_a_request():
    large = b"x" * (BATCH_MAX_BYTES // 2)
    memory = make_memory(large, large, batch_rows=10, max_bytes=3 * BATCH_MAX_BYTES)
    assert read_oldest(memory) == [large]


def test_closing_says_how_many_are_lost():
    memory = make_memory(b"a", b"b", b"c")
    read_oldest(memory)
    assert memory.close() == 3
    memory.forget()
    assert (memory.waiting, memory.bytes, memory.close()) == (0, 0, 0)


def test_the_other_side_of_a_fork_begins_empty():
    assert make_memory(b"a").renew().waiting == 0
