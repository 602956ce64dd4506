"""An archived project stays as it is until an owner reopens it."""

from core.choices import ProjectState
from core.exceptions import Conflict
from core.models import Project


def check_open(project: Project) -> None:
    """Raises Conflict ``project-archived`` in an archive."""
    if project.state == ProjectState.ARCHIVED:
        raise Conflict("project-archived", "This project is archived; nothing in it can be changed.")
