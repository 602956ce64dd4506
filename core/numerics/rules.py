"""Rules that somebody adds to what every batch is checked for: one field, one thing asked of its values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import re2  # type: ignore[import-untyped]

from core.numerics.profile import MOST_ROWS, Ints, Marked, is_missing

REQUIRED, RANGE, PATTERN, ONE_OF, LENGTH, UNIQUE, SHARE = (
    *("required", "range", "pattern", "one_of"),
    *("length", "unique", "share_at_least"),
)
ARGS: dict[str, frozenset[str]] = {
    REQUIRED: frozenset(),
    RANGE: frozenset({"minimum", "maximum"}),
    PATTERN: frozenset({"pattern"}),
    ONE_OF: frozenset({"values"}),
    LENGTH: frozenset({"minimum", "maximum"}),
    UNIQUE: frozenset(),
    SHARE: frozenset({"share", "value"}),
}
LONGEST_FIELD = 200
LONGEST_PATTERN = 1000
MOST_VALUES = 1000
LONGEST_VALUE = 200
MEMORY = 2**20

_EMPTY: Ints = np.empty(0, dtype=np.intp)


class BadRule(Exception):  # noqa: N818 -- what is wrong with a rule, in a sentence
    """A rule that cannot be kept: where it is wrong (a JSON pointer), a code, and why."""

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer, self.code, self.detail = pointer, code, detail


@dataclass(frozen=True)
class Rule:
    """A rule as it was checked; ``args`` are complete."""

    field: str
    rule: str
    args: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """The rule as JSON."""
        return {"field": self.field, "rule": self.rule, "args": dict(self.args)}


def parse_rule(document: Any) -> Rule:
    """``{"field", "rule", "args"}`` as a rule. Raises BadRule."""
    if not isinstance(document, Mapping):
        raise BadRule("/document", "bad-rule", "A rule is an object with field, rule and args.")
    unknown = sorted(set(map(str, document)) - {"field", "rule", "args"})
    if unknown:
        raise BadRule(
            f"/document/{unknown[0][:60]}", "unknown-field", f"There is no {unknown[0][:60]!r} here."
        )
    name, kind, args = document.get("field"), document.get("rule"), document.get("args", {})
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_FIELD:
        raise BadRule("/document/field", "bad-field", "Name a field of the data, or meta. and a key.")
    if not isinstance(kind, str) or kind not in ARGS:
        raise BadRule("/document/rule", "unknown-rule", f"rule is one of {', '.join(ARGS)}.")
    if not isinstance(args, Mapping):
        raise BadRule("/document/args", "bad-args", "args is an object.")
    strange = sorted(set(map(str, args)) - ARGS[kind])
    if strange:
        raise BadRule(
            f"/document/args/{strange[0][:60]}", "unknown-field", f"{kind} takes no {strange[0][:60]!r}."
        )
    return Rule(name, kind, _checked(kind, args))


def _checked(kind: str, args: Mapping[str, Any]) -> dict[str, Any]:
    if kind in {RANGE, LENGTH}:
        return _bounds(kind, args)
    if kind == PATTERN:
        _compiled(args.get("pattern"))
        return {"pattern": args["pattern"]}
    if kind == ONE_OF:
        values = args.get("values")
        if not isinstance(values, list) or not 0 < len(values) <= MOST_VALUES:
            raise BadRule(
                "/document/args/values", "bad-values", f"values is a list of 1 to {MOST_VALUES:,} texts."
            )
        if not all(isinstance(one, str) and len(one) <= LONGEST_VALUE for one in values):
            raise BadRule(
                "/document/args/values",
                "bad-values",
                f"A value is a text of at most {LONGEST_VALUE} characters.",
            )
        return {"values": values}
    if kind == SHARE:
        share, value = args.get("share"), args.get("value")
        if not _is_number(share) or not 0 < float(share or 0) <= 1:
            raise BadRule("/document/args/share", "bad-share", "share is a number above 0, at most 1.")
        if value is not None and (not isinstance(value, str) or len(value) > LONGEST_VALUE):
            raise BadRule(
                "/document/args/value",
                "bad-values",
                f"A value is a text of at most {LONGEST_VALUE} characters.",
            )
        return {"share": share, "value": value}
    return {}


def _bounds(kind: str, args: Mapping[str, Any]) -> dict[str, Any]:
    least, most = args.get("minimum"), args.get("maximum")
    for name, bound in (("minimum", least), ("maximum", most)):
        if bound is not None and (not _is_number(bound) or (kind == LENGTH and bound < 0)):
            raise BadRule(f"/document/args/{name}", "bad-bound", f"{name} is a number.")
    if least is None and most is None:
        raise BadRule("/document/args", "bad-bound", "Give a minimum, a maximum, or both.")
    if least is not None and most is not None and least > most:
        raise BadRule("/document/args/maximum", "bad-bound", "The maximum is below the minimum.")
    return {"minimum": least, "maximum": most}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _compiled(pattern: Any) -> Any:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= LONGEST_PATTERN:
        detail = f"pattern is a regular expression (RE2) of at most {LONGEST_PATTERN:,} characters."
        raise BadRule("/document/args/pattern", "bad-pattern", detail)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise BadRule(
            "/document/args/pattern", "bad-pattern", f"This is not a regular expression (RE2): {said}."
        ) from None


@dataclass
class Watch:
    """One rule over the values of a batch, chunk by chunk.

    Only ``required`` minds a missing value. Numbers may be written as texts. ``unique`` is judged within the batch.
    """

    rule: Rule
    n: int = 0
    matched: int = 0
    _hashes: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _numbers: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pattern = _compiled(self.rule.args["pattern"]) if self.rule.rule == PATTERN else None
        self._values = frozenset(self.rule.args.get("values", ()))

    def __call__(self, values: Sequence[object], numbers: npt.NDArray[np.int64]) -> Ints:
        """The places of the values that break the rule; for ``unique`` and ``share_at_least`` see ``ended``."""
        self.n += len(values)
        if self.rule.rule == UNIQUE:
            at = [place for place, value in enumerate(values) if not is_missing(value)]
            self._hashes.append(np.array([hash(str(values[place])) for place in at], dtype=np.int64))
            self._numbers.append(numbers[at])
            return _EMPTY
        if self.rule.rule == SHARE:
            wanted = self.rule.args["value"]
            self.matched += sum(
                not is_missing(value) if wanted is None else _text(value) == wanted for value in values
            )
            return _EMPTY
        return np.array([place for place, value in enumerate(values) if self._breaks(value)], dtype=np.intp)

    def _breaks(self, value: object) -> bool:
        if is_missing(value):
            return self.rule.rule == REQUIRED
        if self.rule.rule == PATTERN:
            return self._pattern.search(_text(value)) is None  # type: ignore[union-attr]
        if self.rule.rule == ONE_OF:
            return _text(value) not in self._values
        if self.rule.rule == LENGTH:
            return not self._within(float(len(value if isinstance(value, str | list) else _text(value))))
        if self.rule.rule == RANGE:
            try:
                return not self._within(float(value))  # type: ignore[arg-type]
            except (TypeError, ValueError, OverflowError):
                return True
        return False

    def _within(self, number: float) -> bool:
        least, most = self.rule.args["minimum"], self.rule.args["maximum"]
        return (least is None or number >= least) and (most is None or number <= most)

    def ended(self, marked: Marked | None) -> Marked:
        """What breaks the rule in all that was seen; ``marked`` is what was marked on the way."""
        if self.rule.rule == UNIQUE and self._hashes:
            hashed, numbers = np.concatenate(self._hashes), np.concatenate(self._numbers)
            order = np.argsort(hashed, kind="stable")
            again = order[1:][hashed[order][1:] == hashed[order][:-1]]
            rows = [{"row": int(numbers[at]), "id": ""} for at in np.sort(again)[:MOST_ROWS]]
            return Marked(int(again.size), rows)
        if self.rule.rule == SHARE:
            return Marked(self.n - self.matched if self.matched < self.rule.args["share"] * self.n else 0)
        return marked or Marked()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
