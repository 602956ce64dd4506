"""Items that wait to be labeled, as an import would leave them."""

from typing import Any

from core.choices import Lane
from core.models import Batch, Item, Project
from core.services.progress import recount


def make_items(project: Project, n: int, *, batch: Batch | None = None, **more: Any) -> list[Item]:
    """``n`` items in a batch of their own, in the order of their rows, with the project's overlap as target."""
    first = Item.objects.filter(project=project).count()
    if batch is None:
        number = Batch.objects.filter(project=project).count() + 1
        batch = Batch.objects.create(
            project=project, number=number, name=f"batch {number}", file_hash=f"{number:064}", n_items=n
        )
    target = more.pop("target", project.overlap)
    return Item.objects.bulk_create(
        Item(
            project=project,
            batch=batch,
            row=place + 1,
            external_id=f"item-{first + place + 1}",
            data={"text": f"Sentence {first + place + 1}."},
            lane=Lane.MAIN,
            position=first + place,
            target=target,
            free=target,
            **more,
        )
        for place in range(n)
    )


def make_waiting(project: Project, n: int, overlap: int = 1) -> list[Item]:
    """``n`` items that wait for ``overlap`` answers each, as every item of the project does from now on."""
    Project.objects.filter(pk=project.pk).update(overlap=overlap, audit_overlap=overlap)
    made = make_items(project, n, target=overlap)
    recount(project.pk)
    return made
