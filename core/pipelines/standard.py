"""Free-text answers that are likely one, and what rules that read them so would do, before they are applied.

Nothing is written here: rules are put in force by services.mapping, and raw texts stay as they were given.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.choices import ItemsChoice, QuestionKind
from core.exceptions import Invalid
from core.models import Project
from core.numerics.merging import Reading, differences
from core.numerics.results import Figure
from core.numerics.table import Ints, LabelTable, factorise, find_patterns
from core.numerics.variants import Cluster, clusters
from core.selectors.agreement import AnswerColumns, Scope, answer_columns
from core.selectors.moment import one_moment
from core.selectors.question import QuestionSpec, TextRule, schema_of, text_rule
from core.services.mapping import checked_rules
from core.services.standard import check_work

MOST_CLUSTERS = 200
MOST_VARIANTS = 200
MOST_CHANGES = 200
Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Texts:
    """The answers to a text question as they are read now: different texts, how often, and the patterns of items."""

    names: tuple[str, ...]
    counts: Ints
    reading: Reading

    @classmethod
    def of(cls, columns: AnswerColumns) -> "_Texts":
        item, _items = factorise(columns.item)
        annotator, _people = factorise(columns.annotator)
        n = len(columns.names)
        patterns = find_patterns(LabelTable(item, annotator, columns.label, n)).patterns
        reading = Reading.of(patterns, ordinal=False, unsure=np.zeros(n, dtype=np.bool_), apart=False)
        return cls(columns.names, np.bincount(columns.label, minlength=n), reading)

    def agreement(self, become: Sequence[str]) -> Json:
        """Agreement as it is, as it would be with these texts instead, and the difference on the same items."""
        codes: dict[str, int] = {}
        code = np.array([codes.setdefault(text, len(codes)) for text in become], dtype=np.int64)
        after = self.reading.merged(code, len(codes))
        return {
            "before": _figures(self.reading.coefficients()),
            "after": _figures(after.coefficients()),
            "difference": _figures(differences(self.reading, after)),
        }


def text_question(project: Project, key: str | None) -> QuestionSpec:
    """The text question of this key, or the first one. Raises Invalid ``unknown-question``, ``not-a-text``."""
    questions = schema_of(project).questions
    if key is not None:
        question = schema_of(project).question(key)
        if question is None:
            raise Invalid("unknown-question", f"There is no question {key[:60]!r} here.")
        if question.kind != QuestionKind.TEXT:
            raise Invalid("not-a-text", f"The answers to {key!r} are not texts.")
        return question
    found = next((spec for spec in questions if spec.kind == QuestionKind.TEXT), None)
    if found is None:
        raise Invalid("not-a-text", "No question of this project is answered with a text.")
    return found


def variants(project: Project, question_key: str | None, *, items: str = ItemsChoice.ALL) -> Json:
    """Groups of answers that are likely one, with the form to read them as, and what that does to agreement.

    ``clusters``, those with the most answers first: ``canonical``, its ``n``, ``variants`` ({text, n, confidence}) and
    ``gain``, by how much percent agreement would rise were this group alone read as one. ``all`` is the agreement
    were every group. Raises Invalid ``unknown-question``, ``not-a-text``, ``bad-items``.
    """
    question = text_question(project, question_key)
    texts = _read(project, question, items)
    found = clusters(texts.names, texts.counts.tolist())
    whole = list(texts.names)
    rows = []
    for cluster in found[:MOST_CLUSTERS]:
        alone = list(texts.names)
        for one in cluster.variants:
            whole[one.place] = alone[one.place] = texts.names[cluster.canonical]
        rows.append(_cluster(texts, cluster, alone))
    return {
        "project": project.slug,
        "question": question.key,
        "mapping_version": project.mapping_version,
        "n_answers": int(texts.counts.sum()),
        "n_texts": len(texts.names),
        "clusters": rows,
        "cut": max(len(found) - MOST_CLUSTERS, 0),
        "all": texts.agreement(whole),
    }


def _cluster(texts: _Texts, cluster: Cluster, become: Sequence[str]) -> Json:
    codes: dict[str, int] = {}
    code = np.array([codes.setdefault(text, len(codes)) for text in become], dtype=np.int64)
    before = texts.reading.coefficients()["percent_agreement"].value
    after = texts.reading.merged(code, len(codes)).coefficients()["percent_agreement"].value
    return {
        "canonical": texts.names[cluster.canonical],
        "n": int(texts.counts[cluster.canonical]),
        "n_answers": int(texts.counts[[cluster.canonical, *(one.place for one in cluster.variants)]].sum()),
        "variants": [
            {
                "text": texts.names[one.place],
                "n": int(texts.counts[one.place]),
                "confidence": one.confidence,
            }
            for one in cluster.variants[:MOST_VARIANTS]
        ],
        "gain": None if before is None or after is None else after - before,
    }


def preview(project: Project, question_key: str | None, rules: Any, *, items: str = ItemsChoice.ALL) -> Json:
    """What rules would do, after those in force: which texts are read as what, how many answers, and agreement.

    ``changes`` are texts that would be read otherwise, the most frequent first; ``per_rule`` counts the texts and
    answers of each rule, 0 for one that nothing matches; ``overlapping`` lists texts that two rules match, where
    the later one has its way if it still matches. Raises Invalid ``bad-rules``, ``too-many-rules``,
    ``too-much-text`` and as ``variants``.
    """
    question = text_question(project, question_key)
    checked = checked_rules(rules)
    parsed = [text_rule(rule) for rule in checked]
    texts = _read(project, question, items)
    check_work((*question.rules, *parsed), texts.names)
    become, used, overlapping = _apply(parsed, texts)
    changed = [place for place, text in enumerate(texts.names) if become[place] != text]
    changed.sort(key=lambda place: (-int(texts.counts[place]), texts.names[place]))
    return {
        "project": project.slug,
        "question": question.key,
        "mapping_version": project.mapping_version,
        "rules": checked,
        "n_texts": len(changed),
        "n_answers": int(texts.counts[changed].sum()) if changed else 0,
        "n_texts_before": len(texts.names),
        "n_texts_after": len(set(become)),
        "changes": [
            {"from": texts.names[place], "to": become[place], "n": int(texts.counts[place])}
            for place in changed[:MOST_CHANGES]
        ],
        "cut": max(len(changed) - MOST_CHANGES, 0),
        "per_rule": [
            {"rule": place, "texts": used[place][0], "answers": used[place][1]}
            for place in range(len(parsed))
        ],
        "overlapping": overlapping[:MOST_CHANGES],
        "agreement": texts.agreement(become),
    }


def _apply(
    rules: Sequence[TextRule], texts: _Texts
) -> tuple[list[str], dict[int, tuple[int, int]], list[Json]]:
    """What each text becomes, how many texts and answers each rule changes, and texts that several rules match."""
    n_texts: Counter[int] = Counter()
    n_answers: Counter[int] = Counter()
    become, overlapping = [], []
    exact: dict[str, list[int]] = {}
    for place, rule in enumerate(rules):
        if rule.text is not None:
            exact.setdefault(rule.text, []).append(place)
    patterns = [place for place, rule in enumerate(rules) if rule.text is None]
    for text, n in zip(texts.names, texts.counts.tolist(), strict=True):
        read, hits = text, []
        place = -1
        while True:  # the next rule that applies to what the ones before have made of it
            until = next((at for at in exact.get(read, ()) if at > place), len(rules))
            between = (at for at in patterns if place < at < until)  # so every pattern is tried once
            place = next((at for at in between if rules[at].applies(read)), until)
            if place == len(rules):
                break
            hits.append(place)
            read = rules[place].to
        become.append(read)
        for at in hits:
            n_texts[at] += 1
            n_answers[at] += n
        if len(hits) > 1:
            overlapping.append({"text": text, "rules": hits, "to": read})
    return become, {at: (n_texts[at], n_answers[at]) for at in range(len(rules))}, overlapping


def _read(project: Project, question: QuestionSpec, items: str) -> _Texts:
    if items not in ItemsChoice.values:
        raise Invalid("bad-items", f"items is one of {', '.join(ItemsChoice.values)}.")
    with one_moment():
        return _Texts.of(answer_columns(project, question, Scope(items=items)))


def _figures(figures: dict[str, Figure]) -> Json:
    return {name: figure.to_dict() for name, figure in figures.items()}
