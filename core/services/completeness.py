"""Whether annotations answer everything that is asked, and how many places of their items they fill."""

# ruff: noqa: S608 -- what is put into the statements here are names of our own, never input

from core.choices import AuditPart, ItemState, Pass
from core.models import Project
from core.selectors.question import QuestionSpec, Schema, read_schema
from core.services.progress import recount
from core.services.staging import run

# An annotation that fills one of its item's places (of the item's present version).
COUNTS = (
    f"a.\"current\" AND a.complete AND NOT a.voided AND a.repeat = 1 AND a.pass_kind = '{Pass.NORMAL.value}'"
)


def missing(schema: Schema) -> str:
    """SQL: a row of core_annotation lacks the answer to a required question that was asked."""
    lacks = [_lacks(question, schema) for question in schema.questions if question.required]
    return f"({' OR '.join(lacks)})" if lacks else "(1 = 0)"


def _lacks(question: QuestionSpec, schema: Schema) -> str:
    """SQL: it does not answer this question although it is asked."""
    answered = (
        "EXISTS (SELECT 1 FROM core_answer x WHERE x.annotation_id = core_annotation.id "
        f"AND x.question_id = {question.id})"
    )
    condition = schema.question(question.when[0]) if question.when else None
    if condition is None or question.when is None:
        return f"NOT {answered}"
    names = question.when[1]
    ids = ", ".join(str(pk) for pk, one in condition.reads.items() if one.name in names) or "0"
    asked = (
        "EXISTS (SELECT 1 FROM core_answer x LEFT JOIN core_answerchoice c ON c.answer_id = x.id "
        f"WHERE x.annotation_id = core_annotation.id AND x.question_id = {condition.id} "
        f"AND (x.label_class_id IN ({ids}) OR c.label_class_id IN ({ids})))"
    )
    return f"({asked} AND NOT {answered})"


def lock_items(project_id: int) -> None:
    """Lock all items of a project, before the project itself: in the order in which a skip locks them."""
    run("UPDATE core_item SET lane = lane WHERE project_id = %s", project_id)


def apply_questions(project: Project) -> None:
    """After a question was added or its need was changed: find who lacks what, and count the places anew.

    Finished items that lack an answer are open again; nothing that was said is lost, and the number of
    people wanted follows the overlap (and the places that were bought). The caller has locked the items, so that every submit is either before
    this, and seen here, or after it, and sees the new questions.
    """
    lacking = missing(read_schema(project.pk))
    run(
        f"""UPDATE core_annotation SET complete = NOT {lacking} WHERE "current"
            AND item_id IN (SELECT id FROM core_item WHERE project_id = %s) AND complete = {lacking}""",
        project.pk,
    )
    wanted = f"""
        CASE WHEN core_item.audit <> '{AuditPart.NONE.value}' THEN {project.audit_overlap} + extra
             WHEN target - extra > {project.overlap} AND target - extra <= {project.overlap_most or 0} THEN target
             ELSE {project.overlap} + extra END
    """
    run(
        f"""
        UPDATE core_item SET done = f.n,
            target = CASE WHEN ({wanted}) < f.n + leased THEN f.n + leased ELSE {wanted} END,
            free = CASE WHEN state <> '{ItemState.OPEN.value}' OR ({wanted}) < f.n + leased THEN 0
                        ELSE ({wanted}) - f.n - leased END
        FROM (
            SELECT i.id, count(a.id) AS n FROM core_item i
            LEFT JOIN core_annotation a ON a.item_id = i.id AND a.item_version = i.version AND {COUNTS}
            WHERE i.project_id = %s GROUP BY i.id
        ) AS f
        WHERE core_item.id = f.id
        """,
        project.pk,
    )
    recount(project.pk)
