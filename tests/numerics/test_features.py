"""Items as rows of numbers: what is read of them, and that a row depends on its own item and the basis alone."""

import io
import itertools
import re
import struct
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from core.numerics import features
from core.numerics.features import Basis, Datum, Kind, Rows, Spec, choose_spec, fit_basis, transform
from core.numerics.hashing import gram_counts
from core.numerics.images import N_DESCRIPTOR, describe

WIDE = 1 << 40  # so many columns that two n-grams never meet
TEXTS = ["a red bird sings", "the red bird flies", "my card is lost", "a lost card", "birds", ""]


def texts_of(*texts: str) -> list[Datum]:
    return [Datum({"text": text}) for text in texts]


def read(data: list[Datum], display: dict[str, str] | None = None) -> tuple[Spec, Basis, Rows]:
    spec = choose_spec(data, display or {})
    basis = fit_basis(spec, data)
    return spec, basis, transform(spec, basis, data)


def cosine(rows: Rows, one: int, other: int) -> float:
    return float((rows.sparse[one] @ rows.sparse[other].T).toarray()[0, 0])


# --- What is read -----------------------------------------------------------------------------------


def test_one_text_is_read_as_text() -> None:
    spec = choose_spec(texts_of(*TEXTS), {})

    assert (spec.kind, spec.texts, spec.characters, spec.width) == (Kind.TEXT, ("text",), True, 2 << 18)


def test_only_what_annotators_see_is_read() -> None:
    data = [Datum({"text": text, "score": 0.5, "gold": "spam"}) for text in TEXTS]

    assert choose_spec(data, {"text": "text", "score": "hidden"}).fields == ("text",)


def test_numbers_categories_and_texts_are_told_apart() -> None:
    data = [
        Datum(
            {
                "age": str(place),
                "colour": "red" if place % 3 else "blue",
                "name": f"bird number {place}",
                "empty": None,
            }
        )
        for place in range(30)
    ]

    spec = choose_spec(data, {})

    assert spec.kind == Kind.TABLE
    assert (spec.numbers, spec.categories, spec.texts) == (("age",), ("colour",), ("name",))


def test_several_texts_are_a_pair_and_a_picture_is_one() -> None:
    pair = [Datum({"premise": "It rains here.", "hypothesis": f"Rain {place}."}) for place in range(3)]
    pictures = [Datum({"file": f"{place}.png"}) for place in range(3)]

    assert choose_spec(pair, {"premise": "pair", "hypothesis": "pair"}).kind == Kind.PAIR
    assert choose_spec(pictures, {"file": "image"}).kind == Kind.IMAGE


def test_vectors_take_the_place_of_everything_else() -> None:
    data = [Datum({"text": "x"}, vector=np.ones(5, dtype=np.float32))] * 30

    spec = choose_spec(data, {})

    assert (spec.kind, spec.fields, spec.width, spec.n_dense) == (Kind.VECTOR, (), 5, 5)
    assert choose_spec([*data, *texts_of("y", "z")], {}).kind == Kind.TEXT


@pytest.mark.parametrize(("n_items", "characters"), [(50_000, True), (1_000_000, False)])
def test_characters_are_read_while_the_pool_is_small(n_items: int, characters: bool) -> None:  # noqa: FBT001
    data = texts_of(*("x" * 200 for _place in range(10)))

    spec = choose_spec(data, {}, n_items=n_items)

    assert (spec.characters, spec.n_dense) == (characters, 128 if characters else 64)


def test_a_spec_is_the_same_after_it_was_kept() -> None:
    spec = choose_spec([Datum({"a": 1, "b": "text of some length " * 4})] * 2, {"a": "table", "b": "text"})

    assert Spec.from_json(spec.to_json()) == spec
    assert Spec.from_json(spec.to_json()).digest == spec.digest
    with pytest.raises(ValueError, match="version 0"):
        Spec.from_json({**spec.to_json(), "version": 0})


# --- n-grams ----------------------------------------------------------------------------------------


def grams_by_hand(text: str) -> Counter[str]:
    """The same by Python's own means, for texts without scripts that have no blanks."""
    words = re.findall(r"\w+", text)
    found = Counter(words) + Counter(f"{one} {two}" for one, two in itertools.pairwise(words))
    for n in (3, 4):
        padded = f" {text} "
        stretches = (padded[start : start + n] for start in range(len(padded) - n + 1))
        found += Counter(f"{n}:{part}" for part in stretches if " " not in part[1:-1])
    return found


def keys_by_hand(text: str) -> list[int]:
    return sorted(grams_by_hand(text).values())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="abc_1 .é", max_size=30), min_size=1, max_size=5))
