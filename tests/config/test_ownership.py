import subprocess
import sys
from pathlib import Path

import pytest

from config.ownership import FolderIsOwned, become_only_user, is_used, own_folder, use_servers

HOLDER = """
import sys, time
from pathlib import Path
from config.ownership import own_folder
with own_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_has_one_owner_and_the_refusal_names_it(tmp_path: Path):
    with (
        own_folder(tmp_path),
        pytest.raises(FolderIsOwned, match=r"process \d+\); stop it first"),
        own_folder(tmp_path),
    ):
        pass


def test_a_killed_owner_frees_the_folder_at_once(tmp_path: Path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(FolderIsOwned, match=f"process {holder.pid}"), own_folder(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with own_folder(tmp_path):
        pass


def test_only_the_last_user_may_stop_the_servers(tmp_path: Path):
    with use_servers(tmp_path) as first:
        with use_servers(tmp_path) as second:
            assert become_only_user(first) is False
            assert is_used(tmp_path)
        with use_servers(tmp_path) as second:
            assert become_only_user(second) is True
    assert not is_used(tmp_path)
