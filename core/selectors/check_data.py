"""Compare every counter with the facts it counts, and every row with the rules that it must keep."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from core.choices import AuditPart, Lane, Stream
from core.models import Project, Question
from core.selectors.mapping import OF_CLASSES, states_of
from core.selectors.progress import progress_of
from core.selectors.question import fold

# ruff: noqa: S608 -- what is put into the statements here are names of our own, never input

MOST_SHOWN = 20

# What fills a place of an item: a person's first complete answer to its present version.
DONE = """
    (SELECT count(*) FROM core_annotation a WHERE a.item_id = i.id AND a.item_version = i.version
        AND a."current" AND a.complete AND NOT a.voided AND a.repeat = 1 AND a.pass_kind = 'normal')
"""
LEASED = """
    (SELECT count(*) FROM core_lease l WHERE l.item_id = i.id AND l.state = 'active' AND l.pass_kind = 'normal'
        AND l.relabel_id IS NULL)
"""
HELD = "(SELECT count(*) FROM core_lease l WHERE l.annotator_id = m.id AND l.state = 'active')"
# Training rounds and trials count nowhere; what a file brought counts whatever it is called there.
COUNTED = "(a.pass_kind NOT IN ('training', 'trial') OR a.source_id IS NOT NULL)"
ANSWERED = f"""
    (SELECT count(*) FROM core_annotation a WHERE a.annotator_id = m.id AND a."current" AND NOT a.voided
        AND {COUNTED})
"""
WAITING = """
    (SELECT count(*) FROM core_relabelplace r WHERE r.annotator_id = m.id AND r.annotation_id IS NULL
        AND NOT r.dropped)
"""
RETESTED = """
    (SELECT count(*) FROM core_annotation a WHERE a.annotator_id = m.id AND a."current" AND NOT a.voided
        AND a.pass_kind = 'retest' AND m.user_id IS NOT NULL)
