"""Signing in and out, links, profile and password, as a browser sees them."""

import re
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.models import Session
from django.test import Client

from core.models import Event, Membership, User
from core.services.account import deactivate, first_sign_in_link, make_reset_link
from core.services.membership import invite
from tests.conftest import Actors, client_of, token_client
from tests.factories.account import PASSWORD

pytestmark = pytest.mark.django_db
STRONG = "three quiet herons"


def sign_in(client: Client, username: str, password: str = PASSWORD, **headers: str) -> Any:
    return client.post("/sign-in", {"username": username, "password": password}, headers=headers)


def is_signed_in(client: Client) -> bool:
    return bool(client.get("/profile").status_code == 200)


def test_the_first_lead_comes_in_by_the_printed_link(db: None) -> None:
    """A48."""
    browser, link = Client(), first_sign_in_link()
    assert link is not None
    assert browser.get(link).status_code == 200
    form = {"username": "alice", "display_name": "Alice", "password": STRONG, "again": "something else"}
    assert browser.post(link, form).status_code == 422
    assert browser.post(link, {**form, "password": "short", "again": "short"}).status_code == 422
    assert not User.objects.exists()

    answer = browser.post(link, {**form, "again": STRONG})

    assert (answer.status_code, answer["Location"]) == (302, "/projects/")
    assert is_signed_in(browser)
    assert Client().get(link).status_code == 404


def test_a_secret_link_is_kept_out_of_caches_and_of_foreign_referrers(db: None) -> None:
    answer = Client().get(first_sign_in_link() or "")

    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "same-origin"


def test_signing_in_takes_the_name_in_any_case(actors: Actors) -> None:
    for name in ("bob", "BOB", " Bob "):
        browser = Client()
        assert sign_in(browser, name).status_code == 302
        assert is_signed_in(browser)


def test_the_answer_is_the_same_for_an_unknown_name_and_a_wrong_password(actors: Actors) -> None:
    """A41."""
    deactivate(actors.carol)
    pages = [
        sign_in(Client(), name, password).content.decode().replace(name, "NAME")
        for name, password in (("bob", "wrong"), ("nobody", "wrong"), ("carol", PASSWORD))
    ]

    stripped = {re.sub(r'(csrfmiddlewaretoken" value=|X-CSRFToken": )"[^"]+"', "", page) for page in pages}
    assert len(stripped) == 1


