"""Operations of migrations that no database knows of."""

from django.db.migrations import SeparateDatabaseAndState
from django.db.migrations.state import ProjectState


class RenameForPeople(SeparateDatabaseAndState):
    """What people read of models and fields; given as `state_operations`.

    Renders the models once, when they are next asked for: after each of so many names it takes seconds in all.
    """

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        state.__dict__.pop("apps", None)
        super().state_forwards(app_label, state)
