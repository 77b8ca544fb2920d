"""A client that keeps what is tracked, for the tests of what tracks."""

from typing import Any

from palier_client import Client, Problem


class Recorder(Client):
    """Sends nothing."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.problems: list[Problem] = []
        super().__init__("http://127.0.0.1:9", "key", source="test", on_error=self.problems.append)

    def track(self, type: str, subject: str, /, **data: Any) -> None:
        self.events.append((type, subject, data))
