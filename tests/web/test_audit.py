"""The audit log's page."""

import pytest

from core.services.audit import record
from tests.conftest import Actors, client_of

pytestmark = pytest.mark.django_db
PAGE = "/projects/birds/audit"


def test_the_log_is_read_page_by_page(actors: Actors) -> None:
    for number in range(60):
        record(actors.alice, actors.project, "member.changed", f"bob {number}")
    record(None, actors.project, "job.lost", "import")
    browser = client_of(actors.alice)

    first = browser.get(PAGE)
    assert [line["event"].thing for line in first.context["lines"]][:2] == ["import", "bob 59"]
    second = browser.get(PAGE + first.context["older_url"])
    assert [line["event"].thing for line in second.context["lines"]][-1] == "bob 0"
    assert second.context["older_url"] is None
    narrowed = browser.get(PAGE, {"verb": "job.lost"})
    assert [line["event"].thing for line in narrowed.context["lines"]] == ["import"]


def test_an_empty_log_says_what_it_is_for(actors: Actors) -> None:
    assert "Nothing has happened yet" in client_of(actors.alice).get(PAGE).content.decode()


@pytest.mark.parametrize("query", [{"verb": "<script>"}, {"before": "-1"}, {"since": "zzz"}, {"from": "zzz"}])
def test_a_wrong_filter_is_refused_in_words_and_no_line_comes(actors: Actors, query: dict[str, str]) -> None:
    record(actors.alice, actors.project, "member.changed", "bob")
    alice = client_of(actors.alice)

    page, table = alice.get(PAGE, query), alice.get(f"{PAGE}.csv", query)

    assert page.status_code == 422
    assert page.context["form"].errors
    assert "There is a problem" in page.text
    assert "member.changed</code>" not in page.text
    assert "<script>" not in page.text.replace("<script src=", "")
    assert table.status_code == 400
    assert "member.changed" not in table.text
