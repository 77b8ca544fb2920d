"""What one may turn through `/_sim/settings`; a reset restores it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Settings:
    compat: list[str] = field(default_factory=list)  # parameters outside of the contract that are let through
    delivery: str = "auto"  # "auto": loopback endpoints are called, others wait to be taken; "pull": all wait
    extra: dict[str, Any] = field(default_factory=dict)  # settings of resource modules, by name

    def get(self, name: str, default: Any) -> Any:
        return self.extra.get(name, default)
