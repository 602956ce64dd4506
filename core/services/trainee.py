"""People in a training round: what they are handed, whether they were right, and whether they have passed.

Whoever has a round before them (``Membership.training_round``) gets its items one at a time and nothing else. What
they answer counts nowhere; it is told at once whether it was right, and why.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from core.access import LEADS
from core.choices import ItemState, LeaseState, NoticeKind, Pass, TrainingState
from core.exceptions import Conflict, Missing
from core.models import Annotation, Gold, Item, Lease, Membership, Trainee, TrainingItem
from core.selectors.gold_accuracy import gold_values, is_right, said_values, shown_value
from core.selectors.question import schema_of
from core.services.archive import check_open
from core.services.audit import record
from core.services.notice import notify

ATTEMPT = "trainee"  # where an annotation's ``extra`` names the attempt that it belongs to


class TrainingPlace(NamedTuple):
    """An item of the round, and how often this person has then answered it."""

    item: Item
    repeat: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. ``again`` says that the next one begins with the next item."""

    state: TrainingState
    right: int
    n: int
    pass_mark: float
    again: bool


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a trainee is told of an answer: question by question whether it was right, and the gold."""

    right: dict[str, bool] = field(default_factory=dict)
    gold: dict[str, Any] = field(default_factory=dict)
    explanation: str = ""
    answered: int = 0
    total: int = 0
    outcome: Outcome | None = None


def current_attempt(member: Membership) -> Trainee | None:
    """The attempt that stands between a person and normal items; None when nothing does.

    The member's row is locked. The first attempt begins here, and so does the next one after a failed one while
    tries are left; one that failed without a try left is returned as it is. A round that is switched off, or has
    no item with gold left, holds nobody.
    """
    training = member.training_round
    if training is None or not training.active:
        return None
    attempts = list(Trainee.objects.filter(member=member, training_round=training).order_by("attempt"))
    if not _usable(training.pk).exists():
        _break_off(attempts, member)
        return None
    passed = [place for place, one in enumerate(attempts) if one.state == TrainingState.PASSED]
    since = attempts[passed[-1] + 1 :] if passed else attempts
    if since and since[-1].state == TrainingState.RUNNING:
        if _left(since[-1]).exists():
            return since[-1]
        _end(since[-1], member)  # what was left of the round was taken out of it meanwhile
        if since[-1].state == TrainingState.PASSED:
            return None
    if since and len(since) >= training.tries:
        return since[-1]
    number = attempts[-1].attempt + 1 if attempts else 1
    return Trainee.objects.create(training_round=training, member=member, attempt=number)


def _break_off(attempts: list[Trainee], member: Membership) -> None:
    """End what runs in a round that has lost all its items: by what was answered; without an answer it never began."""
    for attempt in attempts:
        if attempt.state == TrainingState.RUNNING and attempt.answered:
            _end(attempt, member)
        elif attempt.state == TrainingState.RUNNING:
            Trainee.objects.filter(pk=attempt.pk).delete()


def training_places(member: Membership, attempt: Trainee, *, wait: bool) -> list[TrainingPlace]:
    """The next item of a running attempt, locked; none while one is in hand or the attempt has ended.

    In the round's order; what was put aside comes again after the others. Without ``wait`` an item that somebody
    else has locked just now is not given.
    """
    if attempt.state != TrainingState.RUNNING or member.leases.filter(
        state=LeaseState.ACTIVE, pass_kind=Pass.TRAINING
    ):
        return []
    aside = Q(
        item__leases__annotator=member,
        item__leases__pass_kind=Pass.TRAINING,
        item__leases__created_at__gte=attempt.created_at,
        item__leases__state__in=[LeaseState.SKIPPED, LeaseState.DEFERRED],
    )
    left = _left(attempt).annotate(aside=Count("item__leases", filter=aside)).order_by("aside", "order", "pk")
    items = Item.objects.filter(pk__in=left.values_list("item_id", flat=True)[:1], state=ItemState.OPEN)
    item = items.select_for_update(of=("self",), no_key=True, skip_locked=not wait).first()
    if item is None:
        return []
    own = Annotation.objects.filter(item=item, annotator=member, item_version=item.version)
    return [TrainingPlace(item, (own.aggregate(last=Max("repeat"))["last"] or 0) + 1)]


def _usable(round_id: int) -> QuerySet[TrainingItem]:
    """The round's items that can be handed out and judged."""
    gold = Exists(Gold.objects.filter(item=OuterRef("item")))
    return TrainingItem.objects.filter(gold, training_round=round_id, item__state=ItemState.OPEN)


def _left(attempt: Trainee) -> QuerySet[TrainingItem]:
    """The items that this attempt has not answered yet."""
    answered = _answers_of(attempt).filter(item_version=F("item__version")).values("item")
    return _usable(attempt.training_round_id).exclude(item__in=answered)


def _answers_of(attempt: Trainee) -> QuerySet[Annotation]:
    return Annotation.objects.filter(
        annotator=attempt.member_id, pass_kind=Pass.TRAINING, **{f"extra__{ATTEMPT}": attempt.pk}
    )


def attempt_for(lease: Lease) -> Trainee | None:
    """The running attempt that an answer under this lease belongs to, if there is one."""
    if lease.pass_kind != Pass.TRAINING:
        return None
    attempt = current_attempt(lease.annotator)
    if attempt is None or attempt.state != TrainingState.RUNNING:
        return None
    return attempt if _left(attempt).filter(item=lease.item_id).exists() else None


