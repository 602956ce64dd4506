"""Check a batch: while it is imported, or again when the schema has changed; try a rule on items that are there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext_noop

from core.choices import Gate, QuestionKind, Severity
from core.exceptions import Invalid
from core.models import Batch, DataSchema, Import, Job, Membership, Project, ValidationRule
from core.numerics.class_balance import AnswerProfiler, ItemAnswer, class_balance, pooled_answers
from core.numerics.copies import merged_texts
from core.numerics.findings import KIND_OF, NOTE, Finding
from core.numerics.profile import KINDS, MIXED, QUANTITY, Profiler, Row, SampledText, text_of
from core.numerics.rules import ARGS, BadRule, Rule, Watch, parse_rule
from core.numerics.validation import crossed_bounds, infer_schema, pooled, validated
from core.selectors.question import schema_of
from core.selectors.validation import (
    CheckedRow,
    batch_rows,
    class_names,
    earlier_answer_validations,
    earlier_validations,
    first_rows,
    item_data,
    item_metadata,
    last_validation,
    newest_data_schema,
    rule_of,
    rules_of,
    staged_choices,
    staged_rows,
    waiting_validation,
)
from core.services.job import beat, kept_alive
from core.services.validation import (
    NewRule,
    Report,
    checked_rule_name,
    checked_severity,
    create_rule,
    edit_rule,
    keep_batch_report,
    keep_import_report,
    save_data_schema,
)

Json = dict[str, Any]

RULES = tuple(ARGS)
TYPES = (*KINDS, MIXED)
PREVIEWED = 5000
MOST_FIELDS = 1000
LONGEST_FIELD = 200
MOST_CATEGORIES = 1000
LONGEST_UNIT = 20
LONGEST_CATEGORY = 200
PROPERTIES = frozenset(
    ("type", "required", "minimum", "maximum", "shortest", "longest", "categories", "unit", "learnt", "far")
)

# What each finding says. The names in brackets are texts, made by ``_said``.
SENTENCES: Mapping[str, str] = {
    "missing-field": gettext_noop("“%(field)s” is missing in every row."),
    "missing-values": gettext_noop(
        "“%(field)s” is empty or absent in %(n)s of %(of)s rows (before: %(before)s)."
    ),
    "missing-placeholders": gettext_noop(
        "“%(field)s” holds a stand-in for a missing value (such as N/A) in %(n)s of %(of)s rows (before: %(before)s)."
    ),
    "new-field": gettext_noop("“%(field)s” is not in the schema; %(n)s of %(of)s rows have it."),
    "field-renamed": gettext_noop("“%(field)s” is gone, and “%(to)s” looks just like it: was it renamed?"),
    "types-drifted": gettext_noop(
        "The kinds of values in “%(field)s” have changed: %(share)s are of the kind %(category)s (before: %(before)s)."
    ),
    "type-changed": gettext_noop(
        "“%(field)s” should be of the kind %(bound)s; %(n)s of %(of)s values are not (mostly %(found)s)."
    ),
    "unit-changed": gettext_noop(
        "“%(field)s” is in %(bound)s; %(n)s of %(of)s values are not (mostly %(found)s)."
    ),
    "unit-missing": gettext_noop("“%(field)s” is in %(bound)s; %(n)s of %(of)s values have no unit."),
    "unit-suspected": gettext_noop(
        "“%(field)s” looks as if its unit had changed: its median is %(median)s (before: %(before)s), about %(factor)s times."
    ),
    "below-minimum": gettext_noop("%(n)s of %(of)s values of “%(field)s” are below %(bound)s."),
    "above-maximum": gettext_noop("%(n)s of %(of)s values of “%(field)s” are above %(bound)s."),
    "unseen-category": gettext_noop(
        "%(n)s of %(of)s values of “%(field)s” are none of its %(bound)s categories: %(found)s."
    ),
    "too-short": gettext_noop("%(n)s of %(of)s texts of “%(field)s” have fewer than %(bound)s characters."),
    "too-long": gettext_noop("%(n)s of %(of)s texts of “%(field)s” have more than %(bound)s characters."),
    "replacement-characters": gettext_noop(
        "“%(field)s” holds the replacement character � in %(n)s of %(of)s rows: something was read in the wrong encoding (before: %(before)s)."
    ),
    "mojibake": gettext_noop(
        "“%(field)s” holds UTF-8 that was read as another encoding (such as Ã©) in %(n)s of %(of)s rows (before: %(before)s)."
    ),
    "control-characters": gettext_noop(
        "“%(field)s” holds control characters in %(n)s of %(of)s rows (before: %(before)s)."
    ),
    "invisible-characters": gettext_noop(
        "“%(field)s” holds invisible characters in %(n)s of %(of)s rows (before: %(before)s)."
    ),
    "mixed-scripts": gettext_noop(
        "“%(field)s” has words with letters of several scripts in %(n)s of %(of)s rows (before: %(before)s)."
    ),
    "mixed-newlines": gettext_noop(
        "“%(field)s” has line ends with a carriage return in %(n)s of %(of)s rows (before: %(before)s)."
    ),
    "outliers": gettext_noop(
        "%(n)s of %(of)s values of “%(field)s” are far outside of what was seen (%(low)s to %(high)s)."
    ),
    "near-duplicates": gettext_noop(
        "%(n)s of %(of)s texts are nearly the same as another one of this batch (to be expected: %(before)s). %(sample)s"
    ),
    "near-duplicates-earlier": gettext_noop(
        "%(n)s of %(of)s texts are nearly the same as one of an earlier batch (to be expected: %(before)s). %(sample)s"
    ),
    "near-duplicates-splits": gettext_noop(
        "%(n)s of %(of)s texts stand, nearly the same, both in the audit slice and outside of it (to be expected: %(before)s). %(sample)s"
    ),
    "slice-balance-shifted": gettext_noop(
        "The shares of “%(field)s” have moved: “%(category)s” has %(share)s (before: %(before)s)."
    ),
    "class-balance-shifted": gettext_noop(
        "The balance of classes in “%(field)s” has moved: “%(category)s” has %(share)s (before: %(before)s)."
    ),
    "class-balance-in-slice-shifted": gettext_noop(
        "The balance of classes in “%(field)s” has moved where “%(slice)s” is “%(value)s”: “%(category)s” has %(share)s (before: %(before)s)."
    ),
    "numbers-drifted": gettext_noop(
        "The numbers of “%(field)s” are distributed otherwise: median %(median)s (before: %(before)s), greatest distance %(distance)s."
    ),
    "categories-drifted": gettext_noop(
        "The shares of “%(field)s” have moved: “%(category)s” has %(share)s (before: %(before)s)."
    ),
    "lengths-drifted": gettext_noop(
        "The texts of “%(field)s” have other lengths: median %(median)s characters (before: %(before)s)."
    ),
    "words-drifted": gettext_noop(
        "The texts of “%(field)s” use other words: “%(word)s” stands in %(share)s of them (before: %(before)s)."
    ),
    "schema-inferred": gettext_noop(
        "The schema is inferred from this batch: %(n)s fields. Later batches are checked by it."
    ),
    "fields-left-out": gettext_noop("There are more than 200 fields; these are not checked: %(names)s."),
    "rule-broken": gettext_noop("%(n)s of %(of)s rows break the rule “%(rule)s”."),
}
_SHARES = frozenset(
    {
        "missing-values",
        "missing-placeholders",
        *(code for code, kind in KIND_OF.items() if kind in {"encoding", "duplicate", "balance"}),
        "types-drifted",
        "categories-drifted",
        "words-drifted",
    }
)
SAMPLE = gettext_noop("Looked at %(sampled)s texts with the smallest hashes of %(looked)s.")


class Check:
    """One batch, read chunk by chunk; ``before`` is its number where it has been published."""

    def __init__(self, project: Project, before: int | None = None) -> None:
        self._project = project
        self._earlier = earlier_validations(project.pk, before)
        self.schema = newest_data_schema(project.pk)
        self._rules = [
            (rule, Watch(parse_rule(rule.document))) for rule in rules_of(project.pk).filter(active=True)
        ]
        watches = [(_rule_code(rule), watch.rule.field, watch) for rule, watch in self._rules]
        self._profiler = Profiler(self.schema.document if self.schema else None, watches)

    def add(self, rows: Sequence[Row], audit: Sequence[bool]) -> None:
        """Look at some more rows. Touches no database, so that it may run in any thread."""
        self._profiler.add(rows, audit)

    def report(self) -> Report:
        """What was found in all of them."""
        profile = self._profiler.profile()
        reference = pooled([one.profile for one in self._earlier])
        found = validated(
            self._profiler,
            self.schema.document if self.schema else None,
            reference,
            self._earlier_texts(),
            class_names(self._project),
        )
        told = [finding_document(one) for one in found]
        told += [_broken(rule, watch, self._profiler) for rule, watch in self._rules]
        told = [one for one in told if one["n"] or one["code"] != "rule-broken"]
        if self.schema is None:
            fields = profile["fields"]
            told.append(finding_document(Finding("schema-inferred", n=len(fields), of=len(fields))))
        order = {Severity.STOP.value: 0, Severity.WARN.value: 1, Severity.NOTE.value: 2}
        told.sort(key=lambda one: order[one["severity"]])
        return Report(
            n_items=self._profiler.n,
            profile=profile,
            findings=told,
            severity=told[0]["severity"] if told else NOTE,
            schema_id=self.schema.pk if self.schema else None,
        )

    def _earlier_texts(self) -> tuple[list[SampledText], int | None]:
        """The sampled texts of the batches before, read again from their items."""
        samples: list[tuple[int | None, list[SampledText]]] = []
        for one in self._earlier:
            kept = one.profile["texts"]
            rows = zip(kept["keys"], kept["rows"], kept["ids"], kept["audit"], strict=True)
            number = one.batch.number if one.batch else 0
            samples.append(
                (
                    kept["limit"],
                    [
                        SampledText(key, row, name or f"b{number}-{row}", bool(audit), "")
                        for key, row, name, audit in rows
                    ],
                )
            )
        chosen, limit = merged_texts(samples)
        data = item_data(self._project.pk, [one.id for one in chosen])
        return [replace(one, text=text_of(data[one.id])) for one in chosen if one.id in data], limit


def _rule_code(rule: ValidationRule) -> str:
    return f"rule:{rule.pk}"


def _broken(rule: ValidationRule, watch: Watch, profiler: Profiler) -> Json:
    marked = watch.ended(profiler.marks.get((_rule_code(rule), watch.rule.field)))
    finding = Finding(
        "rule-broken",
        watch.rule.field,
        severity=rule.severity,
        n=marked.n,
        of=profiler.n,
        rows=marked.rows,
        said={"rule": rule.name},
    )
    return {**finding_document(finding), "rule": rule.pk}


# --- Findings as JSON ---------------------------------------------------------------------------------


def finding_document(found: Finding) -> Json:
    """A finding as it is kept: ``said`` holds what its sentence needs, as texts, ``detail`` the sentence."""
    said = _said(found)
    return {
        "code": found.code,
        "kind": KIND_OF[found.code],
        "severity": found.severity,
        "field": found.field,
        "slice": found.slice,
        "n": found.n,
        "of": found.of,
        "share": found.share,
        "rows": list(found.rows),
        "detail": SENTENCES[found.code] % said,
        "said": said,
        "figure": None if found.figure is None else found.figure.to_dict(),
        "rule": None,
    }


def _said(found: Finding) -> dict[str, str]:
    said = dict(found.said)
    if KIND_OF[found.code] == "duplicate":
        said["sample"] = (
            ""
            if said.get("whole")
            else SAMPLE % {"sampled": f"{said['sampled']:,}", "looked": f"{said['looked']:,}"}
        )
    if found.code in _SHARES and "before" in said:
        said["before"] = percent(said["before"])
    texts = {key: _number(value) for key, value in said.items()}
    texts |= {"field": found.field, "n": f"{found.n:,}", "of": f"{found.of:,}"}
    return {**texts, "share": percent(found.share)}


def percent(share: float) -> str:
    """A share in words that are short."""
    if not share:
        return "0 %"
    if 0 < share < 0.001:  # noqa: PLR2004 -- a tenth of a percent
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"  # noqa: PLR2004 -- two digits


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


# --- Imports and jobs ---------------------------------------------------------------------------------


def validate_staged(job: Job, source: Import, check: Check, n_added: int) -> bool:
    """Keep the report on the staged rows of an import; whether it is to be held for a decision.

    Rows may have been refused after they were looked at (ids that occur twice); then the rest is looked at again.
    """
    with kept_alive(job):
        if source.accepted != n_added:
            check = Check(source.project)
            for rows in staged_rows(source):
                check.add(rows, [row.audit for row in rows])
        report = check.report()
    keep_import_report(job, source, report)
    return source.project.validation_gate == Gate.STOP and report.severity == Severity.STOP


def validate_answers(job: Job, source: Import) -> bool:
    """Keep the report on the staged annotations, gold or predictions of an import; whether to hold it for a decision.

    The classes of each choice question are compared with those of the files of the same kind before it.
    """
    asked = {question.id: question for question in schema_of(source.project).questions if question.is_choice}
    with kept_alive(job):
        profiler = AnswerProfiler()
        for several in staged_choices(source, sorted(asked)):
            answers = [ItemAnswer(str(one.question), one.who, one.classes) for one in several]
            profiler.add(several[0].item, answers)
        profile = profiler.profile(item_metadata(source.project_id, profiler.sampled()))
        into = {str(one.id): str(one.into) for question in asked.values() for one in question.merged}
        now = pooled_answers([profile], into) or profile
        reference = pooled_answers([one.profile for one in earlier_answer_validations(source)], into)
        several_of = {str(key) for key, one in asked.items() if one.kind == QuestionKind.MULTIPLE}
        keys = {str(key): one.key for key, one in asked.items()}
        names = {str(spec.id): spec.name for one in asked.values() for spec in one.classes}
        found = [
            replace(
                one,
                field=keys[one.field],
                said={**one.said, "category": names.get(one.said["category"], "?")[:60]},
            )
            for one in class_balance(now, reference, frozenset(several_of))
        ]
    told = [finding_document(one) for one in found]
    severity = told[0]["severity"] if told else NOTE
    keep_import_report(job, source, Report(profiler.n_items, profile, told, severity, None))
    return source.project.validation_gate == Gate.STOP and severity == Severity.STOP


def inferred_schema(source: Import) -> Json | None:
    """The schema that the rows of an import fit, where the project has none."""
    if newest_data_schema(source.project_id) is not None:
        return None
    report = waiting_validation(source)
    return infer_schema(report.profile) if report is not None and report.profile else None


def run_validate(job: Job) -> None:
    """Check a batch of items again, by the schema and the rules in force. Raises LostClaim, JobCancelled."""
    batch = Batch.objects.get(pk=job.arguments["batch"])
    check = Check(job.project, batch.number)
    read = 0
    with kept_alive(job):
        for rows in batch_rows(batch):
            check.add(rows, [row.audit for row in rows])
            read += len(rows)
            beat(job, 0.9 * read / max(batch.n_items, read))
        report = check.report()
    keep_batch_report(job, batch, report)


# --- Schema -------------------------------------------------------------------------------------------


def change_data_schema(
    membership: Membership, document: Any, note: str, number: int, *, check: bool = True
) -> DataSchema:
    """A new version of the schema. Raises Invalid for a wrong document, Stale, Conflict."""
    newest = newest_data_schema(membership.project_id)
    return save_data_schema(
        membership, checked_schema(document, newest.document if newest else None), note, number, check=check
    )


def beside_last_batch(project: Project, document: Any) -> Json | None:
    """What the newest batch says to a schema document; None where there is none yet.

    ``name`` of the batch, ``fields`` as they would be inferred from it, ``crossed``: the bounds of the document that
    it does not keep (core.numerics.validation.crossed_bounds). Raises Invalid for a wrong document.
    """
    last = last_validation(project.pk)
    if last is None or last.batch is None or not last.profile.get("fields"):
        return None
    newest = newest_data_schema(project.pk)
    checked = checked_schema(document, newest.document if newest else None)
    return {
        "name": str(last.batch),
        "fields": infer_schema(last.profile)["fields"],
        "crossed": crossed_bounds(last.profile, checked),
    }


def checked_schema(document: Any, before: Json | None) -> Json:
    """A schema document, complete. A field that differs from the version before loses ``learnt``: its bounds are set.

    Raises Invalid with the pointer of what is wrong, one for each field that is.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("fields"), Mapping):
        _refuse("/document", "bad-schema", "A schema is an object with fields.")
    unknown = sorted(set(map(str, document)) - {"fields", "learnt"})
    if unknown:
        _refuse(
            f"/document/{unknown[0][:60]}", "unknown-field", f"There is no {unknown[0][:60]!r} in a schema."
        )
    if len(document["fields"]) > MOST_FIELDS:
        _refuse("/document/fields", "too-many-fields", f"A schema has at most {MOST_FIELDS:,} fields.")
    known = {} if before is None else before.get("fields", {})
    fields, refused = {}, list[Json]()
    for name, wanted in document["fields"].items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_FIELD:
            _refuse(
                "/document/fields", "bad-field", f"A field's name has at most {LONGEST_FIELD} characters."
            )
        try:
            fields[name] = _checked_field(name, wanted, known.get(name))
        except Invalid as error:
            refused += error.errors
    if refused:
        raise Invalid(refused[0]["code"], refused[0]["detail"], errors=refused)
    learnt = (before or {}).get("learnt", 0) if set(fields) == set(known) else 0
    return {"learnt": learnt if before is not None else 0, "fields": fields}


