"""From an uploaded zip of images to assets: checked as a whole before the first byte is kept."""

from typing import BinaryIO

from core.exceptions import Invalid
from core.formats.archive import image_type, read_members
from core.formats.errors import FileError
from core.models import Asset, Membership
from core.services.asset import StoredImage, add_assets, check_open, drop_images, store_image


def import_archive(membership: Membership, upload: BinaryIO) -> list[Asset]:
    """Add every image of a zip, or none: one that is refused leaves nothing behind.

    Raises Invalid with the code of what is wrong with the archive or with one of its members.
    """
    check_open(membership.project)
    images: list[StoredImage] = []
    new: list[str] = []
    try:
        for name, data in read_members(upload):
            image, is_new = store_image(membership.project_id, name, data, _kind(name, data))
            images.append(image)
            if is_new:
                new.append(image.sha256)
        return add_assets(membership, _some(images))
    except FileError as error:
        drop_images(membership.project_id, new)
        raise Invalid(error.code, error.detail) from None
    except BaseException:
        drop_images(membership.project_id, new)
        raise


def _some(images: list[StoredImage]) -> list[StoredImage]:
    if not images:
        raise Invalid("no-images", "The archive holds no images.")
    return images


def _kind(name: str, data: bytes) -> str:
    try:
        return image_type(data)
    except FileError as error:
        raise FileError(error.code, f"{name}: {error.detail}", name=name) from None
