"""What members are told, in sentences, and where to look."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.choices import NoticeKind, PausedBecause
from core.models import Membership, Notice

Json = dict[str, Any]


class Words(NamedTuple):
    """A sentence, and a link to what it is about with its words."""

    text: str
    url: str
    link: str


def words_of(notice: Notice, reader: Membership, data: Json, people: dict[int, str]) -> Words:
    """A notice in words. ``data`` is what the reader may know, ``people`` what they may call the members in it."""
    kind = NoticeKind(notice.kind)
    who = people.get(data.get("member", 0)) or _("Somebody")
    own = data.get("member", reader.pk) == reader.pk
    if kind == NoticeKind.GUIDELINE:
        data = {**data, "since": 0 < reader.guideline_read < data["version"]}
    return SENTENCES[kind](reader.project.slug, data, who, own)


def _to(slug: str, name: str, *args: Any, query: str = "") -> str:
    return reverse(name, args=[slug, *args]) + query


def _assigned(slug: str, data: Json, _who: str, _own: bool) -> Words:  # noqa: FBT001 -- all sentences are called alike
    n = data["items"]
    values = {"n": f"{n:,}", "version": data.get("guideline"), "batch": data.get("batch")}
    if "batch" in data:
        text = ngettext(
            "The batch “%(batch)s” was given to you: %(n)s item.",
            "The batch “%(batch)s” was given to you: %(n)s items.",
            n,
        )
    elif data.get("guideline"):
        text = ngettext(
            "%(n)s item was given to you to label again, because version %(version)s of the guideline changed its rule.",
            "%(n)s items were given to you to label again, because version %(version)s of the guideline changed "
            "their rules.",
            n,
        )
    else:
        text = ngettext(
            "%(n)s item was given to you to label again.", "%(n)s items were given to you to label again.", n
        )
    return Words(text % values, _to(slug, "label"), _("Label"))


def _paused(slug: str, data: Json, who: str, own: bool) -> Words:  # noqa: FBT001
    if own:
        text = (
            _("You get no items for now: too many of your answers differ from what is known to be right.")
            if data.get("because") == PausedBecause.GOLD
            else _("You get no items for now: the lead has paused your work.")
        )
        more = _(
            "What you have answered is kept. Read the guideline meanwhile; the lead decides when you go on."
        )
        return Words(f"{text} {more}", _to(slug, "guideline"), _("Guideline"))
    text = _("%(who)s is paused: %(right)s of %(n)s gold answers are right, which is surely below %(bound)s.")
    values = {"who": who, **{name: data.get(name, "?") for name in ("right", "n", "bound")}}
    return Words(text % values, _to(slug, "people"), _("People"))


def _resumed(slug: str, _data: Json, _who: str, _own: bool) -> Words:  # noqa: FBT001
    return Words(_("You get items again."), _to(slug, "label"), _("Label"))


def _guideline(slug: str, data: Json, _who: str, _own: bool) -> Words:  # noqa: FBT001
    text = _("Version %(version)s of the guideline is in force.") % {"version": data["version"]}
    if data.get("note"):
        text = f"{text} {data['note']}"
    # The guideline's own page shows what changed since somebody last read it, and no more once they have.
    url = _to(slug, "guideline") if data["since"] else _to(slug, "guideline_version", data["version"])
    return Words(text, url, _("What changed"))


def _answered(slug: str, data: Json, _who: str, _own: bool) -> Words:  # noqa: FBT001
    text = (
        _("Your question about %(item)s became a rule of the guideline, in version %(version)s.")
        if data.get("version")
        else _("Your question about %(item)s is answered.")
    )
    anchor = f"?state=own#inquiry-{data['inquiry']}"
    return Words(text % data, _to(slug, "inquiries", query=anchor), _("Read the answer"))


def _asked(slug: str, data: Json, who: str, _own: bool) -> Words:  # noqa: FBT001
    text = _("%(who)s asks about %(item)s.") % {"who": who, "item": data["item"]}
    return Words(text, _to(slug, "inquiries", query=f"#inquiry-{data['inquiry']}"), _("Answer"))


def _review(slug: str, data: Json, _who: str, _own: bool) -> Words:  # noqa: FBT001
    text = (
        _("%(by)s asks what you think of %(item)s.")
        if data.get("by")
        else _("You are asked what you think of %(item)s.")
    )
    return Words(text % data, _to(slug, "reviews"), _("My reviews"))


def _round(slug: str, data: Json) -> str:
    """The page on which a lead decides who goes through a round again."""
    where = (
        _to(slug, "training_round_edit", data["round_id"])
        if "round_id" in data
        else _to(slug, "training_rounds")
    )
    return f"{where}#people"


def _training(slug: str, data: Json, who: str, _own: bool) -> Words:  # noqa: FBT001
    values = {**data, "who": who}
    if "member" in data:  # told to leads; the one in training is told without a name
        text = _("%(who)s has not passed “%(round)s” and has no try left: %(right)s of %(n)s were right.")
        return Words(text % values, _round(slug, data), _("Another try, or label without it"))
    if data.get("state") == "passed":
        text = _("You have passed “%(round)s”: %(right)s of %(n)s were right.")
        return Words(text % values, _to(slug, "label"), _("Label"))
    if data.get("state") == "sent":
        text = _("You were given the training round “%(round)s”: its items come first.")
        return Words(text % values, _to(slug, "label"), _("Label"))
    if data.get("state") == "excused":
        text = _("You may label without the training round “%(round)s”.")
        return Words(text % values, _to(slug, "label"), _("Label"))
    text = _(
        "You have not passed “%(round)s”: %(right)s of %(n)s were right. The lead will tell you how to go on."
    )
    return Words(text % values, _to(slug, "guideline"), _("Guideline"))


def _corrected(slug: str, data: Json, _who: str, _own: bool) -> Words:  # noqa: FBT001
    text = _(
        "%(item)s, which you settled, was answered anew since. Your decision stands until you change it."
    )
    query = f"?question={data['questions'][0]}" if data.get("questions") else ""
    return Words(text % data, _to(slug, "adjudication_item", data["item_id"], query=query), _("Look at it"))


def _voided(slug: str, data: Json, who: str, own: bool) -> Words:  # noqa: FBT001
    n = data["answers"]
    values = {"n": f"{n:,}", "who": who}
    if own:
        text = (
            ngettext("%(n)s answer of yours counts again.", "%(n)s answers of yours count again.", n)
            if data.get("undone")
            else ngettext(
                "%(n)s answer of yours was taken out of the counts by the lead; it is kept.",
                "%(n)s answers of yours were taken out of the counts by the lead; they are kept.",
                n,
            )
        )
        return Words(text % values, _to(slug, "record"), _("My record"))
    n = data.get("resolutions", 0)
    text = (
        ngettext(
            "Answers of %(who)s count again; %(n)s item that you settled has them.",
            "Answers of %(who)s count again; %(n)s items that you settled have them.",
            n,
        )
        if data.get("undone")
        else ngettext(
            "Answers of %(who)s were taken out of the counts; %(n)s item that you settled had them.",
            "Answers of %(who)s were taken out of the counts; %(n)s items that you settled had them.",
            n,
        )
    )
    where = _to(slug, "adjudication", query="?state=overtaken#queue")
    return Words(text % {"n": f"{n:,}", "who": who}, where, _("Look at them"))


SENTENCES: dict[NoticeKind, Callable[[str, Json, str, bool], Words]] = {
    NoticeKind.ASSIGNED: _assigned,
    NoticeKind.PAUSED: _paused,
    NoticeKind.RESUMED: _resumed,
    NoticeKind.GUIDELINE: _guideline,
    NoticeKind.ANSWERED: _answered,
    NoticeKind.ASKED: _asked,
    NoticeKind.REVIEW: _review,
    NoticeKind.TRAINING: _training,
    NoticeKind.CORRECTED: _corrected,
    NoticeKind.VOIDED: _voided,
}
