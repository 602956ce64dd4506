"""The audit log of a project."""

from django.db.models import QuerySet

from core.models import Event, Project


def events_of(project: Project, *, verb: str = "", before: int | None = None) -> QuerySet[Event]:
    """Lines of the log with their actors, the newest first; ``verb`` keeps one kind, ``before`` older ones."""
    events = Event.objects.filter(project=project).select_related("actor").order_by("-pk")
    if verb:
        events = events.filter(verb=verb)
    if before is not None:
        events = events.filter(pk__lt=before)
    return events


def verbs_of(project: Project) -> list[str]:
    """The kinds of lines that a project's log has."""
    return list(
        Event.objects.filter(project=project).order_by("verb").values_list("verb", flat=True).distinct()
    )
