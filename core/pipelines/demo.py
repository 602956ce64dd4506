"""The demo: two small projects, with labelers who are simulated and said to be so."""

import csv
import io
import json
import random
from typing import Any

import numpy as np

from core.choices import ImportKind, ImportState
from core.exceptions import Conflict
from core.models import Import, Membership, Project, User
from core.numerics import digits as pictures
from core.pipelines.demo_texts import INTENTS, MESSAGES, UNSURE
from core.pipelines.job import run_job
from core.selectors.imports import import_of
from core.services.asset import add_assets, store_image
from core.services.imports import start_import
from core.services.project import found_project

SEED = 20_261
N_DIGITS = 150
SLUGS = ("demo-digits", "demo-messages")
# Name, skill, and how readily the person admits not being able to tell.
PEOPLE = (
    ("simulated Ada", 0.93, 0.35),
    ("simulated Ben", 0.86, 0.15),
    ("simulated Cleo", 0.9, 0.5),
    ("simulated Dov", 0.74, 0.05),
    ("simulated Eno", 0.88, 0.25),
)
KEEPER = "labelapp demo"
NOTICE = "**This is a demo. Its labelers are simulated:** programs that make the mistakes people make.\n\n"


def seed_demo(lead: User | None) -> list[Project]:
    """Make both demo projects. Without a lead they wait for the first one. Raises Conflict when they are there."""
    if Project.objects.filter(slug__in=SLUGS).exists():
        raise Conflict("demo-exists", "The demo is here already.")
    return [_digits(lead), _messages(lead)]


def _digits(lead: User | None) -> Project:
    data = pictures.load(N_DIGITS, SEED)
    project = found_project(lead, _digits_document(), "" if lead else KEEPER)
    member = project.memberships.select_related("project", "user").get()
    names = [f"digit-{number:03}" for number in range(N_DIGITS)]
    images = [
        store_image(project.pk, f"{name}.png", pictures.as_png(image), "png")[0]
        for name, image in zip(names, data.images, strict=True)
    ]
    add_assets(member, images)
    _import(member, ImportKind.ITEMS, [{"id": name, "data": {"image": f"{name}.png"}} for name in names])
    rng = np.random.default_rng(SEED)
    answers = {
        name: pictures.simulated_answers(data, skill=skill, unsure=unsure, rng=rng)
        for name, skill, unsure in PEOPLE
    }
    classes = [str(digit) for digit in range(pictures.DIGITS)] + [UNSURE]
    rows = []
    for place, item in enumerate(names):
        # Two thirds have all three answers, the rest wait for you.
        people = rng.permutation(len(PEOPLE))[: 3 if place % 3 else int(rng.integers(0, 3))]
        rows += [
            {
                "item_id": item,
                "annotator": PEOPLE[one][0],
                "question": "digit",
                "label": classes[answers[PEOPLE[one][0]][place]],
            }
            for one in people
        ]
    _import(member, ImportKind.ANNOTATIONS, rows)
    gold = [
        {"item_id": item, "question": "digit", "label": str(truth)}
        for item, truth in zip(names, data.truth, strict=True)
    ]
    _import(member, ImportKind.GOLD, gold)
    return project


def _messages(lead: User | None) -> Project:
    project = found_project(lead, _messages_document(), "" if lead else KEEPER)
    member = project.memberships.select_related("project", "user").get()
    names = [f"message-{number:02}" for number in range(len(MESSAGES))]
    items = [
        {"id": name, "data": {"text": text}} for name, (text, _shares) in zip(names, MESSAGES, strict=True)
    ]
    _import(member, ImportKind.ITEMS, items)
    draw = random.Random(SEED)  # noqa: S311 -- a demo, not a secret
    rows = []
    for place, (name, (_text, shares)) in enumerate(zip(names, MESSAGES, strict=True)):
        people = draw.sample(PEOPLE, 3 if place % 4 else draw.randrange(3))
        rows += [
            {"item_id": name, "annotator": person, "question": "intent", "label": _read(shares, draw)}
            for person, _skill, _unsure in people
        ]
    _import(member, ImportKind.ANNOTATIONS, rows)
    return project


def _read(shares: dict[str, float], draw: random.Random) -> str:
    names, weights = list(shares), list(shares.values())
    return draw.choices([*names, UNSURE], [*weights, max(0.0, 1 - sum(weights))])[0]


def _import(member: Membership, kind: ImportKind, rows: list[dict[str, Any]]) -> Import:
    """Through the same door as everybody's files, so that the demo shows what an import shows."""
    if kind == ImportKind.ITEMS:
        text, name = "".join(json.dumps(row) + "\n" for row in rows), "demo-items.jsonl"
    else:
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        text, name = out.getvalue(), f"demo-{kind}.csv"
    source = start_import(member, io.BytesIO(text.encode()), name, kind=kind, send=False)
    if source.job_id:
        run_job(source.job_id)
    done = import_of(member.project_id, source.pk)
    if done.state != ImportState.PUBLISHED:
        raise Conflict("demo-failed", f"The demo's {kind} could not be imported: {done.state}")
    return done


def _digits_document() -> dict[str, Any]:
    return {
        "slug": SLUGS[0],
        "name": "Demo: handwritten digits",
        "overlap": 3,
        "audit_fraction": 0.12,
        "guideline": NOTICE + "# Which digit was written?\n\n"
        "Say what the writer *meant*, not what it looks like at first sight.\n\n"
        "- A stroke through the stem makes a **7**, not a 1.\n"
        "- An open top makes a **4**, a closed one a **9**.\n"
        "- If two digits seem equally likely to you, choose *cannot tell*. That is an answer, not a failure.\n",
        "questions": [
            {
                "key": "digit",
                "kind": "single",
                "title": "Which digit is this?",
                "classes": [
                    *({"name": str(digit), "key": str(digit)} for digit in range(10)),
                    {
                        "name": UNSURE,
                        "key": "-",
                        "uncertain": True,
                        "definition": "Two digits are equally likely, or none is.",
                    },
                ],
            }
        ],
        "display": {"image": "image"},
    }


def _messages_document() -> dict[str, Any]:
    return {
        "slug": SLUGS[1],
        "name": "Demo: messages to a library",
        "overlap": 3,
        "guideline": NOTICE + "# What does the writer want?\n\n"
        "Choose what a helpful librarian would do first.\n\n"
        "| If the message … | choose |\n|---|---|\n"
        "| asks for more time with something borrowed | borrow or renew |\n"
        "| says that a charge is wrong | fees |\n"
        "| says that something is broken | problem |\n",
        "questions": [
            {
                "key": "intent",
                "kind": "single",
                "title": "What does the writer want?",
                "classes": [
                    *({"name": name, "definition": definition} for name, definition in INTENTS.items()),
                    {"name": UNSURE, "uncertain": True, "definition": "The message alone does not say."},
                ],
            }
        ],
        "display": {"text": "text"},
    }
