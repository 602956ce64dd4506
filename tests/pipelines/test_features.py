"""Features of a project: one version for everybody, made once, the same on every machine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from core.choices import ImportKind, ImportState, ItemState, JobKind, JobState
from core.models import FeatureSet, Import, Item, ItemVector, ItemVersion, Job, Project
from core.numerics.shards import MissingRows
from core.pipelines.features import Features, ready_features
from core.pipelines.job import run_job
from core.selectors.features import (
    contents_of,
    item_keys,
    latest_feature_set,
    sample_of,
    spot_of,
    tie_of,
    ties_of,
)
from core.services.asset import add_assets, store_image
from core.services.features import create_feature_set, start_features
from tests.conftest import Actors
from tests.factories.answers import make_items
from tests.factories.imports import png


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    """This machine's folder."""
    settings.DATA_DIR = tmp_path
    return tmp_path / "features"


@pytest.fixture
def birds(project: Project) -> list[Item]:
    """Four items about birds and two about money."""
    items = make_items(project, "a", "b", "c", "d", "e", "f")
    texts = [
        "a red bird sings",
        "the red bird flies",
        "birds sing",
        "a bird flies",
        "my card is lost",
        "a lost card",
    ]
    for item, text in zip(items, texts, strict=True):
        item.data = {"text": text}
    Item.objects.bulk_update(items, ["data"])
    return items


def ready(project: Project) -> Features:
    features = ready_features(project)
    assert features is not None
    return features


def rows_of(features: Features) -> Any:
    keys = item_keys(features.feature_set.project)
    return features.rows(*keys)


def test_a_project_without_items_has_no_features(project: Project) -> None:
    assert ready_features(project) is None
    assert not FeatureSet.objects.exists()


def test_texts_about_the_same_are_near(birds: list[Item], project: Project) -> None:
    rows = rows_of(ready(project))

    alike = rows.dense @ rows.dense.T
    assert alike[0, 1] > alike[0, 4] + 0.2
    assert alike[4, 5] > alike[0, 4] + 0.2
    assert np.allclose(np.linalg.norm(rows.dense, axis=1), 1, atol=1e-5)


def test_the_features_are_made_once(birds: list[Item], project: Project, folder: Path) -> None:
    first = ready(project)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    second = ready(project)

    assert first.feature_set == second.feature_set
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_every_machine_makes_the_same_rows(
    birds: list[Item], project: Project, tmp_path: Path, settings: Any
) -> None:
    here = rows_of(ready(project))
    settings.DATA_DIR = tmp_path / "another machine"

    there = rows_of(ready(project))

    assert here.sparse.data.tobytes() == there.sparse.data.tobytes()
    assert here.sparse.indices.tobytes() == there.sparse.indices.tobytes()
    assert here.dense.tobytes() == there.dense.tobytes()
    assert FeatureSet.objects.count() == 1


def test_a_machine_that_scores_a_part_makes_what_it_lacks(
    birds: list[Item], project: Project, tmp_path: Path, settings: Any
) -> None:
    whole = rows_of(ready(project))
    settings.DATA_DIR = tmp_path / "another machine"
    features = Features(FeatureSet.objects.get())
    keys = item_keys(project)

    part = features.rows(keys.item[[4, 1]], keys.version[[4, 1]])

    assert np.array_equal(part.dense, whole.dense[[4, 1]])
    assert features.store.missing(*keys).tolist() == [True, False, True, True, False, True]


def test_a_corrected_item_has_a_new_row_and_the_old_one_can_still_be_made(
    birds: list[Item], project: Project, tmp_path: Path, settings: Any
) -> None:
    before = rows_of(ready(project))
    bird = birds[0]
    ItemVersion.objects.create(item=bird, version=1, data=bird.data, meta={})
    Item.objects.filter(pk=bird.pk).update(version=2, data={"text": "my money is lost"})

    after = rows_of(ready(project))
    settings.DATA_DIR = tmp_path / "another machine"
    both = Features(FeatureSet.objects.get()).rows(np.array([bird.pk] * 2), np.array([1, 2]))

    assert (after.dense[1:] == before.dense[1:]).all()
    assert not np.allclose(after.dense[0], before.dense[0])
    assert np.array_equal(both.dense, [before.dense[0], after.dense[0]])


def test_an_item_that_does_not_exist_has_no_row(birds: list[Item], project: Project) -> None:
    features = ready(project)

    for item, version in ((birds[-1].pk + 1, 1), (birds[0].pk, 7)):
        with pytest.raises(MissingRows):
            features.rows(np.array([item]), np.array([version]))


def test_withdrawn_items_are_not_among_them(birds: list[Item], project: Project) -> None:
    Item.objects.filter(pk=birds[2].pk).update(state=ItemState.WITHDRAWN, free=0)

    features = ready(project)

    assert birds[2].pk not in item_keys(project).item
    assert features.store.missing(np.array([birds[2].pk]), np.array([1])).all()


def test_a_pool_that_has_grown_fourfold_gets_a_new_basis(
    birds: list[Item], project: Project, folder: Path
) -> None:
    ready(project)
    make_items(project, *(f"more {place}" for place in range(17)))
    assert ready(project).feature_set.number == 1
    make_items(project, "one more")

    grown = ready(project)

    assert (grown.feature_set.number, grown.feature_set.n_items) == (2, 24)
    make_items(project, *(f"even more {place}" for place in range(72)))
    assert ready(project).feature_set.number == 3
    assert sorted(path.name.split("-")[1] for path in folder.iterdir()) == ["2", "3"]


