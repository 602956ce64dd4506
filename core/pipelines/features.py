"""Items to rows of numbers: which version of the features is in force, and this machine's rows of it.

Rows are a cache. Every machine makes its own from the database's items and the FeatureSet, so that workers share
nothing but the database and the broker.
"""

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from django.conf import settings

from core.choices import JobKind
from core.models import FeatureSet, Job, Project
from core.numerics.features import Basis, Datum, Kind, Rows, Spec, choose_spec, fit_basis, transform
from core.numerics.shards import SHARD, MissingRows, Store
from core.numerics.table import Ints
from core.selectors.features import (
    CHUNK,
    Content,
    ItemKeys,
    contents_of,
    image_hashes,
    item_keys,
    latest_feature_set,
    n_vectors,
    sample_of,
    spot_of,
    vectors_came_after,
)
from core.services.asset import asset_path
from core.services.features import create_feature_set
from core.services.job import beat, finish_job

MOST_SAMPLE = 20_000  # items that a basis is learnt from
MOST_PICTURES = 2_000  # or so many, where pictures must be opened for it
PICTURES = 500  # opened between two signs of life
LOOK = 500  # items by which fields are told apart
MOST_HAVE = 0.95
GROWTH = 4
_KEPT_VERSIONS = 2


class Features:
    """One version of a project's features, with the rows that this machine has."""

    def __init__(self, feature_set: FeatureSet) -> None:
        self.feature_set = feature_set
        self.spec = Spec.from_json(feature_set.spec)
        self.basis = Basis.from_bytes(bytes(feature_set.basis))
        self.store = Store(_folder(feature_set, self.spec), self.spec.width, self.spec.n_dense)

    def rows(self, item: Ints, version: Ints) -> Rows:
        """The rows of these items, in this order; what is missing here is computed first.

        Raises MissingRows where an item or its version does not exist.
        """
        try:
            return self.store.take(item, version)
        except MissingRows:
            self.ensure(item, version)
            return self.store.take(item, version)

    def ensure(self, item: Ints, version: Ints, job: Job | None = None) -> int:
        """Compute the rows of these items that this machine lacks; returns how many.

        With a ``job`` its worker's sign of life is given at every step (raises LostClaim, JobCancelled).
        """
        absent = self.store.missing(item, version)
        order = np.lexsort((version[absent], item[absent]))
        keys = ItemKeys(item[absent][order], version[absent][order])
        shards = np.split(np.arange(keys.item.size), np.flatnonzero(np.diff(keys.item // SHARD)) + 1)
        made = 0
        for places in shards:
            made += self._make(ItemKeys(keys.item[places], keys.version[places]), job)
            _beat(job, made / keys.item.size if keys.item.size else 1)
        return made

    def _make(self, keys: ItemKeys, job: Job | None) -> int:
        """The rows of some items of one shard, kept in one step."""
        blocks, found = [], []
        for contents in _read(self.feature_set.project, self.spec, keys, job):
            data = _data(self.feature_set.project, self.spec, contents)
            blocks.append(transform(self.spec, self.basis, data))
            found += [(content.item, content.version) for content in contents]
        if found:
            made = np.array(found, dtype=np.int64)
            self.store.append(made[:, 0], made[:, 1], Rows.stacked(blocks))
        return len(found)


def ready_features(project: Project, job: Job | None = None) -> Features | None:
    """The features in force with every item that is not withdrawn, on this machine; None where there is no item.

    A new version is made where there is none, where the project shows other fields, where vectors were brought for
    nearly all items, and where the pool has grown to four times its size while the basis rests on few items
    or reads characters. With a ``job`` its worker's sign of life is given on the way (raises LostClaim, JobCancelled).
    """
    keys = item_keys(project)
    features = features_in_force(project, keys.item.size, job)
    if features is None:
        return None
    if features.ensure(keys.item, keys.version, job):
        _forget_old(features.feature_set)
    return features


def features_in_force(project: Project, n_items: int, job: Job | None = None) -> Features | None:
    """The same without the rows: for whoever leaves them to others, or needs only some. None where there is no item.

    ``n_items`` is how many items the project has, or about.
    """
    spot = spot_of(project)
    if not spot:
        return None
    latest = latest_feature_set(project)
    vectors = n_vectors(spot) >= MOST_HAVE * len(spot)
    if latest is not None and not _is_old(latest, project, n_items, vectors=vectors):
        return Features(latest)
    _beat(job)
    spec, data = _sample(project, n_items, job, vectors=vectors)
    basis = fit_basis(spec, data)
    _beat(job)
    return Features(
        create_feature_set(project, latest, spec=spec.to_json(), basis=basis.to_bytes(), n_items=len(data))
    )


def run_features(job: Job) -> None:
    """Make this machine's features of a project, so that they are there when they are wanted.

    The result tells the ``items``, the ``version`` of the features and how many items are ``empty``: nothing of them
    could be read.
    """
    project = Project.objects.get(pk=job.project_id)
    features = ready_features(project, job)
    if features is None:
        finish_job(job, {"items": 0, "version": None, "empty": 0})
        return
    empty = items = 0
    keys = item_keys(project)
    for start in range(0, keys.item.size, SHARD):
        part = slice(start, start + SHARD)
        rows = features.rows(keys.item[part], keys.version[part])
        empty += int(np.count_nonzero(np.diff(rows.sparse.indptr) == 0))
        items += len(rows)
    finish_job(job, {"items": items, "version": features.feature_set.number, "empty": empty})


def _is_old(latest: FeatureSet, project: Project, n_items: int, *, vectors: bool) -> bool:
    try:
        spec = Spec.from_json(latest.spec)
    except ValueError:
        return True
    grown = n_items >= GROWTH * spec.n_pool and (spec.characters or latest.n_items < MOST_SAMPLE)
    other = dict(spec.display) != project.display or bool(spec.n_vector) != vectors
    return other or (grown and not vectors) or (vectors and vectors_came_after(latest))


def _sample(project: Project, n_items: int, job: Job | None, *, vectors: bool) -> tuple[Spec, list[Datum]]:
    """What to read, and the items to learn the basis from, in the order of their ties."""
    keys = sample_of(project, MOST_SAMPLE)
    anything = Spec(Kind.TEXT, n_vector=int(vectors))
    look = _ordered(project, anything, ItemKeys(keys.item[:LOOK], keys.version[:LOOK]), job)
    if vectors:
        look = [datum for datum in look if datum.vector is not None]
    spec = choose_spec(look, project.display, n_items=n_items)
    most = MOST_PICTURES if spec.image else MOST_SAMPLE
    return spec, _ordered(project, spec, ItemKeys(keys.item[:most], keys.version[:most]), job)


def _ordered(project: Project, spec: Spec, keys: ItemKeys, job: Job | None) -> list[Datum]:
    """The items in the order of the keys; one that is gone meanwhile is left out."""
    found: dict[int, Datum] = {}
    order = np.argsort(keys.item)
    for contents in _read(project, spec, ItemKeys(keys.item[order], keys.version[order]), job):
        data = _data(project, spec, contents)
        found |= {content.item: datum for content, datum in zip(contents, data, strict=True)}
    return [found[pk] for pk in keys.item.tolist() if pk in found]


def _read(project: Project, spec: Spec, keys: ItemKeys, job: Job | None) -> Iterator[list[Content]]:
    """What is in the items, some at a time, with a sign of life before each time."""
    step = PICTURES if spec.image else CHUNK
    for start in range(0, keys.item.size, step):
        _beat(job)
        part = slice(start, start + step)
        contents = contents_of(project, keys.item[part], keys.version[part], vectors=bool(spec.n_vector))
        if contents:
            yield contents


def _data(project: Project, spec: Spec, contents: list[Content]) -> list[Datum]:
    """Contents with their pictures' bytes and their vectors. A picture that is not on this machine is none."""
    pictures: list[bytes | None] = [None] * len(contents)
    if spec.image is not None:
        names = [str(content.data.get(spec.image, "")) for content in contents]
        hashes = image_hashes(project, names)
        pictures = [_bytes_of(project, hashes.get(name)) for name in names]
    return [
        Datum(content.data, picture, None if content.vector is None else np.frombuffer(content.vector, "<f4"))
        for content, picture in zip(contents, pictures, strict=True)
    ]


def _bytes_of(project: Project, digest: str | None) -> bytes | None:
    if digest is None:
        return None
    try:
        return asset_path(project.pk, digest).read_bytes()
    except FileNotFoundError:
        return None


def _beat(job: Job | None, share: float | None = None) -> None:
    """A sign of life; how far it is only where the job is about nothing else."""
    if job is not None:
        beat(job, share if job.kind == JobKind.FEATURES else None)


def _folder(feature_set: FeatureSet, spec: Spec) -> Path:
    """Where this machine's rows are. A hash of all that they depend on, so that no others are ever taken for them."""
    project = feature_set.project
    digest = sha256(f"{project.pseudonym_key} {spec.digest} ".encode() + bytes(feature_set.basis)).hexdigest()
    return _root() / f"{project.pk}-{feature_set.number}-{digest[:16]}"


def _root() -> Path:
    return Path(settings.DATA_DIR) / "features"


def _forget_old(feature_set: FeatureSet) -> None:
    """Drop the rows of versions that are long out of force; they can be made again."""
    for folder in _root().glob(f"{feature_set.project_id}-*"):
        number = folder.name.split("-")[1]
        if number.isdigit() and int(number) <= feature_set.number - _KEPT_VERSIONS:
            shutil.rmtree(folder, ignore_errors=True)
