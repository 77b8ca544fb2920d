"""The project's WSGI application, but that its process is killed where it hurts: after COMMIT, before the answer.

Each process looks, at every DYING_EVERY-th answer to a POST, for a warrant in the folder DYING_FOLDER, and carries it
out: `worker-…` is its own death, `master-…` that of gunicorn's master as well. A warrant is used up by renaming it.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from config.wsgi import application as project

FOLDER, EVERY = Path(os.environ["DYING_FOLDER"]), int(os.environ["DYING_EVERY"])
answered = count(1)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """What the project answers is complete, and committed, when it returns; gunicorn has sent nothing of it yet."""
    answer: Iterable[bytes] = project(environ, start_response)
    if environ["REQUEST_METHOD"] == "POST" and next(answered) % EVERY == 0:
        die_if_due()
    return answer


def die_if_due() -> None:
    for warrant in sorted(FOLDER.glob("*.due")):
        with suppress(FileNotFoundError):  # another process was quicker
            warrant.rename(warrant.with_suffix(".done"))
            if warrant.name.startswith("master"):
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
