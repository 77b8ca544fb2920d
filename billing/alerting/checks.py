"""What must be true of budgets at any moment; part of `billing.invariants`."""

from collections.abc import Iterator
from itertools import pairwise

from billing.models import Budget, BudgetChange
from jobs.invariants import Violation


def check_budgets() -> Iterator[Violation]:
    """A budget stands as the last of its changes says; these are numbered from 1, and its epoch counts its amounts."""
    said: dict[int, list[BudgetChange]] = {}
    for change in BudgetChange.objects.order_by("budget_id", "number").iterator(chunk_size=500):
        said.setdefault(change.budget_id, []).append(change)
    for budget in Budget.objects.order_by("pk").iterator(chunk_size=500):
        changes = said.get(budget.pk, [])
        if [each.number for each in changes] != list(range(1, len(changes) + 1)) or not changes:
            yield Violation("a budget's changes are numbered", f"budget {budget.pk}", "one is missing")
            continue
        last = changes[-1]
        stands = (budget.amount_minor, budget.levels, budget.is_active, budget.epoch)
        if stands != (last.amount_minor, last.levels, last.is_active, last.epoch):
            yield Violation("a budget stands as it was said", f"budget {budget.pk}", "its last change says otherwise")
        amounts = [each.amount_minor for each in changes]
        epoch = 1 + sum(before != after for before, after in pairwise(amounts))
        if budget.epoch != epoch:
            yield Violation("an epoch is an amount", f"budget {budget.pk}", f"it says {budget.epoch}, not {epoch}")
