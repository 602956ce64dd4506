"""Texts that are nearly the same: within a batch, across batches, across the audit slice and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from core.numerics.duplicates import near_duplicates
from core.numerics.findings import FEWEST, NOTE, WARN, Finding, clearly, more_often, share_figure
from core.numerics.profile import MOST_ROWS, TEXTS, Document, SampledText, TextSample, scattered, words_of

NEAR = 0.8  # cosine of the sets of words and pairs of words
MOST_GRAMS = 64
LEAST_COPIES = 0.01
FIRST_COPIES = 0.02
MOSTLY = 0.5


def duplicate_findings(batch: TextSample, earlier: Sequence[SampledText], limit: int | None) -> list[Finding]:
    """Texts that are nearly the same: within the batch, as earlier ones, and across the audit slice and the rest.

    ``earlier`` are sampled texts of the batches before, all with a key below ``limit`` (None: no limit). Rows of the
    same source have partners among the earlier rows as often as the earlier rows have among themselves; only more
    than that is an alarm.
    """
    limits = [one for one in (batch.limit, limit) if one is not None]
    cut = min(limits, default=None)
    new = [one for one in batch.texts if cut is None or one.key < cut]
    old = [one for one in earlier if cut is None or one.key < cut]
    if not new:
        return []
    pairs = near_duplicates(_word_sets([*(one.text for one in new), *(one.text for one in old)]), NEAR)
    group = pairs.groups()
    audit = np.array([one.audit for one in (*new, *old)], dtype=np.bool_)
    fresh = np.arange(group.size) < len(new)
    n_groups = int(group.max()) + 1
    in_new = np.bincount(group[fresh], minlength=n_groups)
    in_old = np.bincount(group[~fresh], minlength=n_groups)
    held = {
        (is_new, split): np.bincount(group[(fresh == is_new) & (audit == split)], minlength=n_groups) > 0
        for is_new in (True, False)
        for split in (True, False)
    }
    within = held[True, True] & held[True, False]
    across = (held[True, True] & held[False, False]) | (held[True, False] & held[False, True])
    crossed = held[False, True] & held[False, False]
    said = {
        "sampled": len(new),
        "looked": batch.n_looked,
        "earlier": len(old),
        "complete": pairs.complete,
        "whole": batch.limit is None and limit is None,
    }
    seen = _Copies(new, len(old), group, fresh, said)
    growth = max(1.0, len(new) / max(len(old), 1))
    return [
        *seen.finding("near-duplicates", [(in_new > 1, in_old > 1, growth)], heaps=in_new > 1),
        *(
            seen.finding(
                "near-duplicates-earlier",
                [((in_new > 0) & (in_old > 0), in_old > 1, 1.0)],
                heaps=(in_new > 1) & (in_old > 0),
            )
            if old
            else ()
        ),
        *seen.finding("near-duplicates-splits", [(across, crossed, 1.0), (within, crossed, growth)]),
    ]


_Compared = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], float]


@dataclass(frozen=True)
class _Copies:
    """The sampled texts of a batch, and the group of copies that each of them and of the earlier ones is in."""

    new: Sequence[SampledText]
    n_old: int
    group: npt.NDArray[np.intp]
    fresh: npt.NDArray[np.bool_]
    said: Document

    def finding(
        self, code: str, compared: Sequence[_Compared], heaps: npt.NDArray[np.bool_] | None = None
    ) -> list[Finding]:
        """Rows in some groups, each against the earlier rows in groups of the same sort, times a growth.

        The growth is for comparisons within a batch that is larger than what was before: a larger heap has more
        copies of each of its rows. Of the groups in ``heaps`` each is compared by itself, too.
        """
        n_new, n_old = len(self.new), self.n_old
        of_new, of_old = self.group[self.fresh], self.group[~self.fresh]
        rows = np.flatnonzero(np.any([groups[of_new] for groups, _, _ in compared], axis=0))
        k = int(rows.size)
        if not k:
            return []
        told = [
            {"row": self.new[at].row, "id": self.new[at].id, "value": self.new[at].text[:60]}
            for at in sorted(rows.tolist(), key=lambda at: self.new[at].row)[:MOST_ROWS]
        ]
        base = max(float(before[of_old].mean()) * growth if n_old else 0.0 for _, before, growth in compared)
        said = {**self.said, "before": base}
        finding = Finding(code, n=k, of=n_new, rows=told, said=said, figure=share_figure(k, n_new))
        if n_old < FEWEST:
            return [replace(finding, severity=WARN if finding.share >= FIRST_COPIES else NOTE)]
        p = min(self._p(*one) for one in compared) * len(compared)
        large = finding.share >= LEAST_COPIES and clearly(k, n_new, base * n_old, n_old)
        if heaps is not None:
            p_heap = self._p_of_heap(heaps)
            # An alarm needs an effect: of two tests the smaller p counts among those that have one.
            p = 2 * (p_heap if p_heap is not None and not (large and p < p_heap) else p)
            large = large or p_heap is not None
        return [replace(finding, p=min(1.0, p), large=large, gross=self._of_all(of_new[rows]) >= MOSTLY)]

    def _of_all(self, marked: npt.NDArray[np.intp]) -> float:
        """The share of marked rows among all that were looked at, sampled or not, from the groups of the marked ones.

        Copies come into the sample together, so that the largest group is there as a whole or not at all: its rows are
        a part of all rows, the other marked ones a part of the other sampled ones.
        """
        n_new, largest = len(self.new), int(np.bincount(marked).max())
        heap: float = largest / self.said["looked"]
        return heap + (1 - heap) * (marked.size - largest) / max(n_new - largest, 1)

    def _p(self, groups: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_], growth: float) -> float:
        """Copies come in groups, so that rows are no independent evidence: both counts are divided by the design
        effect, the mean size of the group that a marked row is in (Kish 1965).
        """
        of_new, of_old = self.group[self.fresh], self.group[~self.fresh]
        marked, marked_old = of_new[groups[of_new]], of_old[before[of_old]]
        effect = max(_mean_size(marked), _mean_size(marked_old))
        n_new = round(of_new.size * growth)
        return more_often(marked.size / effect, n_new, marked_old.size / effect, of_old.size)

    def _p_of_heap(self, heaps: npt.NDArray[np.bool_]) -> float | None:
        """The probability of as many rows in one group of copies; None where no group is of some size.

        One text that is pasted many times says nothing of other texts (see ``_p``), but of rows of one source those of
        a group fall into the batch by chance. A group is of some size if it is clearly larger than the largest before.
        The level is shared among all groups of two rows or more.
        """
        in_new = np.bincount(self.group[self.fresh], minlength=heaps.size)
        in_old = np.bincount(self.group[~self.fresh], minlength=heaps.size)
        n_new, n_old, most = len(self.new), self.n_old, float(in_old.max())
        found = [
            more_often(float(in_new[at]), n_new, float(in_old[at]), n_old)
            for at in np.flatnonzero(heaps & (in_new >= LEAST_COPIES * self.said["looked"])).tolist()
            if clearly(float(in_new[at]), n_new, most, n_old)
        ]
        return min(found) * int((in_new + in_old > 1).sum()) if found else None


def _mean_size(group: npt.NDArray[np.intp]) -> float:
    """The mean, over rows, of how many rows are in the row's group."""
    if not group.size:
        return 1.0
    sizes = np.bincount(group).astype(np.float64)
    return float((sizes**2).sum() / sizes.sum())


