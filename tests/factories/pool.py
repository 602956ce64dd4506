"""A pool of texts that a model can learn, with its audit slice, and people's answers to some of it."""

import hashlib

from django.db.models import F

from core.choices import AuditPart
from core.models import Batch, Item, Membership, Project
from core.services.progress import recount
from tests.factories.answers import make_answer

WORDS = {
    "yes": ["good", "great", "fine", "lovely", "bright", "happy", "sunny", "sweet"],
    "no": ["bad", "awful", "poor", "nasty", "dark", "sad", "rainy", "sour"],
}
FILL = ["the", "bird", "was", "here", "and", "we", "saw", "it", "today", "again", "there", "by", "lake"]


def truth_of(name: str) -> str:
    """The class of an item, by a hash of its id: a quarter says no."""
    return "no" if _number(name, "truth") % 4 == 0 else "yes"


def text_of(name: str) -> str:
    """Words of its class, one of the other now and then, and filling."""
    label = truth_of(name)
    other = "yes" if label == "no" else "no"
    words = [WORDS[label][_number(name, f"own {n}") % 8] for n in range(2)]
    if _number(name, "noise") % 3 == 0:
        words.append(WORDS[other][_number(name, "other") % 8])
    words += [FILL[_number(name, f"fill {n}") % len(FILL)] for n in range(8)]
    return " ".join(words)


def _number(name: str, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose} {name}".encode()).digest()[:6], "big")


def make_pool(project: Project, n: int, *, holdout: int = 20, stream: int = 40) -> list[Item]:
    """``n`` items in one batch; so many of them in each part of the audit slice."""
    batch = Batch.objects.create(
        project=project, number=project.batches.count() + 1, name="pool", file_hash="1" * 64, n_items=n
    )
    first = project.items.count()
    parts = [AuditPart.HOLDOUT] * holdout + [AuditPart.STREAM] * stream
    made = Item.objects.bulk_create(
        Item(
            project=project,
            batch=batch,
            row=place + 1,
            external_id=f"text-{first + place}",
            data={"text": text_of(f"text-{first + place}")},
            audit=parts[place] if place < len(parts) else AuditPart.NONE,
            position=first + place,
            target=1,
            free=1,
        )
        for place in range(n)
    )
    recount(project.pk)
    return made


def answer_items(
    member: Membership, n: int, *, audit: str = AuditPart.NONE, only: str | None = None
) -> list[Item]:
    """So many unanswered items of a part are answered as they should be, in the order of their rows."""
    waiting = Item.objects.filter(project=member.project, audit=audit, done=0).order_by("pk")
    items = [item for item in waiting if only in {None, truth_of(item.external_id)}][:n]
    for item in items:
        make_answer(member, item, {"answer": truth_of(item.external_id)})
    Item.objects.filter(pk__in=[item.pk for item in items]).update(done=1, free=0)
    Membership.objects.filter(pk=member.pk).update(answered=F("answered") + len(items))
    recount(member.project_id)
    return items
