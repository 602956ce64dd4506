"""What an item, an annotation and a gold answer must look like (A69, A71)."""

import json
import struct
from datetime import UTC, datetime

import pytest

from core.formats.errors import FileError, RowError
from core.formats.rows import (
    MOST_NUMBERS,
    AnnotationRow,
    EmbeddingRow,
    GoldRow,
    ItemRow,
    PredictionRow,
    annotation_rows,
    embedding_rows,
    gold_rows,
    item_rows,
    prediction_rows,
)
from core.formats.table import Row
from tests.formats.reading import read_stream


def items(text: str, columns: dict[str, str] | None = None) -> list[ItemRow | RowError]:
    return list(item_rows(read_stream(text), columns))


def annotations(text: str, columns: dict[str, str] | None = None) -> list[AnnotationRow | RowError]:
    return list(annotation_rows(read_stream(text), columns))


def gold(text: str, columns: dict[str, str] | None = None) -> list[GoldRow | RowError]:
    return list(gold_rows(read_stream(text), columns))


def predictions(text: str, columns: dict[str, str] | None = None) -> list[PredictionRow | RowError]:
    return list(prediction_rows(read_stream(text), columns))


def embeddings(text: str, columns: dict[str, str] | None = None) -> list[EmbeddingRow | RowError]:
    return list(embedding_rows(read_stream(text), columns))


