"""Did it help: the first line in words, the changes with their figures, and every state."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import AuditPart, MappingKind, RelabelTo
from core.models import Annotation, GuidelineVersion, Item, LabelClass, Mapping, Relabel, RelabelItem, Report
from core.selectors.relabel import DRAWN
from core.templatetags.charts import DASH as EN_DASH
from core.templatetags.charts import MINUS
from core.web.timeline_words import sentence
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
START = datetime(2026, 1, 1, tzinfo=UTC)


def shown(client: Client, actors: Actors, query: str = "") -> str:
    answer = client.get(reverse("timeline", args=[actors.project.slug]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Twenty-four items of the audit slice; Bob and Carol differ on every third."""
    made = make_items(actors.project, *(f"a{n:02}" for n in range(24)), audit=AuditPart.STREAM)
    for place, item in enumerate(made):
        value = "yes" if place % 2 else "no"
        make_answer(actors.membership(actors.bob), item, {"answer": value})
        make_answer(actors.membership(actors.carol), item, {"answer": "yes" if place % 3 == 0 else value})
    Annotation.objects.update(created_at=START)
    return made


@pytest.fixture
def changed(actors: Actors, items: list[Item]) -> None:
    """Version 2 about yes and no; everybody then says the same on all items, which were drawn by chance."""
    version = GuidelineVersion.objects.create(project=actors.project, number=2, note="What a <yes> is")
    version.touches.set(LabelClass.objects.filter(question__project=actors.project, name__in=["yes", "no"]))
    GuidelineVersion.objects.filter(pk=version.pk).update(created_at=START + timedelta(days=8))
    queue = Relabel.objects.create(
        project=actors.project, reason="Version 2", to=RelabelTo.SAME, guideline=version
    )
    Relabel.objects.filter(pk=queue.pk).update(created_at=START + timedelta(days=8, hours=1))
    for place, item in enumerate(items):
        RelabelItem.objects.create(relabel=queue, item=item, reason=DRAWN)
        Annotation.objects.filter(item=item).update(current=False)
        for person in (actors.bob, actors.carol):
            made = make_answer(
                actors.membership(person),
                item,
                {"answer": "yes" if place % 2 else "no"},
                revision=2,
                relabel=queue,
            )
            Annotation.objects.filter(pk=made.pk).update(created_at=START + timedelta(days=9))


def test_without_an_audit_slice_it_says_what_is_missing(actors: Actors, client_of: Browser) -> None:
    page = shown(client_of(actors.alice), actors)
    assert "Whether a change helped cannot be told without an audit slice" in page
    assert reverse("project_settings", args=[actors.project.slug]) in page


@pytest.mark.usefixtures("items")
def test_before_any_change_there_is_only_the_course(actors: Actors, client_of: Browser) -> None:
    page = shown(client_of(actors.dave), actors)
    assert "nothing was changed yet" in page
    assert "How far people agreed on the audit slice" in page
    assert "Nothing was changed yet" in page


@pytest.mark.usefixtures("changed")
def test_the_first_line_says_whether_it_helped(actors: Actors, client_of: Browser) -> None:
    page = shown(client_of(actors.alice), actors)
    assert "Agreement on “yes” and “no” went from 0." in page
    assert "; 24 items) to 1.00 (24 items) since guideline version 2: it helped." in page
    assert re.search(r"The difference is 0\.\d\d \(0\.\d\d.0\.\d\d\)\.", page)
    assert "1.00 has no interval: on all 24 items people agree, so that their spread is not known." in page
    assert "What a &lt;yes&gt; is" in page
    assert "Belongs to guideline version 2." in page
    assert "drawn by chance: as people answered them before" in page
    assert f"{reverse('relabels', args=[actors.project.slug])}?queue=" in page


@pytest.mark.usefixtures("items")
def test_what_cannot_be_told_yet_is_said_with_what_to_do(actors: Actors, client_of: Browser) -> None:
    GuidelineVersion.objects.create(project=actors.project, number=2)
    page = shown(client_of(actors.alice), actors)
    assert "Whether guideline version 2 helped cannot be told yet" in page
    assert "relabel" in page
    assert "source=guideline&amp;guideline=2" in page
    assert "source=guideline" not in shown(client_of(actors.dave), actors)


@pytest.mark.usefixtures("items")
def test_two_sets_of_items_are_told_with_both_numbers_and_why_nothing_can_be_told(
    actors: Actors, client_of: Browser
) -> None:
    version = GuidelineVersion.objects.create(project=actors.project, number=2)
    GuidelineVersion.objects.filter(pk=version.pk).update(created_at=START + timedelta(days=8))
    for place, item in enumerate(
        make_items(actors.project, *(f"b{n}" for n in range(6)), audit=AuditPart.STREAM)
    ):
        for person in (actors.bob, actors.carol):
            made = make_answer(actors.membership(person), item, {"answer": "yes" if place % 2 else "no"})
            Annotation.objects.filter(pk=made.pk).update(created_at=START + timedelta(days=9))
    page = shown(client_of(actors.alice), actors)
    assert "; 24 items) to 1.00 (6 items) since guideline version 2: cannot tell yet." in page
    assert re.search(r"The difference is 0\.\d\d\. 1\.00 has no interval: on all 6 items people agree", page)
    assert '<td class="numeric">24</td><td class="numeric">6</td>' in page


