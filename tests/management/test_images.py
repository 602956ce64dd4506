"""Images of a folder on the server: all of them, or none and the reason."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from core.models import Asset, Project
from tests.factories.imports import png

pytestmark = pytest.mark.django_db


def test_the_images_of_a_folder_are_named_by_their_path(
    project: Project, tmp_path: Path, media: Path
) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake/duck.bin").write_bytes(png())
    (tmp_path / "swan.png").write_bytes(png("white"))
    (tmp_path / ".hidden.png").write_bytes(b"no image")
    call_command("images", project.slug, str(tmp_path))
    assert sorted(Asset.objects.values_list("name", "content_type")) == [
        ("lake/duck.bin", "image/png"),
        ("swan.png", "image/png"),
    ]


def test_one_file_that_is_no_image_leaves_nothing(project: Project, tmp_path: Path, media: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(b"<svg onload=alert(1)>")
    with pytest.raises(CommandError, match=r"b\.png"):
        call_command("images", project.slug, str(tmp_path))
    assert not Asset.objects.exists()
    assert [path for path in media.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("words", [("nothing", "."), ("birds", "/no/such/folder")])
def test_an_unknown_project_or_folder_is_said(project: Project, words: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        call_command("images", *words)