def floats(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def refused(
    rows: list[AnnotationRow | RowError]
    | list[ItemRow | RowError]
    | list[PredictionRow | RowError]
    | list[EmbeddingRow | RowError],
) -> list[tuple[int, str | None, str]]:
    return [(row.row, row.column, row.code) for row in rows if isinstance(row, RowError)]


def test_items_from_csv() -> None:
    assert items("id,text,hypothesis,meta.task\nrte1,A film,Two films,IR\n") == [
        ItemRow(1, 2, "rte1", {"text": "A film", "hypothesis": "Two films"}, {"task": "IR"})
    ]


def test_items_without_an_id_column() -> None:
    assert items("text\nA film\n") == [ItemRow(1, 2, None, {"text": "A film"}, {})]


def test_nested_items_from_json_lines() -> None:
    row = {"id": "a", "data": {"text": "x", "pair": ["y", {"z": 1}]}, "meta": {"n": 7}}
    assert items(lines(row)) == [ItemRow(1, 1, "a", {"text": "x", "pair": ["y", {"z": 1}]}, {"n": 7})]


def test_keys_beside_data_are_kept_as_meta() -> None:
    row = {"id": "train0", "data": {"text": "x"}, "gold": "card_arrival", "split": "train"}
    assert items(lines(row)) == [
        ItemRow(1, 1, "train0", {"text": "x"}, {"gold": "card_arrival", "split": "train"})
    ]


def test_flat_items_from_json_lines() -> None:
    row = {"id": 17, "text": "x", "data": "a column of this name", "meta.n": 7}
    assert items(lines(row)) == [
        ItemRow(1, 1, "17", {"text": "x", "data": "a column of this name"}, {"n": 7})
    ]


def test_columns_give_other_names_to_flat_items() -> None:
    columns = {"id": "tweet_id", "text": "body", "meta.lang": "language"}
    assert items("tweet_id,body,language,more\n1,x,en,y\n", columns) == [
        ItemRow(1, 2, "1", {"text": "x", "more": "y"}, {"lang": "en"})
    ]


def test_columns_give_other_names_to_nested_items() -> None:
    row = {"data": {"tweet_id": "1", "body": "x"}, "meta": {"language": "en"}, "split": "train"}
    columns = {"id": "tweet_id", "text": "body", "meta.lang": "meta.language"}
    assert items(lines(row), columns) == [ItemRow(1, 1, "1", {"text": "x"}, {"lang": "en", "split": "train"})]


def test_ids_are_kept_byte_exactly() -> None:
    assert [row.id for row in items('id,text\n" a ",x\ne\u0301,x\n') if isinstance(row, ItemRow)] == [
        " a ",
        "e\u0301",
    ]


@pytest.mark.parametrize(
    ("bad_id", "code"),
    [
        ("", "empty-value"),
        ("x" * 201, "too-long"),
        ("a\tb", "control-character"),
        ("a\u2028b", "control-character"),
        (1.5, "wrong-type"),
        (True, "wrong-type"),
        (["a"], "wrong-type"),
    ],
)
def test_bad_ids_refuse_their_row(bad_id: object, code: str) -> None:
    rows = items(lines({"id": bad_id, "text": "x"}, {"id": None, "text": "x"}, {"text": "x"}))
    assert refused(rows) == [(1, "id", code)]


def test_items_with_nothing_to_label_are_refused() -> None:
    rows = items(lines({"id": "a", "data": {}}, {"id": "b"}, {"id": "c", "data": {"t": 1}, "meta": 5}))
    assert refused(rows) == [(1, "data", "no-data"), (2, "data", "no-data"), (3, "meta", "not-an-object")]


@pytest.mark.parametrize(
    ("text", "columns", "code", "data"),
    [
        ("id,text\na,b\n", {"id": "tweet_id"}, "missing-column", {"column": "tweet_id"}),
        ("id,body,text\na,b,c\n", {"text": "body"}, "column-conflict", {"column": "text"}),
        ("a,b\n1,2\n", {"id": "a", "text": "a"}, "column-conflict", {"column": "a"}),
        ("id,meta.n\na,1\n", None, "no-data-columns", {"columns": ["id", "meta.n"]}),
    ],
)
def test_columns_that_cannot_be_used_refuse_the_file(
    text: str, columns: dict[str, str] | None, code: str, data: dict[str, object]
) -> None:
    with pytest.raises(FileError) as error:
        items(text, columns)
    assert (error.value.code, error.value.data) == (code, data)


def test_row_errors_of_the_reader_pass_through() -> None:
    assert refused(items("id,text\na\nb,x\n")) == [(1, None, "ragged-row")]


HEADER = "item_id,annotator,question,label,created_at,elapsed_ms,repeat,pass,example_no"


def test_annotations_from_csv() -> None:
    assert annotations(
        f"{HEADER}\nca1,Bob,severity,1,2016-01-31T16:59:52Z,1500,2,retest,0\nca1,Bob,severity,-1,,,,,\n"
    ) == [
        AnnotationRow(
            number=1,
            line=2,
            item_id="ca1",
            annotator="Bob",
            question="severity",
            label="1",
            created_at=datetime(2016, 1, 31, 16, 59, 52, tzinfo=UTC),
            elapsed_ms=1500,
            repeat=2,
            pass_kind="retest",
            extra={"example_no": "0"},
        ),
        AnnotationRow(2, 3, "ca1", "Bob", "severity", "-1", None, None, None, None, {"example_no": ""}),
    ]


def annotation(**changes: object) -> dict[str, object]:
    return {"item_id": "a", "annotator": "Bob", "question": "q", "label": "x"} | changes


@pytest.mark.parametrize(
    "label", ["", "None", "NA", "null", "nan", " ", 0, -1, 2.5, False, [], ["a", "b"], [{"start": 0}]]
)
def test_labels_are_never_converted(label: object) -> None:
    [row] = annotations(lines(annotation(label=label)))
    assert isinstance(row, AnnotationRow)
    assert repr(row.label) == repr(label)


def test_empty_labels_of_csv_are_kept() -> None:
    rows = gold("item_id,question,label\na,q,\nb,q,None\n")
    assert rows == [GoldRow(1, 2, "a", "q", ""), GoldRow(2, 3, "b", "q", "None")]


def test_times_are_brought_to_utc() -> None:
    times = [
        "2026-03-01T12:00:00",
        "2026-03-01T12:00:00+02:00",
        "2026-03-01 12:00:00.5Z",
        "2026-03-01",
        None,
        "",
    ]
    rows = annotations(lines(*(annotation(created_at=time) for time in times)))
    assert [row.created_at for row in rows if isinstance(row, AnnotationRow)] == [
        datetime(2026, 3, 1, 12, tzinfo=UTC),
        datetime(2026, 3, 1, 10, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=UTC),
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"label": None}, "label", "missing-value"),
        ({"label": {"a": 1}}, "label", "wrong-type"),
        ({"item_id": ""}, "item_id", "empty-value"),
        ({"item_id": None}, "item_id", "missing-value"),
        ({"annotator": ""}, "annotator", "empty-value"),
        ({"annotator": "B\x1bob"}, "annotator", "control-character"),
        ({"question": 2.5}, "question", "wrong-type"),
        ({"created_at": "yesterday"}, "created_at", "invalid-time"),
        ({"created_at": 1456840792}, "created_at", "invalid-time"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "created_at", "invalid-time"),
        ({"elapsed_ms": -1}, "elapsed_ms", "invalid-number"),
        ({"elapsed_ms": "1e3"}, "elapsed_ms", "invalid-number"),
        ({"elapsed_ms": "\u0661"}, "elapsed_ms", "invalid-number"),
        ({"elapsed_ms": 1.5}, "elapsed_ms", "invalid-number"),
        ({"elapsed_ms": True}, "elapsed_ms", "invalid-number"),
        ({"repeat": 0}, "repeat", "invalid-number"),
        ({"pass": "final"}, "pass", "invalid-pass"),
    ],
)
def test_bad_annotations_refuse_their_row(changes: dict[str, object], column: str, code: str) -> None:
    rows = annotations(lines(annotation(), annotation(**changes), annotation()))
    assert refused(rows) == [(2, column, code)]


