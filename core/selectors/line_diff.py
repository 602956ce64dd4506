"""What changed from one text to another, line by line, in bounded time whatever the texts hold."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise, takewhile

CONTEXT_LINES = 3
MOST_EFFORT = 1_000_000  # comparisons of lines: about a tenth of a second
Run = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a comparison: ``kind`` is same, added, removed or gap (``n`` unchanged lines left out)."""

    kind: str
    text: str
    n: int = 0


def line_diff(old: str, new: str) -> list[DiffLine]:
    """What changed from one version to another, line by line, with three lines around each change.

    Where finding the lines that a part of both texts has would take too long, the part is replaced as a whole.
    """
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return []
    lines: list[DiffLine] = []
    done = new_done = 0
    for start, new_start, n in [*_runs(before, after), (len(before), len(after), 0)]:
        lines += [DiffLine("removed", text) for text in before[done:start]]
        lines += [DiffLine("added", text) for text in after[new_done:new_start]]
        done, new_done = start + n, new_start + n
        first = CONTEXT_LINES if lines else 0
        last = CONTEXT_LINES if (done, new_done) != (len(before), len(after)) else 0
        left_out = n - first - last
        if left_out <= 0:
            first, last, left_out = n, 0, 0
        lines += [DiffLine("same", text) for text in before[start : start + first]]
        lines += [DiffLine("gap", "", left_out)] if left_out else []
        lines += [DiffLine("same", text) for text in before[done - last : done]]
    return lines


def _runs(before: Sequence[str], after: Sequence[str]) -> list[Run]:
    """Stretches of lines that both texts have, in order: the places in both, and how many lines.

    A part that is cheap enough is compared whole. A dearer one is split at the lines that it has once in both texts,
    as many as come in the same order (Bram Cohen's patience diff); without any it has no line in common.
    """
    effort = MOST_EFFORT
    found: list[Run] = []
    parts = [(0, len(before), 0, len(after))]
    while parts:
        low, high, new_low, new_high = parts.pop()
        head = _alike(zip(before[low:high], after[new_low:new_high], strict=False))
        found.append((low, new_low, head))
        low, new_low = low + head, new_low + head
        tail = _alike(zip(reversed(before[low:high]), reversed(after[new_low:new_high]), strict=False))
        high, new_high = high - tail, new_high - tail
        found.append((high, new_high, tail))
        old, new = before[low:high], after[new_low:new_high]
        effort -= len(old) + len(new)
        if effort < 0 or set(old).isdisjoint(new):
            continue
        times, new_times = Counter(old), Counter(new)
        pairs = sum(n * new_times[line] for line, n in times.items())
        shared = sum(min(n, new_times[line]) for line, n in times.items())
        cost = (len(old) + pairs) * (shared + 1)
        if cost <= effort:
            effort -= cost
            blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
            found += [(low + at, new_low + new_at, n) for at, new_at, n in blocks]
            continue
        anchors = _in_order(old, new, times, new_times)
        found += [(low + at, new_low + new_at, 1) for at, new_at in anchors]
        bounds = [(-1, -1), *anchors, (len(old), len(new))] if anchors else []
        parts += [
            (low + at + 1, low + end, new_low + new_at + 1, new_low + new_end)
            for (at, new_at), (end, new_end) in pairwise(bounds)
        ]
    return list(_joined(sorted(run for run in found if run[2])))


def _alike(pairs: Iterator[tuple[str, str]]) -> int:
    return sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _in_order(
    old: Sequence[str], new: Sequence[str], times: Counter[str], new_times: Counter[str]
) -> list[tuple[int, int]]:
    """The places of the lines that both have once: the longest chain of them that has the same order in both."""
    place = {line: at for at, line in enumerate(new) if new_times[line] == times[line] == 1}
    ends: list[int] = []  # the last place of the best chain of each length so far
    links: list[tuple[int, int, int]] = []  # of each line its places and the link before it
    at_end: list[int] = []
    for at, line in enumerate(old):
        if line in place:
            length = bisect_left(ends, place[line])
            links.append((at, place[line], at_end[length - 1] if length else -1))
            ends[length : length + 1] = [place[line]]
            at_end[length : length + 1] = [len(links) - 1]
    chain: list[tuple[int, int]] = []
    link = at_end[-1] if at_end else -1
    while link >= 0:
        at, new_at, link = links[link]
        chain.append((at, new_at))
    return chain[::-1]


def _joined(runs: Sequence[Run]) -> Iterator[Run]:
    """Runs that follow each other in both texts as one."""
    held: Run | None = None
    for start, new_start, n in runs:
        if held is not None and (held[0] + held[2], held[1] + held[2]) == (start, new_start):
            held = (held[0], held[1], held[2] + n)
            continue
        if held is not None:
            yield held
        held = (start, new_start, n)
    if held is not None:
        yield held