def test_fields_that_are_hidden_later_are_no_longer_read(birds: list[Item], project: Project) -> None:
    Item.objects.filter(pk=birds[0].pk).update(data={"text": "a red bird sings", "gold": "a bird indeed"})
    assert ready(project).spec.fields == ("gold", "text")
    project.display = {"text": "text", "gold": "hidden"}
    project.save()

    features = ready(project)

    assert (features.spec.fields, features.feature_set.number) == (("text",), 2)


def bring_vectors(items: list[Item], scale: float = 1.0) -> None:
    for place, item in enumerate(items):
        vector = scale * np.eye(6, 3, -place, dtype="<f4")[place % 6] + 1
        ItemVector.objects.create(item=item, content=vector.tobytes())


def test_vectors_that_were_brought_for_all_items_replace_the_texts(
    birds: list[Item], project: Project, actors: Actors
) -> None:
    ready(project)
    bring_vectors(birds[:3])
    assert ready(project).feature_set.number == 1  # half of the items are not all
    bring_vectors(birds[3:])

    features = ready(project)

    assert (features.feature_set.number, features.spec.width) == (2, 3)
    assert np.allclose(np.linalg.norm(rows_of(features).sparse.toarray(), axis=1), 1)
    assert ready(project).feature_set.number == 2


def test_a_few_items_from_all_over_the_project_tell_whether_vectors_were_brought(project: Project) -> None:
    items = [item.pk for item in make_items(project, *(str(place) for place in range(400)))]
    Item.objects.filter(pk__in=items[200:300]).update(state=ItemState.WITHDRAWN, free=0)

    spot = spot_of(project)

    assert 150 < len(spot) <= 200
    assert not set(spot) & set(items[200:300])
    quarters = [items[:100], items[100:200], items[300:]]
    assert all(len(set(spot) & set(quarter)) >= 40 for quarter in quarters)


def test_vectors_that_were_brought_again_replace_the_earlier_ones(
    birds: list[Item], project: Project, actors: Actors
) -> None:
    bring_vectors(birds)
    before = rows_of(ready(project))
    ItemVector.objects.all().delete()
    bring_vectors(birds, scale=9)
    Import.objects.create(
        project=project,
        kind=ImportKind.EMBEDDINGS,
        state=ImportState.PUBLISHED,
        job=Job.objects.create(project=project, kind=JobKind.IMPORT, finished_at=timezone.now()),
        file_name="vectors.npz",
        file_size=0,
    )

    features = ready(project)

    assert features.feature_set.number == 2
    assert not np.allclose(rows_of(features).sparse.toarray(), before.sparse.toarray())
    assert ready(project).feature_set.number == 2


def test_two_who_make_the_same_version_get_one(birds: list[Item], project: Project) -> None:
    first = ready(project).feature_set

    other = create_feature_set(project, None, spec={}, basis=b"", n_items=1)

    assert other == first
    assert latest_feature_set(project) == first


def test_the_sample_does_not_depend_on_the_order_of_the_rows(birds: list[Item], project: Project) -> None:
    ties = {item.pk: tie_of(item.external_id) for item in birds}
    keys = item_keys(project)

    assert ties_of(project, keys.item[::-1]).tolist() == [ties[pk] for pk in keys.item[::-1].tolist()]
    assert sample_of(project, 2).item.tolist() == sorted(ties, key=lambda pk: ties[pk])[:2]
    with pytest.raises(KeyError):
        ties_of(project, np.array([birds[-1].pk + 1]))


# --- Jobs -------------------------------------------------------------------------------------------


def test_a_job_makes_them_and_counts_what_cannot_be_read(
    project: Project, actors: Actors, media: Any
) -> None:
    items = make_items(project, "red", "blue", "broken", "gone", "unnamed")
    for item in items:
        item.data = {"file": f"{item.external_id}.png"}
    Item.objects.bulk_update(items, ["data"])
    project.display = {"file": "image"}
    project.save()
    images = {
        "red.png": png("red"),
        "blue.png": png("blue"),
        "broken.png": png()[:40],
        "gone.png": png("green"),
    }
    stored = {name: store_image(project.pk, name, content, "png")[0] for name, content in images.items()}
    add_assets(actors.membership(actors.alice), list(stored.values()))
    (media / "assets" / str(project.pk) / stored["gone.png"].sha256).unlink()

    job = start_features(project, actors.alice)
    assert start_features(project, actors.alice) == job
    run_job(job.pk)

    job.refresh_from_db()
    assert (job.state, job.result) == (JobState.DONE, {"items": 5, "version": 1, "empty": 3})


def test_a_job_of_an_empty_project_ends_well(project: Project) -> None:
    job = start_features(project, None)

    run_job(job.pk)

    job.refresh_from_db()
    assert (job.state, job.result) == (JobState.DONE, {"items": 0, "version": None, "empty": 0})


def test_a_job_that_is_cancelled_stops_and_the_next_goes_on(
    birds: list[Item], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_features(project, None)
    calls = []

    def cancel_at_the_third(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            Job.objects.filter(pk=job.pk).update(cancel_requested=True)
        return contents_of(*args, **options)

    monkeypatch.setattr("core.pipelines.features.contents_of", cancel_at_the_third)
    monkeypatch.setattr("core.pipelines.features.CHUNK", 2)

    run_job(job.pk)

    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert len(rows_of(ready(project))) == 6
