"""Columns of a query: the same on either database, whatever the texts hold."""

import numpy as np
import pytest

from core.models import Item, Project
from core.selectors.packed import packed
from tests.factories.answers import make_items

pytestmark = pytest.mark.django_db
NAMES = ["a", "é\n|,;", "\\x00", "%s", "鳥", " "]


def test_numbers_and_texts_stay_beside_each_other(project: Project) -> None:
    made = make_items(project, *NAMES)
    rows = Item.objects.filter(project=project).order_by("-pk").values_list("pk", "external_id", "position")
    item, name, position = packed(rows, ["i8", "text", "f8"])
    assert item.tolist() == [one.pk for one in reversed(made)]
    assert [text.decode() for text in name] == NAMES[::-1]
    assert position.tolist() == [float(one.position) for one in reversed(made)]
    assert (item.dtype, position.dtype) == (np.dtype("i8"), np.dtype("f8"))


def test_no_rows_are_empty_columns(project: Project) -> None:
    rows = Item.objects.filter(project=project).values_list("pk", "external_id")
    item, name = packed(rows, ["i8", "text"])
    assert (item.tolist(), list(name)) == ([], [])
