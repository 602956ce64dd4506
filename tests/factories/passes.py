"""Projects whose draws of blind passes are known to hold what a test is about, whatever the ids are."""

from itertools import count, pairwise

from core.choices import Pass
from core.models import Membership, Project
from core.services.lease import draw


def mix_passes(member: Membership, n: int) -> None:
    """A third of the hand-outs each; among this person's next ``n`` every pass follows every other."""
    for number in count():
        Project.objects.filter(pk=member.project_id).update(
            audit_key=f"{number:064}", retest_rate="0.33", gold_rate="0.33"
        )
        fresh = Membership.objects.select_related("project").get(pk=member.pk)
        drawn = [draw(fresh, fresh.handed + ahead)[0] for ahead in range(n)]
        if len(set(pairwise(drawn))) == len({Pass.NORMAL, Pass.RETEST, Pass.GOLD}) ** 2:
            return
