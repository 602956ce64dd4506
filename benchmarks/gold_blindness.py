"""Can an annotator tell gold from what their browser is sent, and does the pause strike those whom it should?

    python -m benchmarks.gold_blindness [--runs 1000] [--answers 14] [--people 60] [--simulated 20000]

Each run is a project of its own (40 items in the order of an import, gold on a quarter of them, a fifth of the
hand-outs gold) and one person who labels in it as the label page does: hand-out and submits over the API, three
items ahead. All that the browser can see of an item is written down: when it came in the order, how long the replies
took that brought it and that took its answer, the bytes of its lease and of the reply to its answer, the keys in
both, the bits of its ids, when it runs out. A gradient boosting classifier is trained to tell gold by that (five folds,
no run in two of them); printed is its area under the ROC curve on the runs that it did not see, with the 95 % interval
of a bootstrap over runs. At chance it is .5. The same for a made-up leak (a gold reply that takes 5 % longer), so that one
sees that the classifier would find one.

Then the pause: --people people at .5 and at .85 where .8 is asked, through the database and the product's own rule, looked
at after every 20 gold answers up to 200; and --simulated ones by the rule alone, up to 2,560.

It makes the tables it needs in a database of its own (SQLite in a temporary folder, unless DATABASE_URL names one).
"""

import argparse
import json
import os
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = tempfile.TemporaryDirectory(prefix="gold-blindness-")
os.environ.setdefault("LABELAPP_DATA", FOLDER.name)
Path(FOLDER.name, "static").mkdir()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")

import django  # noqa: E402 -- after the environment

django.setup()

from django.core.management import call_command  # noqa: E402 -- after setup
from django.test import Client  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402, TID253 -- this is a benchmark
from sklearn.metrics import roc_auc_score  # noqa: E402, TID253
from sklearn.model_selection import GroupKFold  # noqa: E402, TID253

from core.choices import Lane, Pass, PausedBecause  # noqa: E402
from core.models import Annotation, Answer, Batch, Gold, Item, Lease, Membership, Project, User  # noqa: E402
from core.numerics.sequential import answers_at, is_below, last_look, share_so_far  # noqa: E402
from core.pipelines.gold import pause_below  # noqa: E402
from core.selectors.question import schema_of  # noqa: E402
from core.services.guideline import in_force  # noqa: E402
from core.services.pick import main_position  # noqa: E402
from core.services.progress import recount  # noqa: E402
from core.services.project import create_project  # noqa: E402

ITEMS, GOLD_SHARE, GOLD_RATE, AHEAD = 40, 0.25, "0.2", 3
CLASSES = ("one", "two", "three")
BOUND = 0.8
Floats = npt.NDArray[np.float64]


def make(lead: User, n_items: int, n_gold: int, rng: np.random.Generator, **settings: Any) -> Project:
    """A project of items of many lengths, in the queue's order, gold on some of them drawn by chance."""
    slug = f"blind-{uuid.uuid4().hex[:10]}"
    document = {
        "slug": slug,
        "name": slug,
        "questions": [{"key": "q", "kind": "single", "title": "Which?", "classes": list(CLASSES)}],
        **settings,
    }
    project = create_project(lead, document)
    batch = Batch.objects.create(project=project, number=1, name="bench", file_hash="0", n_items=n_items)
    rows = [
        Item(
            project=project,
            batch=batch,
            row=place + 1,
            external_id=f"item-{place + 1:04}",
            data={"text": "word " * int(rng.integers(5, 40))},
            lane=Lane.MAIN,
            position=0,
            target=1,
            free=1,
        )
        for place in range(n_items)
    ]
    for row in rows:
        row.position = main_position(row, project.audit_key)
    items = Item.objects.bulk_create(rows)
    question = schema_of(project).questions[0]
    chosen = rng.choice(n_items, n_gold, replace=False)
    Gold.objects.bulk_create(
        Gold(item=items[place], question_id=question.id, label_class_id=question.classes[int(place) % 3].id)
        for place in chosen
    )
    recount(project.pk)
    return project


def worker(project: Project) -> Membership:
    """A new annotator."""
    user = User.objects.create(username=uuid.uuid4().hex[:12])
    return Membership.objects.create(project=project, user=user, name=user.username)


