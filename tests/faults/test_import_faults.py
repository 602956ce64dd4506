"""An import that breaks at any statement leaves nothing, and the next worker ends it as if nothing had been."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from core.choices import ImportState, JobState
from core.models import Annotation, Gold, Import, Item, Job, Membership, Prediction, StagedAnswer, StagedItem
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.services.job import LostClaim, claim_job, take_back_abandoned
from core.services.publishing import publish
from core.services.staging import Chunk, stage
from tests.conftest import Actors
from tests.factories.imports import csv_items, import_file, queue_file
from tests.faults.nth_statement import failing_statement

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MOST_STATEMENTS = 150
ROWS = 6


def items_file(n: int) -> str:
    return csv_items(*(f"f{n}-{row}" for row in range(ROWS)))


def annotations_file(n: int) -> str:
    rows = "".join(f"a{row},w{n},answer,{'yes' if row % 2 else 'no'}\n" for row in range(ROWS))
    return f"item_id,annotator,question,label\n{rows}"


def gold_file(n: int) -> str:
    rows = "".join(f"a{row},answer,{'yes' if (row + n) % 2 else 'no'}\n" for row in range(ROWS))
    return f"item_id,question,label,note\n{rows.replace(chr(10), f',{n}{chr(10)}')}"


def count_items() -> int:
    return Item.objects.count()


def count_annotations() -> int:
    return Annotation.objects.filter(current=True).count()


def count_gold() -> int:
    return Gold.objects.count()


def predictions_file(n: int) -> str:
    return gold_file(n).replace(",note\n", ",prob.yes\n").replace(f",{n}\n", f",{'' if n % 2 else '1'}\n") + (
        f"a0,answer,no,{n}\n"  # refused by itself, and makes every file another one
    )


def count_predictions() -> int:
    return Prediction.objects.count()


def break_and_end(
    member: Membership, kind: str, content: str, n: int, count: Callable[[], int]
) -> tuple[bool, int, int]:
    """Fail the Nth statement of an import's job; whether it came to that, and what was there before and then."""
    source = queue_file(member, content, kind, run="baseline" if kind == "predictions" else "")
    assert source.job_id is not None
    before = count()
    with failing_statement(n) as fault:
        run_job(source.job_id)
    broken = count()
    if fault.fired:
        assert broken in {before, before + ROWS}
        assert (Import.objects.get(pk=source.pk).state == ImportState.PUBLISHED) == (
            Job.objects.get(pk=source.job_id).state == JobState.DONE
        )
        Job.objects.filter(pk=source.job_id).update(heartbeat_at=Now() - timedelta(minutes=1))
        take_back_abandoned()
        run_job(source.job_id)
    assert Import.objects.get(pk=source.pk).state == ImportState.PUBLISHED
    assert not StagedItem.objects.exists()
    assert not StagedAnswer.objects.exists()
    return fault.fired, before, count()


@pytest.mark.parametrize(
    ("kind", "content", "count", "added"),
    [
        ("items", items_file, count_items, ROWS),
        ("annotations", annotations_file, count_annotations, ROWS),
        ("gold", gold_file, count_gold, 0),
        ("predictions", predictions_file, count_predictions, 0),
    ],
)
def test_every_statement_of_an_import_may_fail(  # noqa: PLR0917 -- fixtures and one case
    transactional_db: None,
    actors: Actors,
    media: Any,
    kind: str,
    content: Callable[[int], str],
    count: Callable[[], int],
    added: int,
) -> None:
    member = actors.membership(actors.alice)
    import_file(member, csv_items(*(f"a{row}" for row in range(ROWS))))
    import_file(member, gold_file(0), "gold")
    import_file(member, predictions_file(0), "predictions", run="baseline")
    fired = 0
    for n in range(1, MOST_STATEMENTS):
        failed, before, after = break_and_end(member, kind, content(n), n, count)
        assert after == before + added
        if not failed:
            break
        fired += 1
    assert fired > 15
    assert fired < MOST_STATEMENTS - 2
    assert list(findings()) == []


def test_of_two_workers_only_the_one_with_the_claim_stages_and_publishes(
    transactional_db: None, actors: Actors, media: Any
) -> None:
    source = queue_file(actors.membership(actors.alice), items_file(1))
    assert source.job_id is not None
    slow = claim_job(source.job_id)
    assert slow is not None
    Job.objects.update(heartbeat_at=Now() - timedelta(minutes=1))
    run_job(source.job_id)
    assert Item.objects.count() == ROWS
    stale = Import.objects.select_related("project").get()
    with pytest.raises(LostClaim):
        stage(slow, stale, Chunk([], []), 0.5)
    with pytest.raises(LostClaim):
        publish(slow, stale)
    assert Item.objects.count() == ROWS
    assert list(findings()) == []


def test_an_upload_that_cannot_be_written_down_leaves_no_file(
    transactional_db: None, actors: Actors, media: Any
) -> None:
    member = actors.membership(actors.alice)
    for n in range(1, 30):
        with failing_statement(n) as fault, suppress(OperationalError):
            queue_file(member, items_file(n))
        left = len(list((media / "imports").iterdir()))
        assert left == Import.objects.exclude(file="").count()
        if not fault.fired:
            break
    assert Import.objects.count() == 1