@pytest.mark.usefixtures("items")
def test_a_merger_is_told_as_another_way_to_read(actors: Actors, client_of: Browser) -> None:
    no, unsure = (
        LabelClass.objects.get(question__project=actors.project, name=name) for name in ("no", "cannot tell")
    )
    Mapping.objects.create(
        project=actors.project,
        number=1,
        kind=MappingKind.MERGE,
        question=no.question,
        document={"classes": [no.pk, unsure.pk], "into": no.pk},
    )
    GuidelineVersion.objects.create(project=actors.project, number=2)
    page = shown(client_of(actors.alice), actors)
    assert re.search(r">1.2</text>", page)  # made at once: one mark in the picture
    assert "“cannot tell” merged into “no”" in page
    assert "what is read otherwise, not what people do" in page


@pytest.mark.usefixtures("changed")
def test_tables_are_downloaded_as_csv(actors: Actors, client_of: Browser) -> None:
    client = client_of(actors.dave)
    answer = client.get(reverse("timeline_table", args=[actors.project.slug, "changes"]))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").replace('"', "").splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("kind,id,at,until,about,design,scope,measure,before_value")
    assert sum("guideline" in line for line in lines) == 4
    assert sum(line.startswith("relabel") for line in lines) == 1
    assert "paired" in lines[1]
    course = client.get(reverse("timeline_table", args=[actors.project.slug, "course"]))
    assert b"alpha_value" in b"".join(course.streaming_content)  # type: ignore[attr-defined]
    assert client.get(reverse("timeline_table", args=[actors.project.slug, "nothing"])).status_code == 404


@pytest.mark.usefixtures("changed")
def test_of_very_many_answers_the_first_report_is_made_after_the_page_has_come(
    actors: Actors, client_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.web.views.timeline.MOST_AT_ONCE", -1)
    client = client_of(actors.dave)
    page = shown(client, actors)
    assert "is being computed and shows here" in page
    assert (
        'hx-get="' + reverse("timeline", args=[actors.project.slug]) + '?question=answer&amp;wait=1"' in page
    )
    assert not Report.objects.exists()
    assert "it helped" in shown(client, actors, "?question=answer&wait=1")
    assert "it helped" in shown(client, actors)


def test_it_is_closed_to_those_who_may_not_read_agreement(actors: Actors, client_of: Browser) -> None:
    address = reverse("timeline", args=[actors.project.slug])
    assert client_of(actors.bob).get(address).status_code == 403
    assert client_of(actors.eve).get(address).status_code == 404
    assert client_of(actors.alice).get(address + "?question=none").status_code == 404


def compared(**changes: Any) -> dict[str, Any]:
    """A change with a comparison of two sets of items in which neither side is sure."""
    figure = {"ci": [0.2, 0.9], "n_items": 12, "reason": None}
    found = {
        "before": {**figure, "value": 0.5},
        "after": {**figure, "value": 0.6},
        "difference": {**figure, "value": 0.1, "ci": [-0.3, 0.5], "n_items": 24},
        "outcome": "cannot_tell",
        "more_items": None,
        **changes,
    }
    comparison = {"design": "independent", "overall": {"alpha": found}, "touched": None}
    return {"kind": "guideline", "number": 3, "comparison": comparison}


def test_where_more_items_would_not_tell_it_says_so() -> None:
    told = sentence(compared())
    assert told == (
        f"Agreement went from 0.50 (0.20{EN_DASH}0.90; 12 items) to 0.60 (0.20{EN_DASH}0.90; 12 items) "
        f"since guideline version 3: cannot tell yet. The difference is 0.10 ({MINUS}0.30 to 0.50). More items of the same kind cannot tell it: "
        "those of before stay as few as they are."
    )
    assert "about 40 more items." in sentence(compared(more_items=40))
    assert "More items of the same kind" not in sentence(compared(more_items=40))


def test_a_figure_without_an_interval_says_why() -> None:
    one = {"value": 1.0, "ci": None, "n_items": 1, "reason": None}
    assert "1.00 has no interval: one item has no spread." in sentence(compared(after=one))
    odd = {"value": 0.4, "ci": None, "n_items": 3, "reason": None}
    assert "of these 3 items the spread cannot be computed" in sentence(compared(before=odd))
    bare = {"value": 0.0, "ci": None, "n_items": 24, "reason": None}
    assert "It has no interval, as its spread over the items is not known." in sentence(
        compared(difference=bare)
    )
