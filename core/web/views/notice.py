"""What the reader was told in a project."""

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import Action
from core.exceptions import Missing
from core.models import Membership
from core.selectors.notice import notices_of, people_in, told_to
from core.services.notice import read_notices
from core.web.access import project_view
from core.web.notice_words import words_of
from core.web.pages import project_page

PAGE = 50
SECTION = "notices"


@require_safe
@never_cache
@project_view(Action.OWN_WORK_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """One's own notices, the newest first, fifty at a time."""
    before = _key(request.GET.get("before", ""))
    rows = notices_of(membership)
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    shown = found[:PAGE]
    people = people_in(membership, shown)
    context = {
        "rows": [
            {"notice": row, "words": words_of(row, membership, told_to(membership, row), people)}
            for row in shown
        ],
        "until": shown[0].pk if shown else 0,
        "any_unread": any(row.read_at is None for row in shown),
        "previous_url": "?" if before else None,
        "next_url": f"?before={shown[-1].pk}" if len(found) > PAGE else None,
    }
    return project_page(request, membership, SECTION, "core/notice/page.html", context)


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 -- fits the column


@require_POST
@project_view(Action.OWN_WORK_READ)
def read(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Mark as read: one (``notice``) and go to what it is about, or all up to the newest that was shown (``until``)."""
    one, until = _key(request.POST.get("notice", "")), _key(request.POST.get("until", ""))
    if one:
        notice = notices_of(membership).filter(pk=one).first()
        if notice is None:
            raise Missing
        read_notices(membership, notice_id=one)
        people = people_in(membership, [notice])
        return redirect(words_of(notice, membership, told_to(membership, notice), people).url)
    if until:
        read_notices(membership, until=until)
        messages.success(request, _("All read."))
    return redirect("notices", membership.project.slug)
