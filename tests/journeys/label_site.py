"""What the journeys of the label page need of the server: projects, sign-in, and what is stored."""

from typing import Any

from django.conf import settings
from django.db.models import F
from playwright.sync_api import BrowserContext, Page

from core.choices import DraftState, LeaseState, QuestionKind
from core.models import Annotation, Draft, Flag, Item, LabelClass, Lease, Membership, Project, User
from core.selectors.annotation import answers_of
from core.services.mapping import apply_rename
from tests.conftest import client_of
from tests.factories.account import make_user
from tests.factories.answers import make_items
from tests.factories.project import add_member, make_project, make_question

SENTENCE = (
    "The committee met on Tuesday to discuss the new harbour and its cost, and the mayor said that work "
    "would begin before the summer if the council agreed to the plan as it was presented then, in March."
)
PAINTED = "() => new Promise(ok => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(ok))))"
SHELL_KEPT = """async () => {
  for (const name of await caches.keys()) {
    const kept = await (await caches.open(name)).keys();
    if (kept.some(request => new URL(request.url).pathname === location.pathname) && kept.length > 6) return true;
  }
  return false;
}"""


class LabelSite:
    """Bob and Carol annotate Alice's project ``rte`` (one question) and ``form`` (five questions)."""

    def __init__(self, url: str, n_items: int = 40) -> None:
        self.url = url
        self.people = {name: make_user(name) for name in ("alice", "bob", "carol")}
        self.rte = self._project("rte", n_items)
        entailment = make_question(
            self.rte,
            "entailment",
            ["entailed", "not entailed", "contradicted", "cannot tell"],
            uncertain={"cannot tell"},
            title="Does the text entail the hypothesis?",
        )
        LabelClass.objects.filter(question=entailment, name="cannot tell").update(
            definition="The text does not say enough."
        )
        self.form = self._project("form", n_items)
        _form_questions(self.form)
        self.project = self.rte

    def _project(self, slug: str, n_items: int) -> Project:
        project = make_project(slug, owner=self.people["alice"])
        project.questions.all().delete()
        for name in ("bob", "carol"):
            add_member(project, self.people[name])
        items = make_items(project, *(f"{slug}-{number:04}" for number in range(n_items)))
        for item in items:
            item.data = {"text": f"{item.external_id}: {SENTENCE}"[:200]}
        Item.objects.bulk_update(items, ["data"], batch_size=200)
        return project

    def sign_in(self, context: BrowserContext, name: str) -> None:
        """Give a browser somebody's session."""
        client = client_of(User.objects.get(username=name))
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.clear_cookies()
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": self.url}])

    def open(self, context: BrowserContext, *, project: str = "rte", greet: bool = False) -> Page:
        """The label page at its first item, with the instructions read unless ``greet``."""
        self.project = self.form if project == "form" else self.rte
        page = context.pages[0] if context.pages else context.new_page()
        page.goto(f"{self.url}/projects/{self.project.slug}/label/")
        page.locator("#item").wait_for()
        if greet:
            return page
        if page.locator("#guideline").is_visible():
            page.keyboard.press("Escape")
        page.evaluate(PAINTED)
        return page

    def wait_for_shell(self, page: Page) -> None:
        """Until the browser has kept the page for a reload without a network."""
        page.wait_for_function(SHELL_KEPT)

    def whole_answers(self) -> list[tuple[str, dict[str, Any]]]:
        """Item and answers of every annotation in force, in the order in which the items were first answered."""
        rows = Annotation.objects.filter(item__project=self.project).order_by("pk")
        order = {row.item_id: place for place, row in reversed(list(enumerate(rows)))}
        current = rows.filter(current=True).select_related("item", "annotator__project")
        return [
            (row.item.external_id, answers_of(row))
            for row in sorted(current, key=lambda row: (order[row.item_id], row.pk))
        ]

    def answers(self) -> list[tuple[str, str]]:
        """The same for the project with one question: item and class."""
        return [(item, values["entailment"]) for item, values in self.whole_answers()]

    def define(self, text: str) -> None:
        """Say the same of every class."""
        LabelClass.objects.filter(question__project__in=[self.rte, self.form]).update(definition=text)

    def rename(self, before: str, after: str) -> None:
        """Alice calls a class otherwise."""
        alice = Membership.objects.get(project=self.project, user=self.people["alice"])
        one = LabelClass.objects.get(question__project=self.project, name=before)
        version = Project.objects.get(pk=self.project.pk).mapping_version
        apply_rename(alice, "entailment", one.pk, after, version=version)

    def revisions(self, item: str) -> int:
        """How many revisions the answer to an item has."""
        return Annotation.objects.filter(item__project=self.project, item__external_id=item).count()

    def put_away(self) -> list[tuple[str, str]]:
        """Items skipped, with the reason, and items put off (``later``)."""
        closed = Lease.objects.filter(
            item__project=self.project, state__in=[LeaseState.SKIPPED, LeaseState.DEFERRED]
        )
        return [
            (lease.item.external_id, lease.reason or "later")
            for lease in closed.select_related("item").order_by("closed_at")
        ]

    def take_from_bob(self, item: str) -> None:
        """What happens when Bob holds an item too long and somebody else answers it."""
        rows = Item.objects.filter(project=self.project, external_id=item)
        Lease.objects.filter(item__in=rows).update(state=LeaseState.EXPIRED)
        Membership.objects.filter(project=self.project, name="bob").update(held=F("held") - 1)
        rows.update(target=1, free=0, leased=0, done=1)

    def drafts(self) -> list[tuple[str, str]]:
        """Late answers that are kept and not counted: item and class."""
        kept = Draft.objects.filter(item__project=self.project, state=DraftState.KEPT).select_related("item")
        return [(draft.item.external_id, draft.answers["entailment"]) for draft in kept]

    def guideline_read(self, name: str) -> int:
        """The version of the instructions that somebody has read."""
        return Membership.objects.get(project=self.project, name=name).guideline_read

    def flags(self) -> list[tuple[str, str]]:
        """Items flagged, with the note."""
        found = Flag.objects.filter(item__project=self.project).select_related("item").order_by("pk")
        return [(flag.item.external_id, flag.note) for flag in found]


def _form_questions(project: Project) -> None:
    topic = make_question(
        project,
        "topic",
        ["sport", "science", "politics", "unclear"],
        uncertain={"unclear"},
        title="What is it about?",
    )
    fields = make_question(
        project,
        "field",
        ["physics", "biology", "medicine"],
        kind=QuestionKind.MULTIPLE,
        title="Which fields of science?",
        when_question=topic,
    )
    fields.when_classes.set(LabelClass.objects.filter(question=topic, name="science"))
    make_question(
        project,
        "quality",
        ["poor", "fair", "good", "excellent"],
        kind=QuestionKind.SCALE,
        title="How well written?",
    )
    make_question(project, "age", [], kind=QuestionKind.NUMBER, title="Reading age", minimum=3, maximum=99)
    make_question(project, "note", [], kind=QuestionKind.TEXT, title="Summary in your words", required=False)