class Browser:
    """What somebody's browser sees while they label: one row of figures per item."""

    def __init__(self, member: Membership) -> None:
        self.slug = member.project.slug
        self.client = Client(SERVER_NAME="localhost")
        assert member.user is not None
        self.client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
        self.held: list[dict[str, Any]] = []
        self.seen: dict[str, list[float]] = {}
        self.last = 0

    def post(self, address: str, body: dict[str, Any]) -> tuple[dict[str, Any], float, int]:
        """The reply's JSON, how long it took in milliseconds, its bytes."""
        begun = time.perf_counter()
        reply = self.client.post(
            f"/api/v1/{address}",
            json.dumps(body),
            content_type="application/json",
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
        took = (time.perf_counter() - begun) * 1000
        assert reply.status_code == 201, reply.content
        return json.loads(reply.content), took, len(reply.content)

    def takes_in(self, leases: list[dict[str, Any]], took: float) -> None:
        """Write down how each of these came."""
        for place, lease in enumerate(leases):
            number = int(lease["item"]["id"].split("-")[1])
            random = uuid.UUID(lease["id"]).int
            left = (datetime.fromisoformat(lease["expires_at"]) - datetime.now(UTC)).total_seconds()
            self.seen[lease["id"]] = [
                float(len(self.seen)),
                float(place),
                float(len(leases)),
                took,
                float(number),
                float(number - self.last),
                float(len(json.dumps(lease))),
                float(len(json.dumps(lease["item"]))),
                float(len(lease) + len(lease["item"]) + len(lease["item"]["meta"])),
                left,
                *(float(random >> shift & 0xFF) for shift in (0, 8, 16, 112, 120)),
            ]
            self.last = number
        self.held += leases

    def labels(self, answers: int, rng: np.random.Generator) -> None:
        """Answer so many items, as fast as the server allows."""
        given, took, _size = self.post(f"projects/{self.slug}/leases", {"count": AHEAD, "have": []})
        self.takes_in(given["leases"], took)
        before = 0
        for _ in range(answers):
            lease = self.held.pop(0)
            body = {
                "answers": {"q": CLASSES[int(rng.integers(3))]},
                "elapsed_ms": 1500,
                "have": [one["id"] for one in self.held],
                "count": AHEAD,
            }
            told, took, size = self.post(f"leases/{lease['id']}/annotation", body)
            self.seen[lease["id"]] += [
                took,
                float(size - len(json.dumps(told["next"]))),
                float(len(told["next"])),
                float(len(told) + len(told["annotation"])),
                float(told["annotation"]["id"] - before),
                float(told["annotation"]["revision"]),
                float(told["progress"]["mine"]),
                float(told["progress"]["mine_today"]),
            ]
            before = told["annotation"]["id"]
            self.takes_in(told["next"], took)


def run_all(
    lead: User, runs: int, answers: int
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Figures of every answered item, whether it was gold, and its run."""
    figures, gold, run = [], [], []
    for number in range(runs):
        rng = np.random.default_rng([7, number])
        project = make(lead, ITEMS, int(ITEMS * GOLD_SHARE), rng, gold_rate=GOLD_RATE)
        browser = Browser(worker(project))
        browser.labels(answers, rng)
        passes = dict(
            Lease.objects.filter(item__project=project).values_list("pk", "pass_kind").order_by("created_at")
        )
        width = max(map(len, browser.seen.values()))
        for lease, row in browser.seen.items():
            if len(row) == width:
                figures.append(row)
                gold.append(passes[uuid.UUID(lease)] == Pass.GOLD)
                run.append(number)
    return np.array(figures), np.array(gold), np.array(run)


def auc(
    figures: Floats, gold: npt.NDArray[np.bool_], run: npt.NDArray[np.intp]
) -> tuple[float, float, float]:
    """The classifier's area under the curve on runs that it did not see, with its interval."""
    scores = np.zeros(len(gold))
    for learn, test in GroupKFold(5).split(figures, gold, run):
        model = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, random_state=0)
        scores[test] = model.fit(figures[learn], gold[learn]).predict_proba(figures[test])[:, 1]
    rng = np.random.default_rng(1)
    rows = [np.flatnonzero(run == one) for one in np.unique(run)]
    drawn = []
    for _ in range(400):
        again = np.concatenate([rows[place] for place in rng.integers(0, len(rows), len(rows))])
        drawn.append(roc_auc_score(gold[again], scores[again]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(roc_auc_score(gold, scores)), float(low), float(high)


def paused_through_the_product(lead: User, accuracy: float, people: int, n: int) -> list[int]:
    """After how many gold answers each of these people was paused; those who were not are left out."""
    rng = np.random.default_rng(int(accuracy * 1000))
    project = make(lead, n, n, rng)
    guideline = in_force(project)
    Project.objects.filter(pk=project.pk).update(gold_bound=BOUND)
    project.refresh_from_db()
    question = schema_of(project).questions[0]
    gold = dict(Gold.objects.filter(item__project=project).values_list("item_id", "label_class_id"))
    members = [worker(project) for _ in range(people)]
    Membership.objects.filter(project=project).update(today=time.strftime("%Y-%m-%d", time.gmtime()))
    struck: list[int] = []
    items = sorted(gold)
    for start in range(0, n, 20):
        working = Membership.objects.filter(pk__in=[one.pk for one in members], paused_because="")
        made = Annotation.objects.bulk_create(
            Annotation(item_id=item, annotator=one, pass_kind=Pass.GOLD, guideline_id=guideline)
            for one in working
            for item in items[start : start + 20]
        )
        classes = [spec.id for spec in question.classes]
        Answer.objects.bulk_create(
            Answer(
                annotation=one,
                question_id=question.id,
                label_class_id=gold[one.item_id]
                if rng.random() < accuracy
                else next(pk for pk in classes if pk != gold[one.item_id]),
            )
            for one in made
        )
        struck += [start + 20] * pause_below(project)
    told = Membership.objects.filter(project=project, paused_because=PausedBecause.GOLD).count()
    assert told == len(struck)
    return struck


def paused_by_the_rule(accuracy: float, people: int, n: int) -> Floats:
    """After how many gold answers the rule pauses each of these people; infinity where it does not."""
    rng = np.random.default_rng(int(accuracy * 1000) + 1)
    looks = [answers_at(look) for look in range(1, last_look(n) + 1)]
    struck = np.full(people, np.inf)
    for person in range(people):
        right = (rng.random(n) < accuracy).tolist()
        struck[person] = next((seen for seen in looks if is_below(share_so_far(right[:seen]), BOUND)), np.inf)
    return struck


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--answers", type=int, default=14)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--simulated", type=int, default=20_000)
    asked = parser.parse_args()
    call_command("migrate", verbosity=0)
    lead = User.objects.create(username=f"lead-{uuid.uuid4().hex[:8]}", may_create_projects=True)
    begun = time.monotonic()
    figures, gold, run = run_all(lead, asked.runs, asked.answers)
    print(
        f"{asked.runs} runs, {len(gold)} hand-outs, {gold.sum()} of them gold ({time.monotonic() - begun:.0f} s)"
    )
    print("AUC of gold by the traffic: {:.3f} [{:.3f}, {:.3f}]".format(*auc(figures, gold, run)))
    leaky = figures.copy()
    leaky[gold, figures.shape[1] - 8] *= 1.05
    print(
        "AUC with a leak of 5 % of the time of a submit: {:.3f} [{:.3f}, {:.3f}]".format(
            *auc(leaky, gold, run)
        )
    )
    for accuracy, within in ((0.5, 40), (0.85, 200)):
        struck = paused_through_the_product(lead, accuracy, asked.people, within)
        print(f"at {accuracy}: {len(struck)} of {asked.people} paused within {within} gold answers (product)")
        ruled = paused_by_the_rule(accuracy, asked.simulated, 2560 if accuracy > BOUND else 160)
        for n in (20, 40, 80, 160, 320, 2560):
            if np.isinf(ruled).any() or n <= np.max(ruled[np.isfinite(ruled)], initial=20):
                print(f"  rule alone: {np.mean(ruled <= n):.4f} paused within {n}")


if __name__ == "__main__":
    main()
