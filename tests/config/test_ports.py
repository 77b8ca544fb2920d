import socket
from collections.abc import Iterator

import pytest

from config.stack import choose_port
from config.supervisor import StackFailed


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_a_taken_port_is_refused_by_name(taken: int):
    with pytest.raises(StackFailed, match=f"port {taken} is taken by another program; choose one, for example PORT="):
        choose_port(taken, tries=1)


def test_the_demo_goes_on_to_the_next_free_port_and_says_so(taken: int, capsys: pytest.CaptureFixture[str]):
    chosen = choose_port(taken, tries=20)
    assert taken < chosen < taken + 20
    assert capsys.readouterr().out == f"Port {taken} is taken: using {chosen}.\n"
