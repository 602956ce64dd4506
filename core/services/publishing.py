"""Publishing: every accepted row of an import becomes visible in one step, by whoever holds the job's claim."""

# ruff: noqa: S608 -- what is put into the statements here are names of our own, never input

from django.db import connection, transaction
from django.db.models import Max, Min

from core.choices import AuditPart, ImportKind, ImportState, ItemState, Lane, Pass, QuestionKind
from core.exceptions import Conflict
from core.models import Batch, Import, Item, Job, Membership, Outbox, Project
from core.selectors.question import Schema, schema_of
from core.services.audit import record
from core.services.completeness import COUNTS, missing
from core.services.features import start_features
from core.services.imports import clear_staging, forget_file, result_of
from core.services.job import beat, finish_job
from core.services.run import named_run
from core.services.staging import (
    BATCH_SHIFT,
    Refused,
    allow_memory,
    analyse,
    count_published,
    refuse,
    run,
    settle_again,
)
from core.services.standard import refresh_imported

MOST_HOLDOUT = 300
HOLDOUT_SHARE = 3
# A prime: the remainder orders the slice otherwise than the queue does.
HOLDOUT_PRIME = 1_000_003
LOCK_SPACE = 0x1AB


@transaction.atomic
def publish(job: Job, source: Import, settled: int | None = None) -> None:
    """Publish, forget the staged rows and the file, end the job: all of it or nothing.

    ``settled`` is what ``settle`` returned, when it was called just before.
    Raises LostClaim when another worker has the job, Conflict ``questions-changed`` when somebody changed
    the questions since the rows were checked, Conflict ``no-rows-accepted`` when none is left.
    """
    beat(job, 0.9)
    allow_memory()
    _one_at_a_time(source.project_id)
    settle_again(source, settled)
    if not source.accepted and source.rejected:
        raise Conflict("no-rows-accepted", "Every row of the file was refused.")
    counts: dict[str, int] = {}
    if source.kind == ImportKind.ITEMS:
        _publish_items(source)
    elif source.kind == ImportKind.EMBEDDINGS:
        counts["replaced"] = _publish_embeddings(source)
    elif source.kind == ImportKind.GOLD:
        _publish_gold(source)
    elif source.kind == ImportKind.PREDICTIONS:
        counts["replaced"] = _publish_predictions(source)
    else:
        _publish_annotations(source)
    Outbox.objects.create(project_id=source.project_id, changes=1)  # reports of before are old
    clear_staging(source)
    forget_file(source)
    source.state = ImportState.PUBLISHED
    source.save()
    finish_job(job, {**result_of(source), **counts})
    counts |= {"rows": source.rows, "accepted": source.accepted, "rejected": source.rejected}
    record(job.created_by, source.project, "import.published", source.file_name, id=source.pk, **counts)


def _one_at_a_time(project_id: int) -> None:
    """Let imports of one project wait for each other; SQLite has one writer anyway.

    Not by a lock on the project's row: people who skip an item lock the item first and the project then.
    """
    if connection.vendor == "postgresql":
        run("SELECT pg_advisory_xact_lock(%s, %s)", LOCK_SPACE, project_id % 2**31)


# --- Items ------------------------------------------------------------------------------------------

ITEM_ID = (
    "CASE WHEN s.external_id = '' THEN 'b' || CAST(%s AS TEXT) || '-' || s.\"row\" ELSE s.external_id END"
)


def _publish_items(source: Import) -> None:
    project = Project.objects.get(pk=source.project_id)
    number = (Batch.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0) + 1
    clash = (
        f"SELECT s.id FROM core_stageditem s JOIN core_item i ON i.external_id = {ITEM_ID} "
        "AND i.project_id = %s WHERE s.source_id = %s AND s.external_id = ''"
    )
    why = Refused(0, 0, "id", "duplicate-id", "An item of this project has the id that this row would get.")
    refuse(source, "core_stageditem", clash, (number, project.pk, source.pk), why)
    if not source.accepted:
        return
    batch = Batch.objects.create(
        project=project,
        number=number,
        name=source.file_name,
        file_hash=source.file_hash,
        n_items=source.accepted,
    )
    _choose_holdout(source)
    _insert_items(source, project, batch)
    analyse("core_item")
    _insert_vectors(source, batch.number)
    source.batch = batch
    Outbox.objects.create(project=project, items=source.accepted)
    _follow_overlap(project, batch)
    if project.selection_on:
        start_features(project, None)


