"""A34, A35, A70 for a request body."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.formats.strict_json import StrictJsonError, loads_strict

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc/~é", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def refusal(data: bytes | str, depth: int = 64) -> tuple[str, str]:
    with pytest.raises(StrictJsonError) as refused:
        loads_strict(data, depth=depth)
    return refused.value.code, refused.value.pointer


@given(PLAIN, st.booleans())
def test_what_is_plain_json_is_read_as_the_standard_library_does(value: object, ascii_only: bool) -> None:  # noqa: FBT001
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert loads_strict(text.encode()) == json.loads(text)
    assert repr(loads_strict(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    ("data", "code", "pointer"),
    [
        (b'{"a": 1, "a": 2}', "duplicate-key", ""),
        (b'{"x": [0, {"a": 1, "a": 1}]}', "duplicate-key", "/x/1"),
        (b'{"a/b": {"c~d": NaN}}', "non-finite-number", "/a~1b/c~0d"),
        (b"[1, 2, -Infinity]", "non-finite-number", "/2"),
        (b"1e400", "number-out-of-range", ""),
        (b'{"n": 9223372036854775808}', "number-out-of-range", "/n"),
        (b'{"t": "\\u0000"}', "nul-character", "/t"),
        (b'{"\\u0000": 1}', "nul-character", ""),
        (b'["\\ud800"]', "lone-surrogate", "/0"),
        ('["\ud800"]', "lone-surrogate", ""),
        (b'"\xff"', "invalid-utf8", ""),
        (b"", "invalid-json", ""),
        (b"{}{}", "invalid-json", ""),
        (b'{"a": 01}', "invalid-json", ""),
        (b'"a\nb"', "invalid-json", ""),
        (b"[" * 100_000, "too-deep", ""),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep", ""),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too-deep", ""),
        (b"[" * 65 + b"]" * 65, "too-deep", ""),
    ],
)
def test_refusals_say_what_and_where(data: bytes | str, code: str, pointer: str) -> None:
    assert refusal(data) == (code, pointer)


def test_brackets_inside_text_are_not_depth() -> None:
    assert loads_strict(json.dumps("[" * 500)) == "[" * 500


def test_the_first_flaw_in_document_order_is_named() -> None:
    assert refusal(b'{"a": [NaN], "b": 1e999}') == ("non-finite-number", "/a/0")


def test_four_thousand_three_hundred_digits_are_an_error_and_no_crash() -> None:
    assert refusal(b"1" * 5_000) == ("number-out-of-range", "")


def test_a_mark_before_the_document_is_passed_over() -> None:
    assert loads_strict(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
