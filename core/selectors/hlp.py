"""What a model says as columns beside people's answers, and the items' groups."""

from collections.abc import Iterable

import numpy as np
from django.db.models import F

from core.choices import ItemState, QuestionKind
from core.models import Item, Prediction, Project, Run
from core.selectors.agreement import GoldColumns, ItemGroups, read_text
from core.selectors.question import QuestionSpec

CHUNK = 10_000


def prediction_columns(run: Run, question: QuestionSpec, names: tuple[str, ...]) -> GoldColumns:
    """What a run says about the present version of items, in the codes of ``names``, extended where needed.

    Of a single choice, a scale or a text.
    """
    said = Prediction.objects.filter(
        run=run, question_id=question.id, item_version=F("item__version")
    ).exclude(item__state=ItemState.WITHDRAWN)
    said = said.order_by("item_id")  # the same sums every time
    rows: Iterable[tuple[int, str]]
    if question.kind == QuestionKind.TEXT:
        texts = said.values_list("item_id", "text").iterator(CHUNK)
        rows = ((item, read_text(question, text)) for item, text in texts)
    else:
        reads = question.reads
        classes = said.values_list("item_id", "label_class_id").iterator(CHUNK)
        rows = ((item, reads[pk].name) for item, pk in classes if pk is not None)
    codes = {name: number for number, name in enumerate(names)}
    pairs = [(item, codes.setdefault(name, len(codes))) for item, name in rows]
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return GoldColumns(columns[:, 0], columns[:, 1], tuple(codes))


def batch_groups(project: Project) -> ItemGroups:
    """Items by the number of their batch."""
    rows = Item.objects.filter(project=project).order_by("pk").values_list("batch__number", "pk")
    columns = np.array(list(rows.iterator(CHUNK)), dtype=np.int64).reshape(-1, 2)
    numbers, group = np.unique(columns[:, 0], return_inverse=True)
    return ItemGroups(tuple(map(str, numbers.tolist())), columns[:, 1], group.astype(np.int64))