def test_every_word_pair_and_stretch_is_counted_in_its_own_text(texts: list[str]) -> None:
    keys = np.concatenate(gram_counts([texts], width=2 * WIDE, n_hashed=WIDE, characters=WIDE))

    row, _column = np.divmod(keys, 2 * WIDE)
    for place, text in enumerate(texts):
        counts = np.unique(keys[row == place], return_counts=True)[1]
        assert sorted(counts.tolist()) == keys_by_hand(text)


def test_the_same_gram_has_the_same_column_everywhere() -> None:
    texts = ["sings", "a bird sings", "x" * 5000 + " sings"]

    word, _pair = gram_counts([texts], width=WIDE, n_hashed=WIDE, characters=None)

    row, column = np.divmod(word, WIDE)
    assert len(set.intersection(*(set(column[row == place]) for place in range(3)))) == 1


def test_case_and_compatible_forms_do_not_matter_and_damage_does_no_harm() -> None:
    one, other = "\uff22\uff49\uff52\uff44 \ufb01sh CAFE\u0301", "bird fish café"

    keys = gram_counts([[one, other, "\ud800 \0"]], width=WIDE, n_hashed=WIDE, characters=None)[0]

    row, column = np.divmod(keys, WIDE)
    assert sorted(column[row == 0]) == sorted(column[row == 1])


def test_signs_of_scripts_without_blanks_are_words() -> None:
    words, pairs = gram_counts([["我的卡丢了"]], width=WIDE, n_hashed=WIDE, characters=None)

    assert (len(words), len(pairs)) == (5, 4)


def test_fields_have_columns_of_their_own_and_common_ones() -> None:
    first, second, both = [
        Datum({"a": "bird", "b": "card"}),
        Datum({"a": "card", "b": "bird"}),
        Datum({"a": "bird", "b": "bird"}),
    ]

    _spec, _basis, rows = read([first, second, both], {"a": "text", "b": "text"})

    words = [set(rows.sparse[place].indices[rows.sparse[place].indices < 1 << 18]) for place in range(3)]
    assert not words[0] & words[1]
    assert len(words[2]) == len(words[0]) + 1


# --- Rows -------------------------------------------------------------------------------------------


def test_a_row_is_dampened_weighted_and_of_length_one() -> None:
    data = texts_of("bird bird bird card", "card", "card lost")
    spec = Spec(Kind.TEXT, ("text",))
    basis = fit_basis(spec, data)

    row = transform(spec, basis, data).sparse[0]

    bird, card, pairs = (
        (1 + np.log(3)) * (np.log(4 / 2) + 1),
        1.0,
        np.array([1 + np.log(2), 1]) * (np.log(4 / 2) + 1),
    )
    expected = np.sort([bird, card, *pairs])
    assert np.allclose(np.sort(row.data), expected / np.linalg.norm(expected), atol=1e-6)


def test_words_are_half_as_long_as_characters() -> None:
    _spec, _basis, rows = read(texts_of(*TEXTS))

    row = rows.sparse[0]
    words = row.data[row.indices < 1 << 18]
    assert np.isclose((words**2).sum(), 0.2, atol=1e-5)


def test_a_row_depends_on_its_own_item_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    data = texts_of(*TEXTS)
    spec, basis, rows = read(data)
    monkeypatch.setattr(features, "_AT_ONCE", 20)

    again = transform(spec, basis, data[::-1])

    assert (rows.sparse != again.sparse[::-1]).nnz == 0
    assert np.array_equal(rows.dense, again.dense[::-1])


def test_an_item_of_which_nothing_can_be_read_is_all_zero() -> None:
    _spec, _basis, rows = read(texts_of(*TEXTS))

    assert rows.sparse[5].nnz == 0
    assert not rows.dense[5].any()


def test_the_basis_is_the_same_after_it_was_kept() -> None:
    data = texts_of(*TEXTS)
    spec, basis, rows = read(data)

    kept = Basis.from_bytes(basis.to_bytes())

    again = transform(spec, kept, data)
    assert fit_basis(spec, data).to_bytes() == basis.to_bytes() == kept.to_bytes()
    assert again.sparse.data.tobytes() == rows.sparse.data.tobytes()
    assert again.dense.tobytes() == rows.dense.tobytes()