def test_an_unknown_name_costs_as_much_as_a_wrong_password(
    actors: Actors, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A41: the slow part is done once, whoever is named."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    actors.bob.set_password(PASSWORD)
    actors.bob.save()
    hashed: list[int] = []
    encode = PBKDF2PasswordHasher.encode

    def counted(hasher: PBKDF2PasswordHasher, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(iterations or hasher.iterations)
        return encode(hasher, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
    sign_in(Client(), "bob", "wrong")
    sign_in(Client(), "nobody", "wrong")

    assert hashed == [PBKDF2PasswordHasher.iterations] * 2


def test_the_sixth_wrong_password_is_429(actors: Actors) -> None:
    """A42."""
    browser = Client(REMOTE_ADDR="192.0.2.1")
    statuses = [sign_in(browser, "bob", f"wrong {n}").status_code for n in range(6)]

    assert statuses[:4] == [200] * 4
    assert statuses[5] == 429
    refused = sign_in(browser, "bob", PASSWORD)
    assert (refused.status_code, refused["Retry-After"]) == (429, "900")
    for other_case in ("BOB", " bob ", "\uff42\uff4f\uff42"):
        assert sign_in(browser, other_case, PASSWORD).status_code == 429
    for header in ("x-forwarded-for", "x-real-ip", "forwarded", "client-ip"):
        assert sign_in(browser, "bob", PASSWORD, **{header: "198.51.100.7"}).status_code == 429
    assert sign_in(browser, "carol", PASSWORD).status_code == 302
    assert sign_in(Client(REMOTE_ADDR="192.0.2.2"), "bob", PASSWORD).status_code == 302


def test_a_wrong_password_is_stored_nowhere(actors: Actors, caplog: pytest.LogCaptureFixture) -> None:
    """A45."""
    from axes.models import AccessAttempt

    sign_in(Client(), "bob", "my other password")

    assert "my other password" not in str(list(AccessAttempt.objects.values()))
    assert "my other password" not in caplog.text


def test_the_session_changes_at_sign_in_and_dies_at_sign_out(actors: Actors) -> None:
    """A46."""
    browser = Client()
    browser.get("/sign-in")
    session = browser.session
    session["planted"] = True
    session.save()
    browser.cookies["sessionid"] = session.session_key or ""
    planted = session.session_key

    sign_in(browser, "bob")
    signed_in = browser.session.session_key
    assert signed_in != planted
    stolen = Client()
    stolen.cookies["sessionid"] = signed_in or ""
    assert is_signed_in(stolen)

    assert browser.get("/sign-out").status_code == 405
    browser.post("/sign-out")

    assert not is_signed_in(browser)
    assert not is_signed_in(stolen)
    assert not Session.objects.filter(session_key__in=[planted, signed_in]).exists()


def test_the_session_cookie_is_out_of_reach_of_scripts(actors: Actors) -> None:
    browser = Client()
    sign_in(browser, "bob")

    cookie = browser.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_signing_in_sends_nobody_to_another_site(actors: Actors) -> None:
    answer = Client().post(
        "/sign-in", {"username": "bob", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert answer["Location"] == "/projects/"
    answer = Client().post("/sign-in", {"username": "bob", "password": PASSWORD, "next": "/profile"})
    assert answer["Location"] == "/profile"


@pytest.mark.parametrize(
    "address", ["/signup", "/sign-up", "/register", "/accounts/signup/", "/admin", "/admin/"]
)
def test_nobody_signs_up_and_there_is_no_admin(address: str, db: None) -> None:
    """A40, A47."""
    assert Client().get(address).status_code == 404
    assert Client().post(address, {"username": "mallory", "password": STRONG}).status_code == 404


def test_an_invitation_makes_an_account_once(actors: Actors) -> None:
    """A40."""
    _invitation, secret = invite(actors.membership(actors.alice), role="annotator")
    link, browser = f"/join/{secret}", Client()
    form = {"username": "frank", "display_name": "Frank", "password": STRONG, "again": STRONG}
    assert "Birds" in browser.get(link).content.decode()
    assert browser.post(link, {}).status_code == 422
    assert browser.post(link, {**form, "username": "bob"}).status_code == 422

    answer = browser.post(link, form)

    assert (answer.status_code, answer["Location"]) == (302, "/projects/birds/")
    assert is_signed_in(browser)
    assert Client().post(link, {**form, "username": "grace"}).status_code == 404
    assert Membership.objects.get(user__username="frank").role == "annotator"


def test_somebody_who_is_signed_in_joins_with_one_press(actors: Actors) -> None:
    _invitation, secret = invite(actors.membership(actors.alice), role="annotator")

    assert client_of(actors.bob).post(f"/join/{secret}").status_code == 422
    assert client_of(actors.eve).post(f"/join/{secret}").status_code == 302

    assert actors.membership(actors.eve).role == "annotator"


def test_a_reset_link_signs_in_and_ends_everything_else(actors: Actors) -> None:
    elsewhere, script = client_of(actors.bob), token_client(actors.bob)
    link = make_reset_link(actors.membership(actors.alice), actors.membership(actors.bob))
    browser = Client()
    assert "Bob" in browser.get(link).content.decode()
    assert browser.post(link, {"password": STRONG, "again": "x"}).status_code == 422

    assert browser.post(link, {"password": STRONG, "again": STRONG}).status_code == 302

    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    assert script.get("/api/v1/projects/birds").status_code == 401
    assert Client().get(link).status_code == 404


def test_changing_the_password_ends_other_sessions_and_tokens(actors: Actors) -> None:
    """A38."""
    here, elsewhere, script = client_of(actors.bob), client_of(actors.bob), token_client(actors.bob)
    assert "1 token will" in here.get("/profile/password").content.decode()
    wrong = {"old": "wrong", "new": STRONG, "again": STRONG}
    assert here.post("/profile/password", wrong).status_code == 422

    assert here.post("/profile/password", {**wrong, "old": PASSWORD}).status_code == 302

    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)
    assert script.get("/api/v1/projects/birds").status_code == 401


def test_a_deactivated_person_is_out_at_once(actors: Actors) -> None:
    """A39."""
    browser, script = client_of(actors.bob), token_client(actors.bob)
    assert is_signed_in(browser)

    deactivate(actors.bob)

    assert not is_signed_in(browser)
    assert script.get("/api/v1/projects/birds").status_code == 401
    assert sign_in(Client(), "bob").status_code == 200


def test_a_removed_member_is_a_stranger_in_the_browser_too(actors: Actors) -> None:
    browser = client_of(actors.bob)
    assert browser.get("/projects/birds/guideline").status_code == 200
    Membership.objects.filter(user=actors.bob).update(active=False)

    assert browser.get("/projects/birds/guideline").status_code == 404


def test_a_name_is_changed(actors: Actors) -> None:
    browser = client_of(actors.bob)
    assert browser.post("/profile", {"display_name": "B\u202eob"}).status_code == 422

    assert browser.post("/profile", {"display_name": "Bob the annotator"}).status_code == 302

    assert "Bob the annotator" in browser.get("/profile").content.decode()
    assert Event.objects.get(verb="account.renamed").actor == actors.bob


def test_a_form_from_another_site_is_refused(actors: Actors) -> None:
    """A29."""
    browser = client_of(actors.bob, enforce_csrf_checks=True)
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        answer = browser.post("/profile", {"display_name": "Mallory"}, headers=headers)
        assert answer.status_code == 403
    assert User.objects.get(pk=actors.bob.pk).display_name == "Bob"


FORM = "/projects/birds/questions/answer/edit?a=1"
SENT_TO = "/projects/birds/adjudication/7/settle"


def test_a_form_sent_after_the_session_has_ended_leads_back_to_its_page(actors: Actors) -> None:
    browser = Client()
    gone = browser.post(SENT_TO, {"value": "yes"}, headers={"referer": f"http://testserver{FORM}"})

    page = browser.get(gone["Location"])

    assert "what you sent is not saved" in page.text
    sent = {"username": "alice", "password": PASSWORD, "next": page.context["form"]["next"].value()}
    back = browser.post("/sign-in", sent)
    assert (back.status_code, back["Location"]) == (302, FORM)


@pytest.mark.parametrize(
    "referrer",
    [
        "",
        "https://evil.example/projects/",
        "http://testserver//evil.example/",
        "http://testserver.evil.example/",
        "javascript:alert(1)",
    ],
)
def test_no_other_site_says_where_signing_in_leads(actors: Actors, referrer: str) -> None:
    gone = Client().post(SENT_TO, headers={"referer": referrer} if referrer else {})
    assert (gone.status_code, gone["Location"]) == (302, f"/sign-in?next={SENT_TO}")


def test_signing_out_and_opening_a_page_lead_where_they_always_do(actors: Actors) -> None:
    from_page = {"referer": f"http://testserver{FORM}"}
    assert client_of(actors.bob).post("/sign-out", headers=from_page)["Location"] == "/sign-in"
    assert Client().get("/profile", headers=from_page)["Location"] == "/sign-in?next=/profile"


def test_an_address_that_only_takes_forms_says_so_and_leads_back(actors: Actors) -> None:
    opened = client_of(actors.alice).get(SENT_TO)
    assert (opened.status_code, opened["Allow"]) == (405, "POST")
    assert "Nothing was changed by opening it." in opened.text
    assert 'href="/projects/birds/"' in opened.text
    assert 'href="/projects/birds/"' not in Client().get(SENT_TO).text
    sent = client_of(actors.alice).post("/projects/birds/audit")
    assert (sent.status_code, "only shows a page" in sent.text) == (405, True)
