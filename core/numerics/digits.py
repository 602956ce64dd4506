"""Handwritten digits that ship with scikit-learn, and people who confuse what people confuse."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIGITS = 10
# Pairs that readers of handwriting mix up, with how often relative to each other.
CONFUSED: dict[tuple[int, int], float] = {
    (1, 7): 1.0,
    (3, 8): 1.0,
    (4, 9): 1.2,
    (5, 6): 0.8,
    (8, 9): 0.9,
    (1, 8): 0.7,
    (3, 5): 0.6,
    (2, 7): 0.4,
    (0, 6): 0.4,
    (3, 9): 0.7,
    (1, 2): 0.3,
    (5, 9): 0.5,
}


@dataclass(frozen=True, slots=True)
class Digits:
    """``images``: (n, 8, 8) in 0..16; ``truth``: (n,) what was meant to be written."""

    images: NDArray[np.float64]
    truth: NDArray[np.int64]


def load(size: int, seed: int) -> Digits:
    """``size`` of the 1,797 digits (UCI Optical Recognition of Handwritten Digits), drawn with this seed."""
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = np.random.default_rng(seed).choice(len(data.target), size=size, replace=False)
    return Digits(data.images[chosen], data.target[chosen].astype(np.int64))


def difficulty(digits: Digits) -> NDArray[np.float64]:
    """How unlike its class each digit looks, as ranks from 0 (typical) to 1 (odd), shape (n,)."""
    flat = digits.images.reshape(len(digits.truth), -1)
    means = np.stack(
        [
            flat[digits.truth == k].mean(axis=0) if (digits.truth == k).any() else flat.mean(axis=0)
            for k in range(DIGITS)
        ]
    )
    own = np.linalg.norm(flat - means[digits.truth], axis=1)
    others = np.linalg.norm(flat[:, None, :] - means[None, :, :], axis=2)
    others[np.arange(len(flat)), digits.truth] = np.inf
    oddness = own - others.min(axis=1)
    ranks: NDArray[np.float64] = oddness.argsort().argsort() / max(len(flat) - 1, 1)
    return ranks


def simulated_answers(
    digits: Digits, *, skill: float, unsure: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """What one simulated person answers: 0..9, or 10 for "cannot tell"; shape (n,).

    ``skill`` is the share of right answers on a digit of middling difficulty; ``unsure`` how readily the
    person says so instead of guessing. Mistakes fall on the digits that people confuse.
    """
    hard = difficulty(digits)
    wrong = rng.random(len(hard)) < (1 - skill) * 2 * hard**2 * 1.5
    answers = digits.truth.copy()
    for place in np.flatnonzero(wrong):
        answers[place] = _mistake(int(digits.truth[place]), rng)
    gives_up = rng.random(len(hard)) < unsure * hard**3
    answers[gives_up] = DIGITS
    return answers


def _mistake(truth: int, rng: np.random.Generator) -> int:
    weights = np.full(DIGITS, 0.02)
    for (a, b), weight in CONFUSED.items():
        if truth == a:
            weights[b] += weight
        if truth == b:
            weights[a] += weight
    weights[truth] = 0
    return int(rng.choice(DIGITS, p=weights / weights.sum()))


def as_png(image: NDArray[np.float64], scale: int = 24) -> bytes:
    """One digit as a greyscale PNG, ``scale`` pixels to a cell, smoothly enlarged."""
    from io import BytesIO  # noqa: PLC0415 -- beside Pillow

    from PIL import Image  # noqa: PLC0415 -- slow import

    cells = (255 - image / 16 * 255).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(cells).resize((8 * scale, 8 * scale), Image.Resampling.BICUBIC)
    out = BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()
