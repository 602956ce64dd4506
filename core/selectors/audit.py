"""The audit log of a project."""

from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from core.exceptions import Invalid
from core.models import Event, Project, User
from core.selectors.erasure import TOMBSTONE

LONGEST = 200


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines: of one kind (``verb``, or all that begin with it where it ends in a dot), by one person (sign-in
    name), about one thing, from a day on, up to a day (UTC).
    """

    verb: str = ""
    actor: str = ""
    thing: str = ""
    since: date | None = None
    until: date | None = None


def filtered_events(project: Project, chosen: LogFilter) -> QuerySet[Event]:
    """The lines that a filter leaves, with their actors, the newest first. Raises Invalid ``bad-filter``."""
    if any(len(text) > LONGEST for text in (chosen.verb, chosen.actor, chosen.thing)):
        raise Invalid("bad-filter", f"A filter has at most {LONGEST} characters.")
    events = Event.objects.filter(project=project).select_related("actor").order_by("-pk")
    if chosen.verb:
        events = events.filter(**{"verb__startswith" if chosen.verb.endswith(".") else "verb": chosen.verb})
    if chosen.actor:
        events = events.filter(actor__in=User.objects.filter(username__iexact=chosen.actor))
    if chosen.thing:
        events = events.filter(thing=chosen.thing)
    if chosen.since is not None:
        events = events.filter(created_at__date__gte=chosen.since)
    return events if chosen.until is None else events.filter(created_at__date__lte=chosen.until)


def actor_name(event: Event) -> str | None:
    """By which name somebody signs in who did something; of an erased person the pseudonym, None: the server."""
    actor = event.actor
    if actor is None:
        return None
    return actor.display_name if actor.username.startswith(TOMBSTONE) else actor.username


def verbs_of(project: Project) -> list[str]:
    """The kinds of lines that a project's log has."""
    return list(
        Event.objects.filter(project=project).order_by("verb").values_list("verb", flat=True).distinct()
    )
