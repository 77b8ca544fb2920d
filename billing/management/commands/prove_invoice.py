"""`manage.py prove_invoice NUMBER`: recompute an issued invoice from its raw events, and print the first difference."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.invoicing import UnknownInvoice
from billing.proof.recomputing import Proof, ProofState, prove_invoice
from billing.wording import display_money

EXIT_STATUS = {ProofState.PROVED: 0, ProofState.DIFFERS: 1, ProofState.UNPROVABLE: 2}


class Command(BaseCommand):
    help = (
        "Recompute an issued invoice from its raw events and print the same total, or the first difference. Exit status"
        " 0 when it is proved, 1 when something differs, 2 when it cannot be proved: its events were dropped."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", help="the invoice's number")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            proof = prove_invoice(options["number"])
        except UnknownInvoice as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(proof), default=str, ensure_ascii=False, indent=2))
        else:
            self.stdout.write("\n".join(describe_proof(proof)))
        status = EXIT_STATUS[proof.state]
        if status:
            raise SystemExit(status)


def describe_proof(proof: Proof) -> list[str]:
    stated = display_money(proof.total_minor, proof.currency)
    told = [f"Invoice {proof.number}, {proof.start:%Y-%m-%d %H:%M} to {proof.end:%Y-%m-%d %H:%M} UTC: {stated}."]
    if proof.found_minor is not None:
        told.append(f"Recomputed: {proof.line_count} lines, events counted {proof.event_count} times.")
    if proof.late_count:
        told.append(f"Events counted after it was issued, and left out: {proof.late_count}.")
    if proof.corrected_count:
        told.append(f"Events corrected after it was issued, and kept: {proof.corrected_count}.")
    if proof.difference is not None:
        where = "the invoice" if proof.difference.position is None else f"line {proof.difference.position}"
        told.append(f"DIFFERS in the {proof.difference.field} of {where}.")
        told.append(f"  stated:     {proof.difference.stated}")
        told.append(f"  recomputed: {proof.difference.found}")
    elif proof.state is ProofState.UNPROVABLE:
        told.append(f"CANNOT BE PROVED. {proof.reason}")
    else:
        told.append(f"PROVED: {display_money(proof.found_minor or 0, proof.currency)}.")
    return told
