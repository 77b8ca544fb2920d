"""The local Stripe of a stack whose owner has no key: where it listens, and what the product is told of it.

What was chosen at the first start is kept in the stack's folder, so that addresses which the product stored go on
working, and so that a command from another shell finds it.
"""

import json
import os
import secrets
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE, STATE = "stripe.json", "stripe.sqlite3"
KEY = "sk_test_palier"  # opens nothing: the simulator takes any test key
KEY_NAME = "STRIPE_SECRET_KEY"


@dataclass(frozen=True, slots=True)
class LocalStripe:
    """A simulator on loopback, and the secret by which it signs webhooks."""

    port: int
    webhook_secret: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """By which the product calls this one."""
        return {
            KEY_NAME: KEY,
            "STRIPE_WEBHOOK_SECRET": self.webhook_secret,
            "STRIPE_API_BASE": self.url,
            "STRIPE_METER_EVENTS_BASE": self.url,
        }

    def list_arguments(self, folder: Path) -> list[str]:
        """Of Python, to run it."""
        return ["-m", "stripe_simulator", "--port", str(self.port), "--path", str(folder / STATE)]

    def write(self, folder: Path) -> None:
        draft = folder / f"{FILE}.draft"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(folder / FILE)


def is_wanted() -> bool:
    """Whether nobody gave a key of Stripe's."""
    return not os.environ.get(KEY_NAME)


def read_local_stripe(folder: Path) -> LocalStripe | None:
    try:
        return LocalStripe(**json.loads((folder / FILE).read_text()))
    except FileNotFoundError:
        return None


def draw_local_stripe(port: int) -> LocalStripe:
    return LocalStripe(port, f"whsec_{secrets.token_urlsafe(32)}")


def tell_of_local_stripe(environ: MutableMapping[str, str], folder: Path) -> None:
    """Add what is known of the stack's local Stripe where no key is given: for commands from another shell."""
    local = None if environ.get(KEY_NAME) else read_local_stripe(folder)
    if local:
        environ.update(local.environ)
