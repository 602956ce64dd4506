"""Runs of models: what made the predictions that are compared with people."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from core.choices import QuestionKind
from core.exceptions import Conflict, Invalid
from core.models import Item, Membership, Prediction, Project, Run, User
from core.selectors.question import schema_of
from core.services.archive import check_open
from core.services.audit import record
from core.services.staging import NewAnswer

LONGEST_NAME = 120
LONGEST_PARAMETERS = 20_000


def checked_run_name(name: Any) -> str:
    """The name of a run as it is kept: NFC, without blanks around it. Raises Invalid ``bad-run``."""
    kept = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    if not kept or len(kept) > LONGEST_NAME or not kept.isprintable():
        raise Invalid("bad-run", f"A run has a name of 1 to {LONGEST_NAME} printable characters.")
    return kept


def named_run(project: Project, name: str, user: User | None) -> Run:
    """The run of this name, made where it is not there yet. Call it inside a transaction."""
    run, made = Run.objects.get_or_create(project=project, name=name, defaults={"created_by": user})
    if made:
        record(user, project, "run.created", name, id=run.pk)
    return run


@transaction.atomic
def create_run(
    membership: Membership,
    name: Any,
    *,
    code_version: Any = "",
    parameters: Any = None,
    seed: Any = None,
    predictions: Sequence[NewAnswer] = (),
) -> Run:
    """A new run with what its maker tells of it, and its checked predictions: all of it or nothing.

    Raises Invalid ``bad-run``, ``bad-code-version``, ``bad-parameters``, ``bad-seed``; Conflict
    ``run-exists``, ``questions-changed``, or ``project-archived`` in an archive.
    """
    name = checked_run_name(name)
    if not isinstance(code_version, str) or len(code_version) > LONGEST_NAME or "\0" in code_version:
        raise Invalid("bad-code-version", f"code_version is a text of at most {LONGEST_NAME} characters.")
    parameters = _checked_parameters({} if parameters is None else parameters)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise Invalid("bad-seed", "seed is a whole number, or null.")
    check_open(membership.project)
    told = {"code_version": code_version, "parameters": parameters, "seed": seed}
    run, made = Run.objects.get_or_create(
        project=membership.project, name=name, defaults={**told, "created_by": membership.user}
    )
    if not made:
        raise Conflict(
            "run-exists", "There is a run of this name. Give the new one another, or import a file into it."
        )
    _insert(run, predictions)
    record(membership.user, run.project, "run.created", name, id=run.pk, predictions=len(predictions))
    # Last, because items come before their project wherever both are locked.
    now = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(now)
    if now.schema_version != membership.project.schema_version:
        raise Conflict("questions-changed", "The questions were changed meanwhile. Send it again.")
    return run


def _checked_parameters(parameters: Any) -> dict[str, Any]:
    if not isinstance(parameters, Mapping):
        raise Invalid("bad-parameters", "parameters is an object: name to value.")
    if len(json.dumps(parameters, ensure_ascii=False)) > LONGEST_PARAMETERS:
        raise Invalid("bad-parameters", f"parameters hold at most {LONGEST_PARAMETERS:,} characters.")
    return dict(parameters)


def _insert(run: Run, predictions: Sequence[NewAnswer]) -> None:
    items = {one.item_id for one in predictions}
    version = dict(Item.objects.filter(pk__in=items).values_list("pk", "version"))
    several = {spec.id for spec in schema_of(run.project).questions if spec.kind == QuestionKind.MULTIPLE}
    Prediction.objects.bulk_create(
        (
            Prediction(
                run=run,
                item_id=one.item_id,
                item_version=version[one.item_id],
                question_id=one.question_id,
                label_class_id=one.label_class_id,
                classes=[int(pk) for pk in one.classes.split("|") if pk]
                if one.question_id in several
                else None,
                number=one.number,
                text=one.text,
                probabilities=None if one.probabilities is None else json.loads(one.probabilities),
            )
            for one in predictions
        ),
        batch_size=1000,
    )
