"""The demo shows something true on every page: made once, looked at from all sides."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from core.choices import InquiryState, Pass
from core.models import Annotation, Gold, Inquiry, Project, Resolution, User
from core.pipelines.demo import seed_demo
from core.pipelines.timeline import timeline_report
from core.selectors.question import schema_of
from core.services.account import first_sign_in_link, use_sign_in_link
from tests.conftest import client_of
from tests.factories.account import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def messages(media: None) -> Project:
    """The demo of messages, made before anybody was there."""
    return seed_demo(None)[1]


def test_the_demo_of_messages_has_a_little_of_everything(messages: Project) -> None:
    answers = Annotation.objects.filter(item__project=messages)
    repeats = answers.filter(repeat=2)
    assert set(repeats.values_list("pass_kind", flat=True)) == {Pass.RETEST}
    assert repeats.count() >= 20

    assert messages.runs.get().predictions.count() == messages.items.count()
    assert Resolution.objects.filter(item__project=messages, current=True).count() == 4
    gold = Gold.objects.get(item__project=messages)
    assert gold.resolution is not None

    rule, waiting = Inquiry.objects.filter(item__project=messages).order_by("pk")
    assert (rule.state, waiting.state) == (InquiryState.RULE, InquiryState.OPEN)
    newest = messages.guidelines.latest("number")
    assert newest.number == 2
    assert rule.guideline == newest
    shown = set(newest.examples.values_list("item", flat=True))
    assert rule.item_id in shown
    assert gold.item_id not in shown

    (question,) = schema_of(Project.objects.get(pk=messages.pk)).questions
    assert [spec.name for spec in question.classes] == [
        "borrow or renew",
        "opening hours",
        "fees",
        "rooms and events",
        "problem",
        "cannot tell",
    ]


def test_its_timeline_tells_of_the_rule_and_of_the_merger(messages: Project) -> None:
    report = timeline_report(Project.objects.get(pk=messages.pk), "intent")
    kinds = [change["kind"] for change in report["changes"]]
    assert kinds == ["guideline", "mapping"]
    assert all(change["comparison"] for change in report["changes"])


def test_the_first_lead_owns_it_and_every_page_of_it_opens(messages: Project) -> None:
    link = first_sign_in_link()
    assert link is not None
    lead = use_sign_in_link(link.rsplit("/", 1)[1], username="grace", password=PASSWORD)
    browser = client_of(lead)
    for name in (
        "agreement",
        "adjudication",
        "timeline",
        "guideline",
        "inquiries",
        "gold",
        "hlp",
        "mappings",
        "label",
    ):
        assert browser.get(reverse(name, args=[messages.slug])).status_code == 200, name


def test_the_demo_is_made_once(media: None) -> None:
    call_command("demo")
    with pytest.raises(CommandError, match="demo-exists"):
        call_command("demo")
    call_command("demo", "--once")
    assert Project.objects.count() == 2
    assert not User.objects.exists()