def field_pointer(name: str) -> str:
    """Where errors in a field's part of a schema point to."""
    return f"/document/fields/{name[:60]}"


def _checked_field(name: str, wanted: Any, before: Json | None) -> Json:
    pointer = field_pointer(name)
    if not isinstance(wanted, Mapping):
        _refuse(pointer, "bad-field", f"{name[:60]!r} is an object: type, required, and bounds.")
    unknown = sorted(set(map(str, wanted)) - PROPERTIES)
    if unknown:
        _refuse(f"{pointer}/{unknown[0][:60]}", "unknown-field", f"A field has no {unknown[0][:60]!r}.")
    kind = wanted.get("type", MIXED)
    if not isinstance(kind, str) or kind not in TYPES:
        _refuse(f"{pointer}/type", "bad-type", f"type is one of {', '.join(TYPES)}.")
    made: Json = {"type": kind, "required": wanted.get("required", False)}
    if not isinstance(made["required"], bool):
        _refuse(f"{pointer}/required", "bad-required", "required is true or false.")
    for low, high in (("minimum", "maximum"), ("shortest", "longest")):
        for bound in (low, high):
            value = wanted.get(bound)
            if value is not None:
                made[bound] = _checked_bound(f"{pointer}/{bound}", bound, value)
        if made.get(low) is not None and made.get(high) is not None and made[low] > made[high]:
            _refuse(f"{pointer}/{high}", "bad-bound", f"{high} is below {low}.")
    made["categories"] = _checked_categories(pointer, wanted.get("categories"))
    if kind == QUANTITY or wanted.get("unit") is not None:
        made["unit"] = wanted.get("unit")
        if made["unit"] is not None and (
            not isinstance(made["unit"], str) or not 0 < len(made["unit"]) <= LONGEST_UNIT
        ):
            _refuse(f"{pointer}/unit", "bad-unit", f"unit is a text of at most {LONGEST_UNIT} characters.")
    learnt = (before or {}).get("learnt", 0)
    same = before is not None and all(
        made.get(key) == before.get(key) for key in PROPERTIES - {"learnt", "far"}
    )
    if before is not None and before.get("far") and kind == before.get("type"):
        made["far"] = before["far"]
    return {**made, "learnt": learnt if same else 0}


