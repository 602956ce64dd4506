"""The page of one's own record, and the same from the API."""

from collections.abc import Callable

import pytest
from django.test import Client

from core.choices import Scope
from core.models import Membership, Project
from core.pipelines.record import own_record
from core.selectors.pseudonym import pseudonym
from core.web.views.record import headline, meaning
from tests.conftest import Actors
from tests.pipelines.test_record import answered, people, yesterday

URL = "/projects/birds/record/"
__all__ = ["answered", "people", "yesterday"]


def test_annotators_read_their_own_record(
    answered: Project, actors: Actors, people: list[Membership], client_of: Callable[..., Client]
) -> None:
    text = client_of(actors.carol).get(URL).content.decode()

    share = "67\N{NO-BREAK SPACE}%"
    assert f"<h1>You say what most others say on {share} of items" in text
    assert f"Where the right answer is known, you gave it on {share} of items" in text
    assert 'href="/projects/birds/record/" aria-current="page"' in text
    for member in people:
        assert pseudonym(answered, member.pk) not in text
    assert "w001" not in text
    assert ">bob<" not in text


def test_who_has_nothing_yet_is_told_so(actors: Actors, client_of: Callable[..., Client]) -> None:
    text = client_of(actors.bob).get(URL).content.decode()

    assert "Cannot tell yet how far you agree with the others." in text
    assert client_of(actors.eve).get(URL).status_code == 404


def test_the_api_tells_the_same(
    answered: Project, actors: Actors, token_client: Callable[..., Client]
) -> None:
    answer = token_client(actors.carol, Scope.ANNOTATE).get("/api/v1/projects/birds/record")

    assert answer.status_code == 200
    expected = own_record(actors.membership(actors.carol))
    assert {**answer.json(), "as_of": ""} == {**expected, "as_of": ""}


@pytest.mark.parametrize(
    ("interval", "word"),
    [([0.5, 0.7], "no fault"), ([0.7, 0.9], "nothing to worry about"), ([0.85, 0.95], "on average.")],
)
def test_the_words_follow_the_interval(interval: list[float], word: str) -> None:
    none = {"value": None, "ci": None}
    row = {
        "with_others": {"value": sum(interval) / 2, "ci": interval},
        "with_oneself": none,
        "abstention_rate": none,
        "gold": None,
        "group": {"with_others": 0.8, "with_oneself": None, "abstention_rate": None},
    }

    (sentence,) = meaning(row)
    assert word in sentence
    assert "80\N{NO-BREAK SPACE}%" in headline(row)
