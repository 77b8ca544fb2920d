"""Who may start and stop what lies in a stack folder, by locks that the kernel frees when their holder dies.

`owner.lock` is held alone by a supervisor for its life, and for a moment by whoever starts or stops the servers.
`users.lock` is shared by the commands that use servers which no supervisor keeps; the last one to leave stops them.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

OWNER, USERS = "owner.lock", "users.lock"


class FolderIsOwned(RuntimeError):
    """Another stack runs in this folder."""


@contextlib.contextmanager
def own_folder(folder: Path, *, patience: float = 0) -> Iterator[None]:
    """Own `folder` until the block ends. Raises FolderIsOwned, naming the owner, after `patience` seconds."""
    path, deadline = folder / OWNER, time.monotonic() + patience
    while (descriptor := take_lock(path)) is None:
        if time.monotonic() > deadline:
            owner = path.read_text().strip() or "unknown"
            raise FolderIsOwned(f"a stack already runs in {folder} (process {owner}); stop it first")
        time.sleep(0.1)
    try:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_used(folder: Path) -> bool:
    """Whether a command uses the servers on `folder` right now."""
    descriptor = take_lock(folder / USERS)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


@contextlib.contextmanager
def use_servers(folder: Path) -> Iterator[int]:
    """Count among the users of the servers on `folder` until the block ends. Waits while the last user stops them."""
    descriptor = open_lock(folder / USERS)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def become_only_user(descriptor: int) -> bool:
    """Turn an open lock, or a shared one, into one held alone. False when others hold it: then ours is given up too."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take_lock(path: Path) -> int | None:
    """Take `path` alone and return the file descriptor that holds it; None when somebody else has it."""
    descriptor = open_lock(path)
    if become_only_user(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def open_lock(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