def test_whole_numbers_as_pandas_writes_them_are_read() -> None:
    rows = annotations(lines(annotation(elapsed_ms="1500.0", repeat=2.0)))
    assert [(row.elapsed_ms, row.repeat) for row in rows if isinstance(row, AnnotationRow)] == [(1500, 2)]


def test_a_json_row_that_lacks_a_value_is_refused_and_a_table_without_the_column_is_refused_whole() -> None:
    row = annotation()
    del row["label"]
    assert refused(annotations(lines(annotation(), row))) == [(2, "label", "missing-value")]
    with pytest.raises(FileError) as error:
        annotations("item_id,annotator,label\na,Bob,x\n")
    assert (error.value.code, error.value.data) == ("missing-column", {"column": "question"})


def test_annotation_columns_can_have_other_names() -> None:
    columns = {"item_id": "unit", "annotator": "rater", "label": "value"}
    assert annotations("unit,rater,question,value,label\na,Bob,q,x,y\n", columns) == [
        AnnotationRow(1, 2, "a", "Bob", "q", "x", None, None, None, None, {"label": "y"})
    ]
    with pytest.raises(FileError) as error:
        annotations("a,b\n1,2\n", {"colour": "a"})
    assert error.value.code == "unknown-column"


def test_rows_of_any_source_can_be_typed() -> None:
    assert list(gold_rows([Row(1, 1, {"item_id": "a", "question": "q", "label": 3})])) == [
        GoldRow(1, 1, "a", "q", 3)
    ]


def test_predictions_may_tell_the_probability_of_every_class() -> None:
    text = (
        "item_id,question,label,prob.yes,prob.no,model\na,answer,yes,0.75,2.5e-1,tiny\nb,answer,no,,,tiny\n"
    )
    assert predictions(text) == [
        PredictionRow(1, 2, "a", "answer", "yes", {"yes": 0.75, "no": 0.25}),
        PredictionRow(2, 3, "b", "answer", "no", {}),
    ]


def test_predictions_as_json_may_tell_probabilities_as_an_object() -> None:
    row = {"item_id": "a", "question": "answer", "label": ["wing"], "prob": {"wing": 1, "tail": 0.5}}
    assert predictions(lines(row)) == [
        PredictionRow(1, 1, "a", "answer", ["wing"], {"wing": 1.0, "tail": 0.5})
    ]


