"""How well variants of free-text answers are found: 40 made-up answers in 200 spellings, some near to each other.

    python -m benchmarks.standard [--seeds 20] [--large 100000]

Pairs of texts: precision is the share of the suggested pairs that belong together, recall the share of those that
belong together and are suggested. `--large` reports the time for that many different texts.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from itertools import combinations

from core.numerics.variants import Cluster, clusters

ANSWERS = (
    "um",
    "uh",
    "i do not know",
    "blue car",
    "red car",
    "the dog barks",
    "the dogs bark loudly",
    "left knee pain",
    "right knee pain",
    "headache",
    "toothache",
    "stomach ache",
    "no symptoms",
    "fever since monday",
    "fever since tuesday",
    "customer service",
    "delivery was late",
    "delivery was great",
    "too expensive",
    "very friendly staff",
    "broken screen",
    "broken speaker",
    "battery life",
    "out of stock",
    "wrong size",
    "size 40",
    "size 41",
    "email address",
    "postal address",
    "invoice missing",
    "invoice mistaken",
    "cat",
    "car",
    "cart",
    "cancelled flight",
    "delayed flight",
    "lost luggage",
    "window seat",
    "aisle seat",
    "vegetarian meal",
)
N_VARIANTS = 200
NEIGHBOURS = "qwertyuiop asdfghjkl zxcvbnm"


def made_up(seed: int) -> tuple[list[str], list[int], list[int]]:
    """Texts, how often each was given, and which answer each is a spelling of."""
    draw = random.Random(seed)
    texts = {answer: place for place, answer in enumerate(ANSWERS)}
    texts |= {"umm": 0, "ummm": 0, "um…": 0, "Um...": 0, "UMMMM": 0}
    counts = {text: draw.randint(20, 60) if text in ANSWERS else draw.randint(1, 4) for text in texts}
    while len(texts) < len(ANSWERS) + N_VARIANTS:
        place = draw.randrange(len(ANSWERS))
        text = _varied(ANSWERS[place], draw)
        if text not in texts:
            texts[text], counts[text] = place, draw.choice((1, 1, 1, 2, 2, 3))
    names = sorted(texts)
    return names, [counts[name] for name in names], [texts[name] for name in names]


def _varied(answer: str, draw: random.Random) -> str:
    """The answer as somebody in a hurry types it."""
    ways = [_shout, _point, _stretch, _space]
    if len(answer) >= 6:  # a slip in "cat" makes another word, which nobody could tell
        ways += [_slip, _slip, _slip, _swap_words]
    text = draw.choice(ways)(answer, draw)
    if draw.random() < 0.2:
        text = draw.choice((_shout, _point))(text, draw)
    return text


def _shout(answer: str, draw: random.Random) -> str:
    return draw.choice((answer.upper(), answer.capitalize(), answer.title()))


def _point(answer: str, draw: random.Random) -> str:
    return answer + draw.choice((".", "!", "…", "...", "?", " .", ";"))


def _stretch(answer: str, draw: random.Random) -> str:
    place = draw.choice([at for at, letter in enumerate(answer) if letter.isalpha()])
    return answer[:place] + answer[place] * draw.randint(2, 4) + answer[place:]


def _space(answer: str, draw: random.Random) -> str:
    return draw.choice((f" {answer}", f"{answer} ", answer.replace(" ", "  "), answer.replace(" ", "-")))


def _slip(answer: str, draw: random.Random) -> str:
    place = draw.choice([at for at, letter in enumerate(answer[:-1]) if letter.isalpha()])
    way = draw.randrange(4)
    if way == 0:
        return answer[:place] + answer[place + 1 :]
    if way == 1:
        return answer[:place] + draw.choice("aeinrst") + answer[place:]
    if way == 2:
        return answer[:place] + answer[place + 1] + answer[place] + answer[place + 2 :]
    near = NEIGHBOURS.find(answer[place])
    return answer[:place] + (NEIGHBOURS[near + 1 : near + 2].strip() or "e") + answer[place + 1 :]


def _swap_words(answer: str, draw: random.Random) -> str:
    words = answer.split()
    draw.shuffle(words)
    return " ".join(words)


def judged(found: Sequence[Cluster], truth: Sequence[int]) -> tuple[float, float]:
    """Precision and recall of the suggested pairs."""
    said = {
        tuple(sorted(pair))
        for cluster in found
        for pair in combinations([cluster.canonical, *(one.place for one in cluster.variants)], 2)
    }
    right = {pair for pair in combinations(range(len(truth)), 2) if truth[pair[0]] == truth[pair[1]]}
    return len(said & right) / len(said), len(said & right) / len(right)


def main() -> int:
    """Print a line per seed and the least of each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--large", type=int, default=100_000)
    asked = parser.parse_args()
    rows = []
    for seed in range(asked.seeds):
        texts, counts, truth = made_up(seed)
        rows.append(judged(clusters(texts, counts), truth))
        print(f"seed {seed}: {len(texts)} texts, precision {rows[-1][0]:.3f}, recall {rows[-1][1]:.3f}")
    print(
        f"least precision {min(row[0] for row in rows):.3f}, least recall {min(row[1] for row in rows):.3f}"
    )
    if asked.large:
        draw = random.Random(0)
        words = [
            "".join(draw.choice("abcdefghiklmnoprstuvw") for _ in range(draw.randint(3, 9)))
            for _ in range(4000)
        ]
        many = sorted({" ".join(draw.choices(words, k=draw.randint(1, 4))) for _ in range(asked.large)})
        begin = time.perf_counter()
        found = clusters(many, [draw.randint(1, 9) for _ in many])
        print(f"{len(many):,} different texts: {time.perf_counter() - begin:.1f} s, {len(found):,} groups")
    return 0


if __name__ == "__main__":
    sys.exit(main())
