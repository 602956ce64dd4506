"""Uploaded images: kept once by their content, named as the items' data name them."""

import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from core.exceptions import Conflict
from core.models import Asset, Membership, Project, User
from core.services.audit import record

# Every type that an image may have here, by what its bytes are. Never by its name or by what a client says.
CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


class StoredImage(NamedTuple):
    """An image that lies in the project's folder already."""

    name: str
    sha256: str
    content_type: str
    size: int


def asset_path(project_id: int, digest: str) -> Path:
    """Where an image's bytes lie: addressed by project and hash, so that no name ever becomes a path."""
    return Path(settings.MEDIA_ROOT) / "assets" / str(project_id) / digest


def store_image(project_id: int, name: str, data: bytes, kind: str) -> tuple[StoredImage, bool]:
    """Put an image into the project's folder; tells whether its bytes are new there.

    It is not an asset before it is named.
    """
    digest = sha256(data).hexdigest()
    path = asset_path(project_id, digest)
    image = StoredImage(name, digest, CONTENT_TYPES[kind], len(data))
    if path.exists():
        return image, False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{uuid4().hex}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return image, True


def drop_images(project_id: int, digests: list[str]) -> None:
    """Remove files that were stored for nothing; those that an asset names stay."""
    used = set(Asset.objects.filter(project=project_id, sha256__in=digests).values_list("sha256", flat=True))
    for digest in digests:
        if digest not in used:
            asset_path(project_id, digest).unlink(missing_ok=True)


def add_assets(membership: Membership, images: list[StoredImage]) -> list[Asset]:
    """Name stored images for a member. Raises Conflict as ``name_images`` does."""
    return name_images(membership.project, membership.user, images)


@transaction.atomic
def name_images(project: Project, user: User | None, images: list[StoredImage]) -> list[Asset]:
    """Name stored images. A name that is taken keeps its image: Conflict ``asset-exists`` unless it is the same."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    there = {
        asset.name: asset
        for asset in Asset.objects.filter(project=project, name__in=[image.name for image in images])
    }
    other = [
        image.name for image in images if image.name in there and there[image.name].sha256 != image.sha256
    ]
    if other:
        raise Conflict(
            "asset-exists",
            f"Another image is called {other[0]!r} already; nothing was added.",
            errors=[{"name": name, "code": "asset-exists"} for name in other[:100]],
        )
    made = Asset.objects.bulk_create(
        (
            Asset(
                project=project,
                name=image.name,
                sha256=image.sha256,
                content_type=image.content_type,
                size=image.size,
            )
            for image in images
            if image.name not in there
        ),
        batch_size=500,
    )
    record(user, project, "assets.added", n=len(made))
    return [*there.values(), *made]