def _word_sets(texts: Sequence[str]) -> sp.csr_matrix:
    """Rows of norm 1 with a column for each word and each pair of neighbours that a text has.

    Of a text with more than 64 of these those with the smallest hashes stand for it: of two texts alike, mostly the
    same ones, so that the cosine is kept to about .05.
    """
    vocabulary: dict[str, int] = {}
    held = [[vocabulary.setdefault(word, len(vocabulary)) for word in words_of(text)] for text in texts]
    row = np.repeat(np.arange(len(texts)), [len(one) for one in held])
    word = np.fromiter(chain.from_iterable(held), dtype=np.int64, count=row.size)
    n = len(vocabulary) + 1
    follows = np.flatnonzero(row[1:] == row[:-1])
    pair = (word[follows] + 1) * n + word[follows + 1]
    gram, column = np.unique(np.concatenate([word, pair]), return_inverse=True)
    cell = np.unique(np.concatenate([row, row[follows]]) * gram.size + column)
    row, column = cell // max(gram.size, 1), cell % max(gram.size, 1)
    order = np.lexsort((scattered(column.astype(np.uint64)), row))
    row, column = row[order], column[order]
    kept = np.arange(row.size) - np.searchsorted(row, row) < MOST_GRAMS
    row, column = row[kept], column[kept]
    size = np.bincount(row, minlength=len(texts))
    data = (1 / np.sqrt(size[row])).astype(np.float32)
    return sp.csr_matrix((data, (row, column)), shape=(len(texts), max(gram.size, 1)))


def merged_texts(
    samples: Sequence[tuple[int | None, Sequence[SampledText]]], most: int = TEXTS
) -> tuple[list[SampledText], int | None]:
    """Sampled texts of several batches under one limit, at most so many; and that limit."""
    limits = [limit for limit, _ in samples if limit is not None]
    limit = min(limits, default=None)
    kept = [one for _, texts in samples for one in texts if limit is None or one.key < limit]
    if len(kept) > most:
        kept.sort(key=lambda one: one.key)
        limit = kept[most].key
        kept = [one for one in kept if one.key < limit]
    return kept, limit
