"""Jobs over HTTP."""

from typing import Any
from uuid import uuid4

from core.models import Import, Item, Job
from core.pipelines.job import run_job
from tests.conftest import Actors, client_of
from tests.factories.imports import csv_items, queue_file


def test_a_waiting_job_is_cancelled_and_nothing_is_imported(actors: Actors, media: Any) -> None:
    source = queue_file(actors.membership(actors.alice), csv_items("a"))
    alice = client_of(actors.alice)
    assert alice.get(f"/api/v1/jobs/{source.job_id}").json()["state"] == "queued"
    ended = alice.post(f"/api/v1/jobs/{source.job_id}/cancel")
    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    assert source.job_id is not None
    run_job(source.job_id)
    assert not Item.objects.exists()
    again = alice.post(f"/api/v1/jobs/{source.job_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "job-ended")


def test_a_failed_job_says_why(actors: Actors, media: Any) -> None:
    source = queue_file(actors.membership(actors.alice), "id\n")
    assert source.job_id is not None
    run_job(source.job_id)
    told = client_of(actors.alice).get(f"/api/v1/jobs/{source.job_id}").json()
    assert told["state"] == "failed"
    assert told["error"]["code"] == "no-data-columns"


def test_a_job_is_for_those_who_lead_its_project(actors: Actors, media: Any) -> None:
    source = queue_file(actors.membership(actors.alice), csv_items("a"))
    address = f"/api/v1/jobs/{source.job_id}"
    assert client_of(actors.bob).get(address).status_code == 403
    assert client_of(actors.eve).get(address).status_code == 404
    assert client_of(actors.alice).get(f"/api/v1/jobs/{uuid4()}").status_code == 404


def test_a_stored_file_that_is_gone_fails_with_a_code(actors: Actors, media: Any) -> None:
    source = queue_file(actors.membership(actors.alice), csv_items("a"))
    (media / "imports" / source.file).unlink()
    assert source.job_id is not None
    run_job(source.job_id)
    assert (Job.objects.get().error or {})["code"] == "file-missing"
    assert Import.objects.get().state == "failed"
