"""Answers as they may be kept and compared: no secret, ids by their place, times as times."""

import re
from dataclasses import dataclass, field
from typing import Any

HIDDEN = "<hidden>"
TIME = "<time>"
# What is another one in each run, or each account, and says nothing of how Stripe behaves.
PERSONAL = {
    "account_country",
    "account_name",
    "client_secret",
    "fingerprint",
    "invoice_prefix",
    "network_transaction_id",
    "next_invoice_sequence",
    "number",
    "receipt_number",
    "secret",
    "support_address",
}
ID = re.compile(r"\b(?:[a-z]{2,10}|cs_test|upcoming_in)_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{10,}\b")  # words have no capitals
NUMBER = re.compile(r"\b[0-9A-Z]{8}-\d{4}\b")  # of an invoice, where it is not alone
ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
FIRST_TIME, LAST_TIME = 1_000_000_000, 10_000_000_000  # unix seconds; no amount of a scenario is so large


@dataclass(slots=True)
class Redactor:
    """One scenario: an id is named by its prefix and by how many of it came before. `run` is what made names unique."""

    run: str
    names: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def redact(self, value: Any, name: str = "") -> Any:
        match value:
            case _ if name in PERSONAL and value is not None:
                return HIDDEN
            case dict():
                return {self.redact_text(key): self.redact(each, key) for key, each in value.items()}
            case list():
                return [self.redact(each, name) for each in value]
            case str():
                return HIDDEN if value.startswith(("https://", "http://")) else self.redact_text(value)
            case int() if not isinstance(value, bool) and FIRST_TIME <= value < LAST_TIME:
                return TIME
        return value

    def redact_text(self, text: str) -> str:
        return NUMBER.sub(HIDDEN, ISO_TIME.sub(TIME, ID.sub(self.name_id, text.replace(self.run, "RUN"))))

    def name_id(self, found: re.Match[str]) -> str:
        known = self.names.get(found[0])
        if known is None:
            prefix = found[0].rpartition("_")[0]
            self.counts[prefix] = self.counts.get(prefix, 0) + 1
            known = self.names[found[0]] = f"<{prefix} {self.counts[prefix]}>"
        return known