def test_columns_of_probabilities_can_be_mapped() -> None:
    columns = {"item_id": "id", "label": "pred", "prob.yes": "p1", "prob.no": "p0"}
    assert predictions("id,question,pred,p1,p0\na,answer,yes,.9,.1\n", columns) == [
        PredictionRow(1, 2, "a", "answer", "yes", {"yes": 0.9, "no": 0.1})
    ]


@pytest.mark.parametrize("number", ["-0.1", "1.01", "nan", "inf", "1e9", "high", "0,5"])
def test_a_probability_is_a_number_from_0_to_1(number: str) -> None:
    text = f'item_id,question,label,prob.yes\na,answer,yes,"{number}"\n'
    assert refused(predictions(text)) == [(1, "prob.yes", "bad-probability")]


def test_a_probability_that_stands_twice_is_refused() -> None:
    row = {"item_id": "a", "question": "answer", "label": "yes", "prob.yes": 1, "prob": {"yes": 1}}
    assert refused(predictions(lines(row))) == [(1, "prob.yes", "column-conflict")]


def test_predictions_without_a_label_are_refused() -> None:
    with pytest.raises(FileError) as error:
        predictions("item_id,question,prob.yes\na,answer,1\n")
    assert error.value.code == "missing-column"


def test_an_embedding_is_no_data_of_its_item() -> None:
    assert items('id,text,embedding\na,A film,"[1, -0.5]"\nb,Two films,\n') == [
        ItemRow(1, 2, "a", {"text": "A film"}, {}, floats(1, -0.5)),
        ItemRow(2, 3, "b", {"text": "Two films"}, {}, None),
    ]
    flat = {"id": "a", "text": "x", "embedding": [0, 2.5]}
    nested = {"id": "b", "data": {"text": "x", "embedding": "shown"}, "embedding": [3], "split": "train"}
    assert items(lines(flat, nested)) == [
        ItemRow(1, 1, "a", {"text": "x"}, {}, floats(0, 2.5)),
        ItemRow(2, 2, "b", {"text": "x", "embedding": "shown"}, {"split": "train"}, floats(3)),
    ]


def test_the_column_of_embeddings_can_be_mapped() -> None:
    assert items('text,vec\nx,"[1]"\n', {"embedding": "vec"}) == [
        ItemRow(1, 2, None, {"text": "x"}, {}, floats(1))
    ]
    nested = lines({"data": {"text": "x", "vec": [1]}, "mean": [2]})
    assert items(nested, {"embedding": "vec"}) == [
        ItemRow(1, 1, None, {"text": "x"}, {"mean": [2]}, floats(1))
    ]
    assert items(nested, {"embedding": "meta.mean"}) == [
        ItemRow(1, 1, None, {"text": "x", "vec": [1]}, {}, floats(2))
    ]


def test_an_item_is_more_than_its_embedding() -> None:
    with pytest.raises(FileError) as error:
        items('id,embedding\na,"[1]"\n')
    assert error.value.code == "no-data-columns"


@pytest.mark.parametrize(
    "embedding",
    [
        "[1, 2",
        "1 2",
        "[]",
        "[[1]]",
        '["1"]',
        "[true]",
        "[null]",
        "[NaN]",
        "[Infinity]",
        "[1e39]",
        f"[1{'0' * 400}]",
        "[" * 100_000,
        '{"x": 1}',
    ],
)
def test_an_embedding_is_a_list_of_finite_numbers(embedding: str) -> None:
    row = {"item_id": "a", "embedding": embedding}
    assert refused(embeddings(lines(row))) == [(1, "embedding", "bad-embedding")]


def test_an_embedding_is_not_longer_than_it_may_be() -> None:
    rows = lines(*({"item_id": "a", "embedding": [0.5] * n} for n in (MOST_NUMBERS, MOST_NUMBERS + 1)))
    assert refused(embeddings(rows)) == [(2, "embedding", "bad-embedding-length")]


def test_embeddings_for_items_that_are_there() -> None:
    rows = embeddings("id,emb,model\na,[1],m\nb,,m\n", {"item_id": "id", "embedding": "emb"})
    assert rows[0] == EmbeddingRow(1, 2, "a", floats(1))
    assert refused(rows) == [(2, "embedding", "missing-value")]
