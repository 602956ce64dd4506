"""The demo: two small projects, with labelers who are simulated and said to be so."""

import csv
import io
import json
import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils.timezone import now

from core.choices import ImportKind, ImportState, Pass
from core.exceptions import Conflict
from core.models import Annotation, Import, LabelClass, Membership, Project, User
from core.numerics import digits as pictures
from core.pipelines.demo_texts import (
    ASKED,
    EXAMPLES,
    GOLD,
    INTENTS,
    MERGED,
    MERGED_DEFINITION,
    MESSAGES,
    RULE,
    RULE_FROM,
    RULE_NOTE,
    SETTLED,
    UNSURE,
    F,
    P,
    R,
    V,
)
from core.pipelines.job import run_job
from core.pipelines.run import register_run
from core.selectors.imports import import_of
from core.services.adjudication import settle
from core.services.asset import add_assets, store_image
from core.services.gold import confirm_gold
from core.services.guideline import publish_guideline
from core.services.imports import start_import
from core.services.inquiry import ask
from core.services.mapping import apply_merge
from core.services.project import found_project
from core.services.question import edit_class

SEED = 20_261
N_DIGITS = 150
SLUGS = ("demo-digits", "demo-messages")
MODEL = "simulated model"
MODEL_SKILL = 0.85
DAYS, HOURS = 5, 6  # of the simulated labeling: how many days it took, and how long each was
REPEATING = frozenset({"simulated Ada", "simulated Cleo", "simulated Eno"})
RETEST_AFTER = timedelta(days=15)
SAME_AGAIN = 0.8
# Name, skill, and how readily the person admits not being able to tell.
PEOPLE = (
    ("simulated Ada", 0.93, 0.35),
    ("simulated Ben", 0.86, 0.15),
    ("simulated Cleo", 0.9, 0.5),
    ("simulated Dov", 0.74, 0.05),
    ("simulated Eno", 0.88, 0.25),
)
KEEPER = "labelapp demo"
Row = dict[str, Any]
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
    begun = _begun()
    rows = []
    for place, item in enumerate(names):
        # Two thirds have all three answers, the rest wait for you.
        people = rng.permutation(len(PEOPLE))[: 3 if place % 3 else int(rng.integers(0, 3))]
        for one in people:
            name = PEOPLE[one][0]
            label = classes[answers[name][place]]
            rows.append(_answer(item, name, "digit", label, begun, place / N_DIGITS))
    _import(member, ImportKind.ANNOTATIONS, rows)
    gold = [
        {"item_id": item, "question": "digit", "label": str(truth)}
        for item, truth in zip(names, data.truth, strict=True)
    ]
    _import(member, ImportKind.GOLD, gold)
    guesses = pictures.simulated_answers(data, skill=MODEL_SKILL, unsure=0, rng=rng)
    _predict(member, "digit", {item: classes[guess] for item, guess in zip(names, guesses, strict=True)})
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
    begun = _begun()
    early: list[Row] = []
    late: list[Row] = []
    again: list[Row] = []
    for place, (name, (_text, shares)) in enumerate(zip(names, MESSAGES, strict=True)):
        people = draw.sample(PEOPLE, 3 if place % 4 else draw.randrange(3))
        for person, _skill, _unsure in people:
            label, share = _read(shares, draw), place / len(MESSAGES)
            if place >= RULE_FROM:  # since the rule: disputed charges are read as it says
                ruled = F in shares and P in shares and label != UNSURE
                late.append(_answer(name, person, "intent", F if ruled else label))
                continue
            early.append(_answer(name, person, "intent", label, begun, share))
            if person in REPEATING and place % 2:
                # Most people say again what they said.
                label = label if draw.random() < SAME_AGAIN else _read(shares, draw)
                row = _answer(name, person, "intent", label, begun + RETEST_AFTER, share)
                again.append({**row, "repeat": 2, "pass": Pass.RETEST.value})
    _import(member, ImportKind.ANNOTATIONS, [*({**row, "repeat": 1, "pass": ""} for row in early), *again])
    _settle(member)
    _make_rule(member)
    _import(member, ImportKind.ANNOTATIONS, late)
    guesses = {
        name: max(shares, key=lambda intent: shares[intent])
        if draw.random() < MODEL_SKILL
        else draw.choice([*INTENTS])
        for name, (_text, shares) in zip(names, MESSAGES, strict=True)
    }
    _predict(member, "intent", guesses)
    _merge(member)
    return project