"""
LEASES = "(SELECT count(*) FROM core_lease l WHERE l.annotator_id = m.id)"
NOTED = "(SELECT count(*) FROM core_flag f WHERE f.item_id = i.id AND f.resolved_at IS NULL)"
BATCHED = "EXISTS (SELECT 1 FROM core_batch_members b WHERE b.membership_id = m.id)"
GIVEN = "EXISTS (SELECT 1 FROM core_batch_members g WHERE g.batch_id = b.id)"
MOST_HOLDOUT, HOLDOUT_SHARE = 300, 3


class Rule(NamedTuple):
    """Something that must be true. ``sql`` selects the ids of rows that break it; ``fixable`` says how."""

    name: str
    detail: str
    sql: str
    fixable: str = ""


class Finding(NamedTuple):
    """A rule that is broken: by how many rows, and by which (the first twenty)."""

    rule: Rule
    n: int
    ids: list[Any]


RULES = (
    Rule(
        "item-done",
        "an item's done differs from its answers",
        f"SELECT i.id FROM core_item i WHERE i.done <> {DONE}",
        "items",
    ),
    Rule(
        "item-leased",
        "an item's leased differs from its leases",
        f"SELECT i.id FROM core_item i WHERE i.leased <> {LEASED}",
        "items",
    ),
    Rule(
        "item-free",
        "an item's free places do not add up",
        "SELECT i.id FROM core_item i WHERE i.free <> CASE WHEN i.state = 'open' "
        "THEN i.target - i.done - i.leased ELSE 0 END",
        "items",
    ),
    Rule(
        "item-overlap",
        "more people than an item wants",
        "SELECT i.id FROM core_item i WHERE i.done + i.leased > i.target",
        "items",
    ),
    Rule(
        "item-flags",
        "an item's count of notes differs from its notes",
        f"SELECT i.id FROM core_item i WHERE i.flags <> {NOTED}",
        "items",
    ),
    Rule(
        "item-pool",
        "an item is kept for people of whom there are none, or open although it is theirs",
        "SELECT i.id FROM core_item i JOIN core_batch b ON b.id = i.batch_id "
        f"WHERE i.pool <> CASE WHEN {GIVEN} THEN b.id ELSE 0 END",
        "items",
    ),
    Rule(
        "member-answered",
        "a person's answered differs from their answers",
        f"SELECT m.id FROM core_membership m WHERE m.answered <> {ANSWERED}",
        "members",
    ),
    Rule(
        "member-held",
        "a person's held differs from their leases",
        f"SELECT m.id FROM core_membership m WHERE m.held <> {HELD}",
        "members",
    ),
    Rule(
        "member-retested",
        "a person's retested differs from their answered repeats",
        f"SELECT m.id FROM core_membership m WHERE m.retested <> {RETESTED}",
        "members",
    ),
    Rule(
        "member-handed",
        "a person was handed less than they have leases",
        f"SELECT m.id FROM core_membership m WHERE m.handed < {LEASES}",
        "members",
    ),
    Rule(
        "member-waiting",
        "a person's waiting differs from what waits for just them",
        f"SELECT m.id FROM core_membership m WHERE m.waiting <> {WAITING}",
        "members",
    ),
    Rule(
        "lease-pass",
        "a lease whose repeat is not that of its pass",
        "SELECT l.item_id FROM core_lease l WHERE l.pass_kind <> 'training' AND l.repeat <> "
        "CASE l.pass_kind WHEN 'retest' THEN 2 WHEN 'trial' THEN 0 ELSE 1 END",
    ),
    Rule(
        "member-batches",
        "whether a person has batches of their own is not as the batches say",
        f"SELECT m.id FROM core_membership m WHERE m.has_batches <> {BATCHED}",
        "members",
    ),
    Rule(
        "batch-items",
        "a batch's count differs from its items",
        "SELECT b.id FROM core_batch b WHERE b.n_items <> "
        "(SELECT count(*) FROM core_item i WHERE i.batch_id = b.id)",
        "batches",
    ),
    Rule(
        "annotation-current",
        "a chain of revisions has no current one, or several",
        "SELECT min(a.id) FROM core_annotation a GROUP BY a.item_id, a.annotator_id, a.item_version, a.repeat "
        'HAVING sum(CASE WHEN a."current" THEN 1 ELSE 0 END) <> 1',
    ),
    Rule(
        "annotation-newest",
        "the current revision is not the newest",
        "SELECT a.id FROM core_annotation a JOIN core_annotation o ON o.item_id = a.item_id "
        "AND o.annotator_id = a.annotator_id AND o.item_version = a.item_version AND o.repeat = a.repeat "
        'AND o.revision > a.revision WHERE a."current"',
    ),
    Rule(
        "annotation-version",
        "an answer to a version that its item never had",
        "SELECT a.id FROM core_annotation a JOIN core_item i ON i.id = a.item_id "
        "WHERE a.item_version > i.version OR a.item_version < 1",
    ),
    Rule(
        "annotation-project",
        "somebody answered an item of another project",
        "SELECT a.id FROM core_annotation a JOIN core_item i ON i.id = a.item_id "
        "JOIN core_membership m ON m.id = a.annotator_id WHERE i.project_id <> m.project_id",
    ),
    Rule(
        "lease-twice",
        "a person holds an item twice",
        "SELECT min(l.item_id) FROM core_lease l WHERE l.state = 'active' "
        "GROUP BY l.item_id, l.annotator_id HAVING count(*) > 1",
    ),
    Rule(
        "answer-question",
        "an answer to a question of another project",
        "SELECT x.id FROM core_answer x JOIN core_annotation a ON a.id = x.annotation_id "
        "JOIN core_item i ON i.id = a.item_id JOIN core_question q ON q.id = x.question_id "
        "WHERE q.project_id <> i.project_id",
    ),
    Rule(
        "answer-class",
        "an answer that is no class of its question",
        "SELECT x.id FROM core_answer x JOIN core_question q ON q.id = x.question_id "
        "LEFT JOIN core_labelclass c ON c.id = x.label_class_id "
        "WHERE (c.id IS NOT NULL AND c.question_id <> x.question_id) "
        "OR (q.kind IN ('single', 'scale')) <> (c.id IS NOT NULL)",
    ),
    Rule(
        "answer-choices",
        "a ticked class that is no class of its question",
        "SELECT t.id FROM core_answerchoice t JOIN core_answer x ON x.id = t.answer_id "
        "JOIN core_question q ON q.id = x.question_id JOIN core_labelclass c ON c.id = t.label_class_id "
        "WHERE c.question_id <> x.question_id OR q.kind <> 'multiple'",
    ),
    Rule(
        "answer-empty",
        "an annotation without any answer",
        "SELECT a.id FROM core_annotation a WHERE NOT EXISTS "
        "(SELECT 1 FROM core_answer x WHERE x.annotation_id = a.id)",
    ),
    Rule(
        "gold-class",
        "a gold value that is no class of its question, or of another project's",
        "SELECT g.id FROM core_gold g JOIN core_question q ON q.id = g.question_id "
        "JOIN core_item i ON i.id = g.item_id LEFT JOIN core_labelclass c ON c.id = g.label_class_id "
        "WHERE q.project_id <> i.project_id OR c.question_id <> q.id",
    ),
    Rule(
        "audit-holdout",
        "the holdout is larger than a third of the audit slice, or than 300",
        "SELECT i.project_id FROM core_item i WHERE i.audit <> '' GROUP BY i.project_id "
        f"HAVING sum(CASE WHEN i.audit = 'holdout' THEN 1 ELSE 0 END) > {MOST_HOLDOUT} "
        f"OR {HOLDOUT_SHARE} * sum(CASE WHEN i.audit = 'holdout' THEN 1 ELSE 0 END) > count(*)",
    ),
    Rule(
        "item-picked",
        "an item in the lane of picks that no round has put there, or beyond the lane's end",
        "SELECT i.id FROM core_item i JOIN core_project p ON p.id = i.project_id "
        f"WHERE i.lane = {Lane.PICKED.value} AND (i.position > p.picked OR NOT EXISTS "
        "(SELECT 1 FROM core_pick k JOIN core_selection s ON s.id = k.selection_id "
        "WHERE k.item_id = i.id AND s.applied_at IS NOT NULL))",
        "lanes",
    ),
    Rule(
        "pick-stream",
        "a pick that is not of the part of the items that its stream draws from",
        "SELECT k.id FROM core_pick k JOIN core_item i ON i.id = k.item_id WHERE i.audit <> "
        f"CASE k.stream WHEN '{Stream.AUDIT.value}' THEN '{AuditPart.STREAM.value}' "
        f"WHEN '{Stream.HOLDOUT.value}' THEN '{AuditPart.HOLDOUT.value}' ELSE '{AuditPart.NONE.value}' END",
    ),
    Rule(
        "pick-project",
        "a round that chose an item of another project",
        "SELECT k.id FROM core_pick k JOIN core_item i ON i.id = k.item_id "
        "JOIN core_selection s ON s.id = k.selection_id WHERE s.project_id <> i.project_id",
    ),
    Rule(
        "round-queue",
        "several rounds of a project are in the queue at once",
        "SELECT s.project_id FROM core_selection s WHERE s.applied_at IS NOT NULL AND s.ended_at IS NULL "
        "GROUP BY s.project_id HAVING count(*) > 1",
    ),
    Rule(
        "staged-rows",
        "staged rows of an import that has ended",
        "SELECT s.id FROM core_import s WHERE s.state IN ('published', 'repeated', 'discarded', 'failed') "
        "AND (EXISTS (SELECT 1 FROM core_stageditem t WHERE t.source_id = s.id) "
        "OR EXISTS (SELECT 1 FROM core_stagedanswer t WHERE t.source_id = s.id))",
        "staging",
    ),
)
MAPPED = Rule(
    "class-mapping",
    "a class is not called or read as the mappings in force say",
    "",
)
TOTALS = Rule(
    "project-totals", "a project's totals and outbox differ from its items and answers", "", "totals"
)
FACTS = f"""
    SELECT (SELECT count(*) FROM core_item i WHERE i.project_id = %(id)s AND i.state <> 'withdrawn'),
        (SELECT count(*) FROM core_item i WHERE i.project_id = %(id)s AND i.state = 'open' AND i.free = 0
            AND i.leased = 0 AND i.done > 0),
        (SELECT count(*) FROM core_annotation a JOIN core_item i ON i.id = a.item_id
            AND i.version = a.item_version WHERE i.project_id = %(id)s AND a."current" AND NOT a.voided
            AND {COUNTED})
