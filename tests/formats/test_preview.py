"""The first look at an upload."""

import io

from core.formats.preview import preview, suggest_mapping
from core.formats.table import Row


def test_a_preview_shows_the_first_rows_and_guesses_the_columns() -> None:
    data = b"tweet_id;Text\n" + b"".join(b"%d;hello\n" % n for n in range(50)) + b'1;"never closed'
    seen = preview(io.BytesIO(data), kind="items", count=2)
    assert (seen.format, seen.encoding, seen.delimiter) == ("csv", "utf-8", ";")
    assert seen.columns == ("tweet_id", "Text")
    assert seen.rows == (
        Row(1, 2, {"tweet_id": "0", "Text": "hello"}),
        Row(2, 3, {"tweet_id": "1", "Text": "hello"}),
    )
    assert seen.errors == ()
    assert seen.mapping == {"id": "tweet_id"}


def test_a_preview_of_json_unites_the_names_of_its_rows() -> None:
    data = b'{"id": "a", "data": {"text": "x"}}\n[1]\n{"id": "b", "meta": {}}\n'
    seen = preview(io.BytesIO(data))
    assert seen.columns == ("id", "data", "meta")
    assert [(error.row, error.code) for error in seen.errors] == [(2, "not-an-object")]


def test_annotation_columns_are_guessed_by_their_usual_names() -> None:
    columns = ("Worker ID", "task_id", "Question", "answer", "created_at", "comment")
    assert suggest_mapping(columns, "annotations") == {
        "item_id": "task_id",
        "annotator": "Worker ID",
        "question": "Question",
        "label": "answer",
        "created_at": "created_at",
    }


def test_exact_names_come_before_likenesses() -> None:
    assert suggest_mapping(("id", "item_id", "label", "gold", "question"), "gold") == {
        "item_id": "item_id",
        "question": "question",
        "label": "label",
    }


def test_in_a_file_of_predictions_the_models_column_is_the_label() -> None:
    assert suggest_mapping(("id", "gold", "pred", "question", "prob.yes"), "predictions") == {
        "item_id": "id",
        "question": "question",
        "label": "pred",
    }


def test_embeddings_are_guessed_by_their_usual_names() -> None:
    assert suggest_mapping(("uid", "text", "Vector"), "items") == {"id": "uid", "embedding": "Vector"}
    assert suggest_mapping(("id", "emb"), "embeddings") == {"item_id": "id", "embedding": "emb"}
