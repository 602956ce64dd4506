"""The page from which labels are taken along."""

import re
from collections.abc import Callable

from django.test import Client

from tests.conftest import Actors

URL = "/projects/birds/labels/"
Browser = Callable[..., Client]


def test_every_download_works_in_the_browser(actors: Actors, client_of: Browser) -> None:
    browser = client_of(actors.alice)
    text = browser.get(URL).content.decode()

    links = re.findall(r'href="(/api/v1/projects/birds/[^"]+)"', text)
    statuses = {link: browser.get(link.replace("&amp;", "&")).status_code for link in links}
    assert len(links) == 10
    assert set(statuses.values()) == {200}


def test_the_rule_that_is_chosen_goes_into_the_links(actors: Actors, client_of: Browser) -> None:
    browser = client_of(actors.alice)
    chosen = browser.get(URL, {"rule": "dawid_skene"}).content.decode()

    links = re.findall(r'href="(/api/v1/projects/birds/labels[^"]+)"', chosen)
    assert {link.replace("&amp;", "&").split("rule=")[-1] for link in links} == {"dawid_skene"}
    assert {browser.get(link.replace("&amp;", "&")).status_code for link in links} == {200}
    assert '<option value="dawid_skene" selected>' in chosen
    for text in (browser.get(URL, {"rule": "best"}), browser.get(URL)):
        assert '<option value="majority" selected>' in text.content.decode()


def test_lines_for_scripts_carry_this_address(actors: Actors, client_of: Browser) -> None:
    text = client_of(actors.dave).get(URL).content.decode()

    assert 'pd.read_json("http://testserver/api/v1/projects/birds/labels"' in text
    assert '"http://testserver/api/v1/projects/birds/labels?format=csv"' in text


def test_names_are_offered_to_leads_only(actors: Actors, client_of: Browser) -> None:
    offered = {
        name: "annotators=name" in client_of(user).get(URL).content.decode()
        for name, user in (("alice", actors.alice), ("dave", actors.dave))
    }
    assert offered == {"alice": True, "dave": False}


def test_annotators_and_strangers_stay_out(actors: Actors, client_of: Browser) -> None:
    people = {"bob": actors.bob, "dave": actors.dave, "eve": actors.eve}
    statuses = {name: client_of(user).get(URL).status_code for name, user in people.items()}
    assert statuses == {"bob": 403, "dave": 200, "eve": 404}
