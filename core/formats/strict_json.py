"""JSON with nothing left to chance: no duplicate keys, no NaN, no number that JavaScript would round.

The C scanner of the standard library does the work. Its hooks leave a mark where something is wrong; only
then, or when the text itself is suspicious, is the value walked to find where.
"""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

MAX_DEPTH = 64
MAX_SAFE_INTEGER = 2**53 - 1

_SAFE_DIGITS = 15  # every number of so few characters is within the safe range
_ESCAPED_TROUBLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONE_SURROGATE = ("lone-surrogate", "Half of a surrogate pair stands alone.")


class StrictJsonError(Exception):
    """Refused JSON: `code` is stable, `pointer` says where (RFC 6901; empty for the whole document)."""

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in a parsed value where the document said something that is refused."""

    code: str
    detail: str


class Scanned(NamedTuple):
    """A value, where it ended in the text, and the first thing wrong with it."""

    value: object
    end: int
    error: StrictJsonError | None


class StrictDecoder:
    """Decoder to keep for a whole file; not to be shared between threads."""

    def __init__(self, *, depth: int = MAX_DEPTH, string_limit: int | None = None) -> None:
        self._depth = depth
        self._string_limit = string_limit
        self._flawed = False
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        )

    def decode(self, text: str) -> object:
        """Return the one value of `text`; raises StrictJsonError."""
        start = _skip_space(text, 0)
        try:
            scanned = self.scan(text, start)
        except json.JSONDecodeError as error:
            raise StrictJsonError("invalid-json", f"{error.msg} at character {error.pos + 1}.") from None
        except RecursionError:
            raise too_deep(self._depth) from None
        end = _skip_space(text, scanned.end)
        if end != len(text):
            raise StrictJsonError("invalid-json", f"More text after the value at character {end + 1}.")
        if scanned.error is not None:
            raise scanned.error
        return scanned.value

    def scan(self, text: str, start: int) -> Scanned:
        """Read one value that begins at `start`; raises JSONDecodeError or RecursionError on bad syntax."""
        self._flawed = False
        value, end = self._decoder.raw_decode(text, start)
        if self._flawed or self._suspicious(text, start, end):
            return Scanned(value, end, first_error(value, depth=self._depth, string_limit=self._string_limit))
        return Scanned(value, end, None)

    def _suspicious(self, text: str, start: int, end: int) -> bool:
        if text.find("\\u", start, end) >= 0 and _ESCAPED_TROUBLE.search(text, start, end):
            return True
        if self._string_limit is not None and end - start > self._string_limit:
            return True
        return text.count("{", start, end) + text.count("[", start, end) > self._depth

    def _object(self, pairs: list[tuple[str, object]]) -> object:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        self._flawed = True
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        return _Flaw("duplicate-key", f"The key {repeated[:100]!r} occurs twice in one object.")

    def _integer(self, digits: str) -> object:
        if len(digits) <= _SAFE_DIGITS:
            return int(digits)
        if len(digits) <= _SAFE_DIGITS + 2 and abs(value := int(digits)) <= MAX_SAFE_INTEGER:
            return value
        return self._out_of_range(digits)

    def _float(self, digits: str) -> object:
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            return self._out_of_range(digits)
        return value

    def _out_of_range(self, digits: str) -> _Flaw:
        self._flawed = True
        shown = digits if len(digits) <= 30 else f"{digits[:30]}…"  # noqa: PLR2004 -- enough to recognise it
        return _Flaw("number-out-of-range", f"{shown} is beyond what every reader of JSON keeps exactly.")

    def _constant(self, name: str) -> _Flaw:
        self._flawed = True
        return _Flaw("non-finite-number", f"{name} is not a number of JSON.")


def loads_strict(data: bytes | str, *, depth: int = MAX_DEPTH) -> object:
    """Parse one JSON document; raises StrictJsonError and nothing else.

    Codes: `invalid-utf8`, `invalid-json`, `too-deep`, `duplicate-key`, `non-finite-number`,
    `number-out-of-range` (integers beyond ±(2^53 - 1), floats beyond 1.8e308), `nul-character`,
    `lone-surrogate`.
    """
    if isinstance(data, str):
        if _SURROGATE.search(data):
            raise StrictJsonError(*_LONE_SURROGATE)
        return StrictDecoder(depth=depth).decode(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StrictJsonError("invalid-utf8", f"Byte {error.start} is not valid UTF-8.") from None
    return StrictDecoder(depth=depth).decode(text)


def first_error(
    value: object, *, depth: int = MAX_DEPTH, string_limit: int | None = None
) -> StrictJsonError | None:
    """Return the first thing, in document order, that strict JSON refuses in a parsed value, or None."""
    waiting: list[tuple[object, str, int]] = [(value, "", 1)]
    while waiting:
        current, pointer, level = waiting.pop()
        if isinstance(current, _Flaw):
            return StrictJsonError(current.code, current.detail, pointer)
        if isinstance(current, str):
            problem = _text_problem(current, string_limit)
            if problem:
                return StrictJsonError(*problem, pointer)
        elif isinstance(current, float) and not math.isfinite(current):
            return StrictJsonError("non-finite-number", f"{current} is not a number of JSON.", pointer)
        elif isinstance(current, int) and abs(current) > MAX_SAFE_INTEGER:
            return StrictJsonError("number-out-of-range", "The integer is beyond ±(2^53 - 1).", pointer)
        elif isinstance(current, dict | list):
            if level > depth:
                return too_deep(depth)
            if isinstance(current, dict):
                for key in current:
                    problem = _text_problem(key, string_limit)
                    if problem:
                        return StrictJsonError(*problem, pointer)
                parts = [(part, f"{pointer}/{_escaped(key)}", level + 1) for key, part in current.items()]
            else:
                parts = [(part, f"{pointer}/{place}", level + 1) for place, part in enumerate(current)]
            waiting.extend(reversed(parts))
    return None


def too_deep(depth: int) -> StrictJsonError:
    """Return the error for nesting beyond `depth`."""
    return StrictJsonError("too-deep", f"Nested more than {depth} levels deep.")


def _text_problem(text: str, limit: int | None) -> tuple[str, str] | None:
    if limit is not None and len(text) > limit:
        return "field-too-long", f"The text is longer than {limit:,} characters."
    if "\0" in text:
        return "nul-character", "The text holds a NUL character."
    if _SURROGATE.search(text):
        return _LONE_SURROGATE
    return None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _skip_space(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start
