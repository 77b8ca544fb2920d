"""Which rule of the database refused a write."""

from django.db import IntegrityError


def find_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint that was violated, as PostgreSQL reports it."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None)
