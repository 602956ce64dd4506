"""The audit log: one line for every change that somebody made."""

from typing import Any

from core.models import Event, Project, User


def record(actor: User | None, project: Project | None, verb: str, thing: str = "", **data: Any) -> None:
    """Write one line. Call it inside the transaction of the change, so that both stand or fall together.

    ``data`` holds ids, counts and names of settings: never a password, a token or an item's text.
    """
    Event.objects.create(actor=actor, project=project, verb=verb, thing=thing[:200], data=data)