def _choose_holdout(source: Import) -> None:
    """Mark at most a third of the project's slice, and at most 300 items, by the ids' hash alone."""
    audited = Item.objects.filter(project=source.project_id).exclude(audit=AuditPart.NONE)
    held = audited.filter(audit=AuditPart.HOLDOUT).count()
    staged = source.staged_items.exclude(audit=AuditPart.NONE).count()
    room = min(MOST_HOLDOUT, (audited.count() + staged) // HOLDOUT_SHARE) - held
    if room > 0:
        run(
            "UPDATE core_stageditem SET audit = %s WHERE id IN (SELECT id FROM core_stageditem "
            f'WHERE source_id = %s AND audit <> %s ORDER BY position %% {HOLDOUT_PRIME}, "row" LIMIT %s)',
            *(AuditPart.HOLDOUT.value, source.pk, AuditPart.NONE.value, room),
        )


def _insert_items(source: Import, project: Project, batch: Batch) -> None:
    target = "CASE WHEN s.audit = '' THEN %s ELSE %s END"
    run(
        f"""
        INSERT INTO core_item (project_id, batch_id, "row", external_id, version, data, meta, audit, state,
            pool, lane, position, target, done, leased, free, skips, flags)
        SELECT %s, %s, s."row", {ITEM_ID}, 1, s.data, s.meta, s.audit, %s,
            0, %s, s.position + %s, {target}, 0, 0, {target}, 0, 0
        FROM core_stageditem s WHERE s.source_id = %s ORDER BY s."row"
        """,
        *(project.pk, batch.pk, batch.number, ItemState.OPEN.value, Lane.MAIN.value),
        batch.number << BATCH_SHIFT,
        *((project.overlap, project.audit_overlap) * 2),
        source.pk,
    )


def _follow_overlap(project: Project, batch: Batch) -> None:
    """If the overlap was changed while the rows went in, give them the new one."""
    now = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    for parts, old, new in (
        ([AuditPart.NONE], project.overlap, now.overlap),
        ([AuditPart.HOLDOUT, AuditPart.STREAM], project.audit_overlap, now.audit_overlap),
    ):
        if old != new:
            Item.objects.filter(batch=batch, audit__in=parts).update(target=new, free=new)


# --- Embeddings -------------------------------------------------------------------------------------


def _publish_embeddings(source: Import) -> int:
    """A later vector of an item replaces the earlier one; returns how many were replaced."""
    replaced = _count(
        "SELECT count(*) FROM core_stageditem s JOIN core_item i ON i.external_id = s.external_id "
        "AND i.project_id = %s JOIN core_itemvector v ON v.item_id = i.id WHERE s.source_id = %s",
        *(source.project_id, source.pk),
    )
    _insert_vectors(source)
    return replaced


def _insert_vectors(source: Import, batch_number: int = 0) -> None:
    """Give their vectors to the items of the staged rows; rows without an id are items of this batch."""
    made = run(
        f"""
        INSERT INTO core_itemvector (item_id, content)
        SELECT i.id, s.vector FROM core_stageditem s
        JOIN core_item i ON i.project_id = %s AND i.external_id = {ITEM_ID}
        WHERE s.source_id = %s AND s.vector IS NOT NULL
        ON CONFLICT (item_id) DO UPDATE SET content = excluded.content
        """,
        *(source.project_id, batch_number, source.pk),
    )
    if made:
        analyse("core_itemvector")


# --- Annotations ------------------------------------------------------------------------------------

# Staged answers with the item's present version and the person's membership.
STAGED = """
    core_stagedanswer s
    JOIN core_item i ON i.id = s.item_id
    JOIN core_membership m ON m.project_id = %s AND m.name = s.annotator AND m.user_id IS NULL
"""
FINISHED = "state = 'open' AND free = 0 AND leased = 0 AND done > 0"
AFFECTED = "SELECT item_id FROM core_stagedanswer WHERE source_id = %s"


def _publish_annotations(source: Import) -> None:
    project = Project.objects.get(pk=source.project_id)
    schema = schema_of(project)
    _make_members(source)
    _lock_items(source)
    finished = _count(f"SELECT count(*) FROM core_item WHERE id IN ({AFFECTED}) AND {FINISHED}", source.pk)
    continued = _close_continued(source) if count_published(source) else 0
    made = _insert_annotations(source, project, continued=continued > 0)
    analyse("core_annotation")
    _insert_answers(source, schema)
    analyse("core_answer")
    if continued:
        _carry_over(source)
    refresh_imported(source, schema)
    _mark_incomplete(source, schema)
    _count_items(source)
    _count_members(source)
    finished = (
        _count(f"SELECT count(*) FROM core_item WHERE id IN ({AFFECTED}) AND {FINISHED}", source.pk)
        - finished
    )
    Outbox.objects.create(project=project, annotations=made - continued, items_done=finished)
    check_schema(project)


def check_schema(project: Project) -> None:
    """The questions must still be the ones that completeness was judged by; lock them until the end."""
    now = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if now.schema_version != project.schema_version:
        raise Conflict("questions-changed", "The questions were changed meanwhile. Import the file again.")


def _count(sql: str, *params: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.fetchone()[0])


def _make_members(source: Import) -> None:
    """Unknown annotators become members who cannot sign in, in the order in which the file names them.

    Reports add up in the order of the members, so the same file is to make the same order every time.
    """
    first = source.staged_answers.order_by().values("annotator").annotate(first=Min("row"))
    names = first.order_by("first").values_list("annotator", flat=True)
    known = set(Membership.objects.filter(project=source.project_id).values_list("name", flat=True))
    Membership.objects.bulk_create(
        (Membership(project_id=source.project_id, name=name) for name in names if name not in known),
        batch_size=2000,
    )
    analyse("core_membership")


def _lock_items(source: Import) -> None:
    """Lock the items in one order, so that counts read afterwards stay true until the end."""
    if connection.vendor == "postgresql":
        _count(
            f"SELECT count(*) FROM (SELECT id FROM core_item WHERE id IN ({AFFECTED}) "
            "ORDER BY id FOR NO KEY UPDATE) AS locked",
            source.pk,
        )


def _close_continued(source: Import) -> int:
    """Annotations that get answers to further questions are followed by a new revision; returns how many."""
    return run(
        f"""
        UPDATE core_annotation SET "current" = false WHERE id IN (
            SELECT a.id FROM {STAGED}
            JOIN core_annotation a ON a.item_id = s.item_id AND a.annotator_id = m.id
                AND a.item_version = i.version AND a.repeat = s.repeat AND a."current"
            WHERE s.source_id = %s)
        """,
        *(source.project_id, source.pk),
    )


def _insert_annotations(source: Import, project: Project, *, continued: bool) -> int:
    """One annotation for the rows of one person, item and repeat; returns how many.

    Unknown columns are kept as they stand where the rows agree, else by question.
    """
    by_question = (
        "jsonb_object_agg(q.key, s.extra)"
        if connection.vendor == "postgresql"
        else "json_group_object(q.key, json(s.extra))"
    )
    plain = "CAST(max(CAST(s.extra AS TEXT)) AS jsonb)"
    if connection.vendor != "postgresql":
        plain = "max(s.extra)"
    # Looking for earlier revisions only when there are any: planned on an empty table, it would read the
    # growing one from end to end for every row.
    earlier, revision, params = "", "1", []
    if continued:
        revision = "1 + COALESCE(max(o.revision), 0)"
        earlier = f"""
            LEFT JOIN (SELECT item_id, annotator_id, item_version, repeat, max(revision) AS revision
                FROM core_annotation WHERE item_id IN ({AFFECTED})
                GROUP BY item_id, annotator_id, item_version, repeat) AS o
            ON o.item_id = s.item_id AND o.annotator_id = m.id AND o.item_version = i.version
                AND o.repeat = s.repeat
        """
        params = [source.pk]
    return run(
        f"""
        INSERT INTO core_annotation (item_id, item_version, annotator_id, pass_kind, repeat, revision,
            "current", complete, voided, guideline_id, request_hash, elapsed_ms, comment, answered_at,
            source_id, extra)
        SELECT s.item_id, i.version, m.id, COALESCE(NULLIF(max(s.pass_kind), ''), '{Pass.NORMAL.value}'),
            s.repeat, {revision},
            true, true, false, %s, '', max(s.elapsed_ms), '', max(s.answered_at), %s,
            CASE WHEN count(s.extra) = 0 THEN NULL
                 WHEN min(CAST(s.extra AS TEXT)) = max(CAST(s.extra AS TEXT)) AND count(s.extra) = count(*)
                 THEN {plain} ELSE {by_question} END
        FROM {STAGED} JOIN core_question q ON q.id = s.question_id {earlier}
        WHERE s.source_id = %s GROUP BY s.item_id, i.version, m.id, s.repeat ORDER BY min(s."row")
        """,
        *(project.guideline_id, source.pk, source.project_id, *params, source.pk),
    )


# The annotation that a staged answer has become part of.
MADE = """
    JOIN core_annotation a ON a.item_id = s.item_id AND a.annotator_id = m.id AND a.repeat = s.repeat
        AND a.source_id = s.source_id AND a."current"
"""


def _insert_answers(source: Import, schema: Schema) -> None:
    run(
        f"""
        INSERT INTO core_answer (annotation_id, question_id, label_class_id, number, text, fingerprint)
        SELECT a.id, s.question_id, s.label_class_id, s.number, s.text, s.fingerprint
        FROM {STAGED} {MADE} WHERE s.source_id = %s
        """,
        *(source.project_id, source.pk),
    )
    if any(question.kind == QuestionKind.MULTIPLE for question in schema.questions):
        run(
            f"""
            INSERT INTO core_answerchoice (answer_id, label_class_id)
            SELECT x.id, c.id FROM {STAGED} {MADE}
            JOIN core_answer x ON x.annotation_id = a.id AND x.question_id = s.question_id
            JOIN core_labelclass c ON c.question_id = s.question_id AND {_ticks("c.id")}
            WHERE s.source_id = %s AND s.classes <> ''
            """,
            *(source.project_id, source.pk),
        )


def _ticks(class_id: str) -> str:
    """Whether a staged answer's list of classes holds one of them."""
    return f"s.classes LIKE '%%|' || CAST({class_id} AS TEXT) || '|%%'"


def _carry_over(source: Import) -> None:
    """Copy the earlier revision's answers to the questions that the new rows do not answer."""
    pairs = """
        core_annotation n JOIN core_annotation o ON o.item_id = n.item_id AND o.annotator_id = n.annotator_id
            AND o.item_version = n.item_version AND o.repeat = n.repeat AND o.revision = n.revision - 1
        JOIN core_answer x ON x.annotation_id = o.id
    """
    mine = 'n.source_id = %s AND n."current"'
    own = "SELECT 1 FROM core_answer y WHERE y.annotation_id = n.id AND y.question_id = x.question_id"
    run(
        f"""
        INSERT INTO core_answer (annotation_id, question_id, label_class_id, number, text, standard, fingerprint)
        SELECT n.id, x.question_id, x.label_class_id, x.number, x.text, x.standard, x.fingerprint
        FROM {pairs} WHERE {mine} AND NOT EXISTS ({own})
        """,
        source.pk,
    )
    run(
        f"""
        INSERT INTO core_answerchoice (answer_id, label_class_id)
        SELECT y.id, c.label_class_id FROM {pairs}
        JOIN core_answerchoice c ON c.answer_id = x.id
        JOIN core_answer y ON y.annotation_id = n.id AND y.question_id = x.question_id
        WHERE {mine} AND y.fingerprint = x.fingerprint
        """,
        source.pk,
    )


def _mark_incomplete(source: Import, schema: Schema) -> None:
    """An annotation that lacks a required question does not fill a place, and still counts for agreement."""
    run(
        f'UPDATE core_annotation SET complete = false WHERE source_id = %s AND "current" AND {missing(schema)}',
        source.pk,
    )


def _count_items(source: Import) -> None:
    """Imported people count as done, and an item with more of them than its target wants them all."""
    run(
        f"""
        UPDATE core_item SET done = f.n,
            target = CASE WHEN target < f.n + leased THEN f.n + leased ELSE target END,
            free = CASE WHEN state <> '{ItemState.OPEN.value}' OR target < f.n + leased THEN 0
                        ELSE target - f.n - leased END
        FROM (
            SELECT a.item_id, count(*) AS n FROM core_annotation a
            JOIN core_item i ON i.id = a.item_id AND i.version = a.item_version
            WHERE a.item_id IN ({AFFECTED}) AND {COUNTS}
            GROUP BY a.item_id
        ) AS f
        WHERE core_item.id = f.item_id
        """,
        source.pk,
    )


def _count_members(source: Import) -> None:
    run(
        """
        UPDATE core_membership SET answered = f.n FROM (
            SELECT a.annotator_id, count(*) AS n FROM core_annotation a
            JOIN core_membership m ON m.id = a.annotator_id
            WHERE m.project_id = %s AND m.user_id IS NULL AND a."current" AND NOT a.voided
            GROUP BY a.annotator_id
        ) AS f
        WHERE core_membership.id = f.annotator_id AND core_membership.answered <> f.n
        """,
        source.project_id,
    )


# --- Gold -------------------------------------------------------------------------------------------


def _publish_gold(source: Import) -> None:
    """A later file about the same item and question replaces what an earlier one said."""
    project = Project.objects.get(pk=source.project_id)
    run(
        """
        INSERT INTO core_gold (item_id, question_id, label_class_id, number, text)
        SELECT item_id, question_id, label_class_id, number, text FROM core_stagedanswer WHERE source_id = %s
        ON CONFLICT (item_id, question_id) DO UPDATE SET label_class_id = excluded.label_class_id,
            number = excluded.number, text = excluded.text, resolution_id = NULL
        """,
        source.pk,
    )
    stated = (
        "core_gold g JOIN core_stagedanswer s ON s.item_id = g.item_id AND s.question_id = g.question_id "
        "AND s.source_id = %s"
    )
    run(f"DELETE FROM core_gold_label_classes WHERE gold_id IN (SELECT g.id FROM {stated})", source.pk)
    run(
        f"""
        INSERT INTO core_gold_label_classes (gold_id, labelclass_id)
        SELECT g.id, c.id FROM {stated}
        JOIN core_labelclass c ON c.question_id = s.question_id AND {_ticks("c.id")}
        WHERE s.classes <> ''
        """,
        source.pk,
    )
    check_schema(project)


# --- Predictions ------------------------------------------------------------------------------------


def _publish_predictions(source: Import) -> int:
    """A later file of the same run replaces what an earlier one said about the same item and question.

    Returns how many were replaced.
    """
    project = Project.objects.get(pk=source.project_id)
    made = named_run(project, source.run_name, source.created_by)
    replaced = _count(
        "SELECT count(*) FROM core_stagedanswer s JOIN core_prediction p ON p.question_id = s.question_id "
        "AND p.item_id = s.item_id WHERE p.run_id = %s AND s.source_id = %s",
        *(made.pk, source.pk),
    )
    listed = "'[' || replace(trim(s.classes, '|'), '|', ',') || ']'"
    if connection.vendor == "postgresql":
        listed = f"CAST({listed} AS jsonb)"
    run(
        f"""
        INSERT INTO core_prediction (run_id, item_id, item_version, question_id, label_class_id, classes,
            number, text, probabilities)
        SELECT %s, s.item_id, i.version, s.question_id, s.label_class_id,
            CASE WHEN s.classes = '' THEN NULL ELSE {listed} END, s.number, s.text, s.probabilities
        FROM core_stagedanswer s JOIN core_item i ON i.id = s.item_id WHERE s.source_id = %s
        ON CONFLICT (run_id, question_id, item_id) DO UPDATE SET item_version = excluded.item_version,
            label_class_id = excluded.label_class_id, classes = excluded.classes, number = excluded.number,
            text = excluded.text, probabilities = excluded.probabilities
        """,
        *(made.pk, source.pk),
    )
    analyse("core_prediction")
    check_schema(project)
    return replaced