def score_training(attempt: Trainee, annotation: Annotation) -> Feedback:
    """Count an answer that was just stored; with the last one the attempt ends, passed or failed.

    An item is right when all of its gold is met. The member's row is locked; ``annotation.annotator`` is changed
    along with it.
    """
    told = _judge(attempt, annotation)
    attempt.answered += 1
    attempt.right += int(all(told.right.values()))
    Trainee.objects.filter(pk=attempt.pk).update(answered=attempt.answered, right=attempt.right)
    left = _left(attempt).count()
    if not left:
        _end(attempt, annotation.annotator)
    return Feedback(
        told.right,
        told.gold,
        told.explanation,
        attempt.answered,
        attempt.answered + left,
        None if left else _outcome(attempt),
    )


def feedback_on(annotation: Annotation) -> Feedback | None:
    """What was told of a stored answer, for a submit that is sent again; None outside of training."""
    extra = annotation.extra or {}
    if annotation.pass_kind != Pass.TRAINING or ATTEMPT not in extra:
        return None
    attempt = Trainee.objects.select_related("training_round").get(pk=extra[ATTEMPT])
    told = _judge(attempt, annotation)
    answers = _answers_of(attempt)
    answered = answers.filter(pk__lte=annotation.pk).count()
    was_last = attempt.state != TrainingState.RUNNING and answered == attempt.answered
    total = attempt.answered + (_left(attempt).count() if attempt.state == TrainingState.RUNNING else 0)
    outcome = _outcome(attempt) if was_last else None
    return Feedback(told.right, told.gold, told.explanation, answered, total, outcome)


def _judge(attempt: Trainee, annotation: Annotation) -> Feedback:
    schema = schema_of(annotation.annotator.project)
    truth = gold_values(schema, [annotation.item_id]).get(annotation.item_id, {})
    said = said_values(schema, Annotation.objects.filter(pk=annotation.pk)).get(annotation.pk, {})
    asked = [question for question in schema.questions if question.id in truth]
    right = is_right(truth, said)
    explanations = TrainingItem.objects.filter(
        training_round=attempt.training_round_id, item=annotation.item_id
    )
    return Feedback(
        {question.key: right[question.id] for question in asked},
        {question.key: shown_value(question, truth[question.id]) for question in asked},
        explanations.values_list("explanation", flat=True).first() or "",
    )


def _end(attempt: Trainee, member: Membership) -> None:
    training = attempt.training_round
    passed = attempt.right >= float(training.pass_mark) * attempt.answered - 1e-9
    attempt.state = TrainingState.PASSED if passed else TrainingState.FAILED
    Trainee.objects.filter(pk=attempt.pk).update(state=attempt.state, ended_at=Now())
    told = {
        "state": attempt.state.value,
        "round": training.name,
        "round_id": training.pk,
        "right": attempt.right,
        "n": attempt.answered,
        "attempt": attempt.attempt,
    }
    record(
        member.user,
        member.project,
        f"training.{attempt.state}",
        training.name,
        id=member.pk,
        **{name: told[name] for name in ("right", "n", "attempt")},
    )
    if passed:
        Membership.objects.filter(pk=member.pk).update(training_round=None)
        member.training_round = None
        notify([member.pk], NoticeKind.TRAINING, **told)
    elif not _may_try_again(attempt):
        leads = Membership.objects.filter(project=member.project_id, active=True, role__in=LEADS)
        notify([member.pk], NoticeKind.TRAINING, **told)
        others = leads.exclude(pk=member.pk).values_list("pk", flat=True)
        notify(others, NoticeKind.TRAINING, member=member.pk, name=member.name, **told)


def _may_try_again(attempt: Trainee) -> bool:
    """Whether tries are left after this failed attempt; they count from the last one that was passed."""
    earlier = Trainee.objects.filter(member=attempt.member_id, training_round=attempt.training_round_id)
    passed = earlier.filter(state=TrainingState.PASSED).aggregate(last=Max("attempt"))["last"] or 0
    return attempt.attempt - passed < attempt.training_round.tries


def _outcome(attempt: Trainee) -> Outcome:
    again = attempt.state == TrainingState.FAILED and _may_try_again(attempt)
    return Outcome(
        TrainingState(attempt.state),
        attempt.right,
        attempt.answered,
        float(attempt.training_round.pass_mark),
        again,
    )


@transaction.atomic
def try_again(membership: Membership, member_id: int) -> Trainee:
    """A lead's leave to go through the round once more. Raises Missing, Conflict ``not-failed``."""
    check_open(membership.project)
    member = (
        Membership.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project", "training_round")
        .filter(project=membership.project_id, pk=member_id, active=True)
        .first()
    )
    if member is None:
        raise Missing
    attempt = current_attempt(member)
    if attempt is None or attempt.state != TrainingState.FAILED:
        raise Conflict("not-failed", f"{member.name} does not wait for another try.")
    begun = Trainee.objects.create(
        training_round=attempt.training_round, member=member, attempt=attempt.attempt + 1
    )
    record(
        membership.user,
        membership.project,
        "training.again",
        member.name,
        id=member.pk,
        attempt=begun.attempt,
    )
    return begun
