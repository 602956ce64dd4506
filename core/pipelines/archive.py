"""From an uploaded zip of images to assets: checked as a whole before the first byte is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from core.exceptions import Invalid
from core.formats.archive import ArchiveLimits, image_type, read_members
from core.formats.errors import FileError
from core.models import Asset, Membership
from core.services.archive import check_open
from core.services.asset import StoredImage, add_assets, drop_images, store_image

LIMITS = ArchiveLimits(name_characters=200)


def import_archive(membership: Membership, upload: BinaryIO) -> list[Asset]:
    """Add every image of a zip, or none: one that is refused leaves nothing behind.

    Raises Invalid with the code of what is wrong with the archive or with one of its members.
    """
    check_open(membership.project)
    new: list[str] = []
    try:
        images = list(stored_images(membership.project_id, upload, new))
        return add_assets(membership, images)
    except FileError as error:
        drop_images(membership.project_id, new)
        raise Invalid(error.code, error.detail) from None
    except BaseException:
        drop_images(membership.project_id, new)
        raise


def import_folder(membership: Membership, folder: Path) -> list[Asset]:
    """Add every image of a folder on the server, named by its path within the folder; all or none.

    Hidden files are passed over. Raises Invalid with the code of what is wrong with one of them.
    """
    check_open(membership.project)
    new: list[str] = []
    try:
        return add_assets(membership, list(_folder_images(membership.project_id, folder, new)))
    except FileError as error:
        drop_images(membership.project_id, new)
        raise Invalid(error.code, error.detail) from None
    except BaseException:
        drop_images(membership.project_id, new)
        raise


def _folder_images(project_id: int, folder: Path, new: list[str]) -> Iterator[StoredImage]:
    found = False
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        if len(name) > LIMITS.name_characters:
            raise FileError("bad-name", f"{name[:60]}… is longer than {LIMITS.name_characters} characters")
        data = path.read_bytes()
        image, is_new = store_image(project_id, name, data, _type_of(name, data))
        if is_new:
            new.append(image.sha256)
        found = True
        yield image
    if not found:
        raise FileError("no-images", "The folder holds no images.")


def _type_of(name: str, data: bytes) -> str:
    try:
        return image_type(data)
    except FileError as error:
        raise FileError(error.code, f"{name}: {error.detail}", name=name) from None


def stored_images(project_id: int, upload: BinaryIO, new: list[str]) -> Iterator[StoredImage]:
    """Store the images of a zip one by one; ``new`` collects the hashes of files that were not there before.

    Raises FileError, ``no-images`` when there are none.
    """
    found = False
    for name, data in read_members(upload, LIMITS):
        image, is_new = store_image(project_id, name, data, _type_of(name, data))
        if is_new:
            new.append(image.sha256)
        found = True
        yield image
    if not found:
        raise FileError("no-images", "The archive holds no images.")
