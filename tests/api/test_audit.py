"""The audit log over the API."""

import pytest

from core.models import Membership
from core.services.audit import record
from tests.conftest import Actors, token_client

pytestmark = pytest.mark.django_db


def test_a_lead_reads_the_log_from_its_end(actors: Actors) -> None:
    for number in range(3):
        record(actors.alice, actors.project, "member.changed", f"bob {number}", cap=number)
    record(None, actors.project, "job.lost", "import")
    flowers = Membership.objects.get(user=actors.eve).project
    record(actors.eve, flowers, "member.changed", "somewhere else")
    script = token_client(actors.alice)

    first = script.get("/api/v1/projects/birds/audit?page_size=2").json()
    rest = script.get(first["next"]).json()

    told = [
        (line["actor"], line["verb"], line["thing"], line["data"])
        for line in first["results"] + rest["results"]
    ]
    assert told == [
        (None, "job.lost", "import", {}),
        ("alice", "member.changed", "bob 2", {"cap": 2}),
        ("alice", "member.changed", "bob 1", {"cap": 1}),
        ("alice", "member.changed", "bob 0", {"cap": 0}),
    ]
    assert rest["next"] is None
    one_kind = script.get("/api/v1/projects/birds/audit?verb=job.lost").json()
    assert [line["verb"] for line in one_kind["results"]] == ["job.lost"]


def test_annotators_and_strangers_do_not(actors: Actors) -> None:
    assert token_client(actors.bob).get("/api/v1/projects/birds/audit").status_code == 403
    assert token_client(actors.eve).get("/api/v1/projects/birds/audit").status_code == 404