def _checked_bound(pointer: str, name: str, value: Any) -> float | int:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (name in {"shortest", "longest"} and (value < 0 or value != int(value))):
        _refuse(pointer, "bad-bound", f"{name} is a number.")
    return value  # type: ignore[no-any-return]


def _checked_categories(pointer: str, values: Any) -> list[str] | None:
    if values is None:
        return None
    if not isinstance(values, list) or len(values) > MOST_CATEGORIES:
        _refuse(
            f"{pointer}/categories",
            "bad-categories",
            f"categories is a list of at most {MOST_CATEGORIES:,} texts, or null.",
        )
    for value in values:
        if not isinstance(value, str) or len(value) > LONGEST_CATEGORY:
            _refuse(
                f"{pointer}/categories",
                "bad-categories",
                f"A category is a text of at most {LONGEST_CATEGORY} characters.",
            )
    return sorted(set(values))


def _refuse(pointer: str, code: str, detail: str) -> None:
    row = {"pointer": pointer, "field": pointer.split("/")[1], "code": code, "detail": detail}
    raise Invalid(code, detail, errors=[row])


# --- Rules --------------------------------------------------------------------------------------------


def save_rule(
    membership: Membership, body: Mapping[str, Any], rule_id: int | None = None, version: int = 0
) -> ValidationRule:
    """Make a rule, or change what ``body`` names of one. Raises Invalid, Stale, Conflict, Missing."""
    unknown = sorted(set(body) - {"name", "severity", "document", "active"})
    if unknown:
        raise Invalid("unknown-field", f"There is no field {unknown[0][:60]!r} here.")
    old = None if rule_id is None else rule_of(membership.project_id, rule_id)
    active = body.get("active", old.active if old else True)
    if not isinstance(active, bool):
        _refuse("/active", "bad-active", "active is true or false.")
    new = NewRule(
        name=checked_rule_name(body.get("name", old.name if old else None)),
        severity=checked_severity(body.get("severity", old.severity if old else Severity.WARN.value)),
        document=checked_rule(body.get("document", old.document if old else None)).document(),
        active=active,
    )
    if rule_id is None:
        return create_rule(membership, new)
    return edit_rule(membership, rule_id, new, version)


def checked_rule(document: Any) -> Rule:
    """A rule from its document. Raises Invalid."""
    try:
        return parse_rule(document)
    except BadRule as error:
        row = {
            "pointer": error.pointer,
            "field": error.pointer.rsplit("/", 1)[-1],
            "code": error.code,
            "detail": error.detail,
        }
        raise Invalid(error.code, error.detail, errors=[row]) from None


def preview_rule(project: Project, document: Any) -> Json:
    """How many of the project's newest items (5,000 at most) break a rule, and the first of them."""
    watch = Watch(checked_rule(document))
    profiler = Profiler(None, [("rule", watch.rule.field, watch)])
    rows: list[CheckedRow] = first_rows(project.pk, PREVIEWED)
    profiler.add(rows, [row.audit for row in rows])
    marked = watch.ended(profiler.marks.get(("rule", watch.rule.field)))
    return {"n_items": len(rows), "n_broken": marked.n, "rows": marked.rows}