def _read(shares: dict[str, float], draw: random.Random) -> str:
    names, weights = list(shares), list(shares.values())
    return draw.choices([*names, UNSURE], [*weights, max(0.0, 1 - sum(weights))])[0]


def _begun() -> datetime:
    """When the simulated labeling began: three weeks ago, in the morning."""
    return (now() - timedelta(days=21)).replace(hour=9, minute=0, second=0, microsecond=0)


def _answer(  # noqa: PLR0917 -- one row of a file
    item: str, person: str, question: str, label: str, begun: datetime | None = None, share: float = 0.0
) -> Row:
    """A row of a file of annotations, given when this share of five days of work had passed; without a start: now."""
    at = ""
    if begun is not None:
        days, rest = divmod(share * DAYS, 1)
        at = (begun + timedelta(days=days, hours=rest * HOURS)).isoformat()
    return {"item_id": item, "annotator": person, "question": question, "label": label, "created_at": at}


# --- What has been done about the messages ------------------------------------------------------------


def _settle(member: Membership) -> None:
    """Some disagreements are settled, one of them as gold."""
    for name, (label, cause, comment) in SETTLED.items():
        item = member.project.items.get(external_id=name)
        is_gold = name == GOLD
        made = settle(
            member,
            item.pk,
            "intent",
            label,
            cause=cause,
            comment=comment,
            gold_candidate=is_gold,
            revision=0,
        )
        if is_gold:
            confirm_gold(member, made.pk)


def _make_rule(member: Membership) -> None:
    """Two people asked about items; what one of them asked has become a rule, with its item as an example."""
    asked = []
    for name, text in ASKED.items():
        given = Annotation.objects.filter(item__project=member.project, item__external_id=name)
        first = given.select_related("annotator__project", "item").earliest("created_at", "pk")
        asked.append(ask(first.annotator, first.item, text, f"demo-{name}").inquiry)
    touched = LabelClass.objects.filter(question__project=member.project, name__in=[F, P])
    publish_guideline(
        member,
        f"{_guideline()}{RULE}\n",
        RULE_NOTE,
        examples=EXAMPLES,
        touches=list(touched.values_list("pk", flat=True)),
        inquiry_id=asked[0].pk,
    )


def _merge(member: Membership) -> None:
    """Two classes that people could not tell apart are read as one."""
    classes = LabelClass.objects.filter(question__project=member.project, name__in=[R, V]).order_by("order")
    ids = list(classes.values_list("pk", flat=True))
    note = "Booking a room for a group is both; nobody could say which."
    version = Project.objects.get(pk=member.project_id).mapping_version
    apply_merge(member, "intent", ids, ids[0], name=MERGED, note=note, version=version)
    version = Project.objects.get(pk=member.project_id).version
    edit_class(member, "intent", ids[0], {"definition": MERGED_DEFINITION}, version)


def _predict(member: Membership, question: str, guesses: dict[str, str]) -> None:
    """A model beside the people, simulated like them."""
    rows = [{"item_id": item, "question": question, "label": label} for item, label in guesses.items()]
    register_run(member, {"name": MODEL, "seed": SEED, "predictions": rows})


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
        "seed": SEED,
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
        "audit_fraction": 0.5,
        "seed": SEED,
        "retest": {"after_days": 14, "rate": 0.05},
        "guideline": _guideline(),
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


def _guideline() -> str:
    """The first version of the guideline on messages."""
    return (
        NOTICE + "# What does the writer want?\n\n"
        "Choose what a helpful librarian would do first.\n\n"
        "| If the message … | choose |\n|---|---|\n"
        "| asks for more time with something borrowed | borrow or renew |\n"
        "| says that something is broken | problem |\n"
    )