def test_the_projection_keeps_most_of_what_the_best_one_keeps() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((200, 8)) @ rng.standard_normal((8, 120)) + rng.standard_normal((200, 120))
    data = [Datum({}, vector=row.astype(np.float32)) for row in mixed]
    spec = Spec(Kind.VECTOR, n_vector=120, n_dense=16)

    basis = fit_basis(spec, data)

    rows = transform(spec, basis, data).sparse.toarray()
    kept = np.square(rows @ basis.directions).sum()
    best = np.square(np.linalg.svd(rows, compute_uv=False)[:16]).sum()
    assert kept == pytest.approx(best, rel=0.01)


@pytest.mark.parametrize(("n", "whitened"), [(40, True), (39, False)])
def test_directions_of_texts_are_half_whitened_where_there_are_enough(n: int, whitened: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(1)
    data = texts_of(*(" ".join(rng.choice(list("abcdefgh"), 5)) for _place in range(n)))
    spec = Spec(Kind.TEXT, ("text",), n_dense=4)

    basis = fit_basis(spec, data)

    length = np.linalg.norm(basis.directions, axis=0)
    weight = np.linalg.norm(transform(spec, basis, data).sparse[:, basis.columns] @ basis.directions, axis=0)
    assert length[0] == pytest.approx(1, abs=1e-3)
    if whitened:
        assert weight * length == pytest.approx(np.full(4, weight[0]), rel=1e-2)
    else:
        assert length == pytest.approx(np.ones(4), abs=1e-3)


def test_numbers_are_scaled_by_their_middle_half_and_cut() -> None:
    data = [Datum({"x": value}) for value in (1, 2, 3, 4, 5, "1e6", None)]

    spec, basis, rows = read(data)

    assert (spec.kind, basis.centre.tolist(), basis.scale.tolist()) == (Kind.TABLE, [3.5], [2.5])
    table = rows.sparse.toarray()
    back = table / table[:, [2]]  # the last column is a one before the row is of length 1
    assert np.allclose(back[:, 0], [-1, -0.6, -0.2, 0.2, 0.6, 5, 0], atol=1e-6)
    assert back[:, 1].tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_alike_categories_are_near() -> None:
    data = [Datum({"colour": "red" if place % 2 else "blue", "legs": "two"}) for place in range(20)]

    _spec, _basis, rows = read(data)

    rare = np.log(21 / 11) + 1  # a colour of ten in twenty items, beside legs that all have
    assert cosine(rows, 1, 3) == pytest.approx(1)
    assert cosine(rows, 1, 2) == pytest.approx(1 / (1 + rare**2))


def test_a_vector_of_another_length_or_without_numbers_reads_as_nothing() -> None:
    good = [Datum({}, vector=np.arange(1, 5, dtype=np.float32))] * 40
    spec, basis, _rows = read(good)
    bad = [
        Datum({}, vector=np.ones(3, dtype=np.float32)),
        Datum({}, vector=np.full(4, np.nan, dtype=np.float32)),
    ]

    rows = transform(spec, basis, [good[0], *bad, Datum({})])

    assert np.diff(rows.sparse.indptr).tolist() == [4, 0, 0, 0]


# --- Pictures ---------------------------------------------------------------------------------------


def picture(shape: str = "circle", colour: str = "red", side: int = 100, **options: Any) -> bytes:
    made = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(made)
    box = (side // 4, side // 4, 3 * side // 4, 3 * side // 4)
    (draw.ellipse if shape == "circle" else draw.rectangle)(box, fill=colour)
    file = io.BytesIO()
    made.save(file, format=options.get("format", "PNG"))
    return file.getvalue()


def likeness(one: bytes, other: bytes) -> float:
    first, second = describe(one), describe(other)
    assert first is not None
    assert second is not None
    assert first.size == N_DESCRIPTOR
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_size_and_format_of_a_picture_matter_less_than_what_it_shows() -> None:
    circle = picture()

    same = min(likeness(circle, picture(side=300)), likeness(circle, picture(format="JPEG")))
    assert same > 0.9
    assert likeness(circle, picture("square")) < same
    assert likeness(circle, picture(colour="blue")) < same


@pytest.mark.parametrize("content", [b"", b"not a picture", picture()[:60], picture(format="GIF")[:30]])
def test_a_broken_picture_reads_as_nothing(content: bytes) -> None:
    data = [Datum({"file": "a"}, image=picture()), Datum({"file": "b"}, image=content)]

    _spec, _basis, rows = read(data, {"file": "image"})

    assert np.diff(rows.sparse.indptr)[1] == 0
    assert rows.sparse[0].nnz > 0


def test_a_picture_of_too_many_pixels_is_not_opened() -> None:
    content = bytearray(picture(format="GIF"))
    content[6:10] = struct.pack("<HH", 60_000, 60_000)  # as it claims to be

    assert describe(bytes(content)) is None