"""


def findings() -> Iterator[Finding]:
    """Every rule that is broken. Run it within ``one_moment`` when people are at work."""
    for rule in RULES:
        found = _broken(rule)
        if found.n:
            yield found
    misread = _misread()
    if misread:
        yield Finding(MAPPED, len(misread), misread[:MOST_SHOWN])
    wrong = [pk for pk in Project.objects.order_by("pk").values_list("pk", flat=True) if not _totals_hold(pk)]
    if wrong:
        yield Finding(TOTALS, len(wrong), wrong[:MOST_SHOWN])


def broken_ids(rule: Rule) -> list[Any]:
    """All rows that break a rule."""
    with connection.cursor() as cursor:
        cursor.execute(rule.sql)
        return [row[0] for row in cursor.fetchall()]


def _broken(rule: Rule) -> Finding:
    ids = broken_ids(rule)
    return Finding(rule, len(ids), ids[:MOST_SHOWN])


def _misread() -> list[int]:
    """Classes that differ from what the mappings make of them, of the questions that have either."""
    mapped = Q(mappings__kind__in=OF_CLASSES) | Q(classes__merged_into__isnull=False)
    wrong = []
    for question in Question.objects.filter(mapped).order_by("pk").distinct():
        states = states_of(question)
        wrong += [
            spec.pk
            for spec in question.classes.order_by("pk")
            if (spec.name, spec.merged_into_id) != (states[spec.pk].name, states[spec.pk].into)
            or spec.name_key != fold(spec.name)
        ]
    return wrong


def _totals_hold(project_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(FACTS, {"id": project_id})
        items, done, annotations = cursor.fetchone()
    told = progress_of(project_id)
    return (told.items, told.items_done, told.annotations) == (items, done, annotations)
