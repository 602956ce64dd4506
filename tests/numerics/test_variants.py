"""Variants of texts: what is one answer, what is not, and how surely."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.standard import judged, made_up
from core.numerics.variants import clusters, distance, plain, squeezed

words = st.text(alphabet="abcdeé .-…3", min_size=1, max_size=12)


def groups(texts: Sequence[str], counts: Sequence[int]) -> list[tuple[str, set[str]]]:
    return [
        (texts[one.canonical], {texts[variant.place] for variant in one.variants})
        for one in clusters(texts, counts)
    ]


def test_hesitations_are_one_answer_and_the_plain_form_leads() -> None:
    texts = ["um", "umm", "ummm", "um…", "Um...", "UMMMM"]

    assert groups(texts, [30, 4, 2, 5, 3, 1]) == [("um", {"umm", "ummm", "um…", "Um...", "UMMMM"})]


def test_two_frequent_words_stay_apart_however_near_they_are() -> None:
    assert groups(["cat", "car", "cart"], [40, 35, 20]) == []
    assert groups(["left knee pain", "left knee pains"], [40, 38]) == []


def test_a_rare_slip_joins_the_frequent_form() -> None:
    texts = ["customer service", "custmer service", "cusotmer servcie", "service customer"]

    assert groups(texts, [50, 2, 1, 1]) == [("customer service", set(texts[1:]))]


def test_numbers_are_never_slips_of_one_another() -> None:
    assert groups(["size 40", "size 41", "size 4.0"], [50, 1, 1]) == []


def test_a_short_word_is_not_guessed_at() -> None:
    assert groups(["cat", "cut"], [50, 1]) == []


def test_slips_of_slips_do_not_lead_away() -> None:
    texts = ["stomach ache", "stomac ache", "stomc ache", "stmc ache"]

    ((canonical, members),) = groups(texts, [90, 9, 3, 1])

    assert canonical == "stomach ache"
    assert members == {"stomac ache", "stomc ache"}


def test_marks_case_and_signs_say_nothing_and_digits_do() -> None:
    assert plain("  Café, s'il vous plaît! ") == plain("cafe sil vous plait")
    assert plain("3.5 kg") != plain("35 kg")
    assert plain("?!") == "?!"
    assert squeezed("ummm 100") == "um 100"


@pytest.mark.parametrize(
    ("a", "b", "n"), [("abcd", "abdc", 1), ("abcd", "acd", 1), ("abcd", "xbcy", 2), ("abc", "xyz", 3)]
)
def test_a_swap_of_neighbours_is_one_slip(a: str, b: str, n: int) -> None:
    assert distance(a, b, 2) == n


@pytest.mark.parametrize("seed", [0, 1])
def test_made_up_variants_of_forty_answers_are_found(seed: int) -> None:
    texts, counts, truth = made_up(seed)

    precision, recall = judged(clusters(texts, counts), truth)

    assert precision >= 0.95
    assert recall >= 0.85


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(words, st.integers(1, 50), min_size=1, max_size=30))
def test_every_text_is_in_one_group_at_most_and_order_does_not_matter(counted: dict[str, int]) -> None:
    texts = sorted(counted)
    found = groups(texts, [counted[text] for text in texts])
    members = [text for canonical, others in found for text in (canonical, *others)]

    assert len(members) == len(set(members))
    assert sorted(found, key=str) == sorted(
        groups(texts[::-1], [counted[text] for text in texts[::-1]]), key=str
    )
