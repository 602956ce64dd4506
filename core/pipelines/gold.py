"""How far people are right where the truth is known, and the pause of those who are surely not right enough."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now, TruncDate

from core.choices import PausedBecause, ProjectState
from core.models import Membership, Outbox, Project
from core.numerics.results import Figure
from core.numerics.sequential import is_below, share_so_far
from core.selectors.gold_accuracy import gold_answers
from core.services.pause import pause_for_gold


@dataclass(frozen=True, slots=True)
class OnGold:
    """A person's work on gold: ``right`` of ``n`` first answers, with the interval of the last look.

    ``since`` is when a lead let them go on after a pause: what they answered before does not count any more.
    """

    member: Membership
    n: int
    right: int
    accuracy: Figure
    since: datetime | None

    @property
    def state(self) -> PausedBecause:
        """Whether they are paused, and why."""
        return PausedBecause(self.member.paused_because)

    def to_dict(self) -> dict[str, Any]:
        """As the API says it."""
        return {
            "member": self.member.pk,
            "name": self.member.name,
            "n": self.n,
            "right": self.right,
            "accuracy": self.accuracy.to_dict(),
            "since": self.since,
            "paused_because": self.member.paused_because or None,
            "paused_at": self.member.paused_at,
        }


def gold_people(project: Project) -> list[OnGold]:
    """Everybody who works in a project and how they do on gold, by name."""
    members = Membership.objects.filter(project=project, active=True, user__isnull=False)
    return _on_gold(project, members.order_by("name", "pk"))


def _on_gold(project: Project, members: Iterable[Membership]) -> list[OnGold]:
    return [
        OnGold(one.member, len(one.right), sum(one.right), share_so_far(one.right), one.since)
        for one in gold_answers(project, members)
    ]


def pause_due() -> int:
    """Pause whoever is surely below their project's bound on gold. Returns how many were paused.

    Only projects in which somebody has answered since the last look cost anything. It runs beside the
    hand-outs, never within one, so that nothing about a submit tells whether it was judged.
    """
    worked = Exists(Outbox.objects.filter(project=OuterRef("pk")))
    asked = Project.objects.filter(worked, gold_bound__isnull=False, state=ProjectState.ACTIVE)
    return sum(map(pause_below, asked))


def _today() -> TruncDate:
    """The database's date, as ``Membership.today`` has it."""
    return TruncDate(Now(), tzinfo=UTC)


def pause_below(project: Project) -> int:
    """Pause whoever of this project's people is surely below its bound. Returns how many were paused."""
    if project.gold_bound is None:
        return 0
    bound = float(project.gold_bound)
    working = Membership.objects.filter(
        project=project, active=True, user__isnull=False, paused_because=PausedBecause.NOT, today=_today()
    )
    below = [one for one in _on_gold(project, working) if is_below(one.accuracy, bound)]
    return sum(pause_for_gold(one.member, n=one.n, right=one.right, bound=bound) for one in below)
