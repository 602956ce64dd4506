"""What people are called where their names are not to be seen."""

import hashlib
import hmac
from collections.abc import Mapping

from core.models import Membership, Project

PSEUDONYM_DIGITS = 16


def pseudonym(project: Project, membership_id: int) -> str:
    """A name that stays the same within a project and says nothing outside it.

    HMAC-SHA256 of the membership under the project's own random key: without the key it cannot be
    recomputed from a list of people, and deleting the key cuts the link for good.
    """
    key = bytes.fromhex(project.pseudonym_key)
    digest = hmac.new(key, b"%d" % membership_id, hashlib.sha256).hexdigest()
    return f"p_{digest[:PSEUDONYM_DIGITS]}"


def annotator_names(project: Project, *, real: bool) -> Mapping[int, str]:
    """What each member of a project is called, by membership: the name given there, or a pseudonym."""
    members = Membership.objects.filter(project=project).order_by("pk").values_list("pk", "name")
    return {pk: name if real else pseudonym(project, pk) for pk, name in members}
