"""Which items may be handed to somebody: the queue's next ones, their own of long ago, and those with gold.

Written out, because every hand-out runs one of these: Django takes several times longer to compile them than
the database to answer. Each costs the same in a small project and in a large one. The rows come locked for
the transaction (PostgreSQL), those that somebody else has locked are passed over unless they are waited for.
"""

# ruff: noqa: S608 -- what is put into the statements here are names of our own, never input

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from core.choices import ItemState, Lane, LeaseState, Pass
from core.models import Annotation, Item, Lease, Membership, RelabelPlace

LOOK_AHEAD = 1000
EVERYTHING = 2**31
CHANCES = 2**20  # the place to start from is drawn among so many
# PostgreSQL may have counted a table when it was still empty, and then believes any plan to be good. So nothing
# is left to it here: an EXISTS that ends so is looked up row by row, and "+ 0" keeps it to the item's own rows.
ALONE = "LIMIT 1 OFFSET 0"
ANSWERABLE = f"""
SELECT item.* FROM core_item item
WHERE item.project_id = %s AND item.pool = %s AND item.lane = %s AND item.position > %s AND item.free > 0
  AND NOT EXISTS (SELECT 1 FROM core_lease lease
                  WHERE lease.item_id = item.id AND lease.annotator_id + 0 = %s AND lease.item_version = item.version
                    AND (lease.state = 'active'
                         OR lease.state IN ('skipped', 'deferred')
                            AND lease.pass_kind NOT IN ('retest', 'training', 'trial')) {ALONE})
  AND NOT EXISTS (SELECT 1 FROM core_annotation annotation
                  WHERE annotation.item_id = item.id AND annotation.annotator_id + 0 = %s
                    AND annotation.item_version = item.version AND annotation."current"
                    AND annotation.repeat = 1
                    AND (annotation.voided OR annotation.complete OR annotation.pass_kind <> 'normal') {ALONE})
ORDER BY item.position LIMIT %s
"""
# A person's first answers, as the index annotation_first_answers has them.
FIRST = "{0}.annotator_id = %(member)s AND {0}.\"current\" AND NOT {0}.voided AND {0}.pass_kind = 'normal' AND {0}.repeat = 1"
# The next of these answers whose items may come a second time.
TWICE = f"""
    SELECT mine.item_id FROM (
        SELECT a.id, a.item_id, a.item_version, a.complete, a.created_at FROM core_annotation a
        WHERE {{0}} ORDER BY a.id LIMIT %(ahead)s) AS mine
    WHERE mine.complete AND mine.created_at <= %(before)s
      AND EXISTS (SELECT 1 FROM core_item i
                  WHERE i.id = mine.item_id AND i.version = mine.item_version AND i.state = 'open' {ALONE})
      AND NOT EXISTS (SELECT 1 FROM core_lease lease
                      WHERE lease.item_id = mine.item_id AND lease.annotator_id + 0 = %(member)s
                        AND (lease.repeat > 1 OR lease.state = 'active') {ALONE})
      AND NOT EXISTS (SELECT 1 FROM core_annotation other
                      WHERE other.item_id = mine.item_id AND other.annotator_id + 0 = %(member)s
                        AND other.repeat > 1 {ALONE})
    ORDER BY mine.id LIMIT %(count)s
"""
# Answers of one person come in the order of their ids, so the newest that is old enough is found by halving.
MIDDLE = (
    f"(SELECT b.{{0}} FROM core_annotation b WHERE {FIRST.format('b')} AND b.id >= (edge.low + edge.high + 1) / 2"
    " ORDER BY b.id LIMIT 1)"
)
RETESTABLE = f"""
WITH RECURSIVE edge(low, high) AS (
    SELECT a.id, (SELECT b.id FROM core_annotation b WHERE {FIRST.format("b")} ORDER BY b.id DESC LIMIT 1)
    FROM core_annotation a
    WHERE a.id = (SELECT b.id FROM core_annotation b WHERE {FIRST.format("b")} ORDER BY b.id LIMIT 1)
      AND a.created_at <= %(before)s
  UNION ALL
    SELECT CASE WHEN {MIDDLE.format("created_at")} <= %(before)s THEN {MIDDLE.format("id")} ELSE edge.low END,
           CASE WHEN {MIDDLE.format("created_at")} <= %(before)s THEN edge.high
                ELSE (edge.low + edge.high + 1) / 2 - 1 END
    FROM edge WHERE edge.low < edge.high
), span AS (
    SELECT min(low) AS low, max(low) AS high, min(low) + (max(low) - min(low) + 1) * %(chance)s / {CHANCES} AS first
    FROM edge
)
SELECT item_id FROM (
    SELECT * FROM ({TWICE.format(FIRST.format("a") + " AND a.id >= (SELECT first FROM span) AND a.id <= (SELECT high FROM span)")}) AS later
  UNION ALL
    SELECT * FROM ({TWICE.format(FIRST.format("a") + " AND a.id >= (SELECT low FROM span) AND a.id < (SELECT first FROM span)")}) AS earlier
) AS found LIMIT %(count)s
"""
# The next of these gold items that this person may have.
KNOWN = f"""
    SELECT known.item_id FROM (
        SELECT DISTINCT g.item_id FROM core_gold g WHERE {{0}} ORDER BY g.item_id LIMIT %(ahead)s) AS known
    WHERE EXISTS (
        SELECT 1 FROM core_item i
        WHERE i.id = known.item_id AND i.project_id + 0 = %(project)s AND i.state = 'open'
          AND (i.pool = 0 OR EXISTS (SELECT 1 FROM core_batch_members given
                                     WHERE given.batch_id = i.pool AND given.membership_id = %(member)s))
          AND NOT EXISTS (SELECT 1 FROM core_lease lease
                          WHERE lease.item_id = i.id AND lease.annotator_id + 0 = %(member)s
                            AND (lease.state = 'active'
                                 OR lease.item_version = i.version AND lease.state IN ('skipped', 'deferred'))
                          {ALONE})
          AND NOT EXISTS (SELECT 1 FROM core_annotation annotation
                          WHERE annotation.item_id = i.id AND annotation.annotator_id + 0 = %(member)s
                            AND annotation.item_version = i.version {ALONE})
          AND NOT EXISTS (SELECT 1 FROM core_trainee trainee
                          JOIN core_trainingitem taught ON taught.training_round_id = trainee.training_round_id
                          WHERE trainee.member_id = %(member)s AND taught.item_id = i.id {ALONE})
          AND NOT EXISTS (SELECT 1 FROM core_guidelineexample shown WHERE shown.item_id = i.id {ALONE})
        {ALONE})
    ORDER BY known.item_id LIMIT %(count)s
"""
ITEMS = "SELECT i.id FROM core_item i WHERE i.project_id = %(project)s"
GOLDEN = f"""
WITH ends AS (
    SELECT ({ITEMS} ORDER BY i.id LIMIT 1) AS low, ({ITEMS} ORDER BY i.id DESC LIMIT 1) AS high
), span AS (
    SELECT low, high, ({ITEMS} AND i.id >= (SELECT low + (high - low + 1) * %(chance)s / {CHANCES} FROM ends)
                       ORDER BY i.id LIMIT 1) AS first
    FROM ends
)
SELECT item_id FROM (
    SELECT * FROM ({KNOWN.format("g.item_id >= (SELECT first FROM span) AND g.item_id <= (SELECT high FROM span)")}) AS later
  UNION ALL
    SELECT * FROM ({KNOWN.format("g.item_id >= (SELECT low FROM span) AND g.item_id < (SELECT first FROM span)")}) AS earlier
) AS found LIMIT %(count)s
"""
LAST_OPEN = """
SELECT position FROM core_item WHERE project_id = %s AND pool = %s AND lane = %s AND free > 0
ORDER BY position DESC LIMIT 1
"""


class Stretch(NamedTuple):
    """A part of the queue: one lane of one pool, behind a position."""

    pool: int
    lane: Lane | int
    after: int


def answerable(member: Membership, part: Stretch, count: int, *, wait: bool) -> list[Item]:
    """Items with a free place that this person neither has answered, holds, skipped nor put off."""
    params = [member.project_id, part.pool, part.lane, part.after, member.pk, member.pk, count]
    return list(Item.objects.raw(ANSWERABLE + _lock(wait=wait), params))


def retestable(
    member: Membership, now: datetime, chance: int, count: int = 1, *, thorough: bool = False
) -> list[Item]:
    """Items that this person answered long enough ago and has never been given a second time.

    ``chance``, from 0 to 2**20 - 1, says where among their answers to begin; there the next eligible ones are
    taken, from the beginning again after the last. Only a thousand answers either way are looked at, unless
    ``thorough``. Lead, skip and expiry count as given: an item comes back once at most.
    """
    before = now - timedelta(days=member.project.retest_after_days)
    return _blind(
        RETESTABLE,
        {
            "member": member.pk,
            "before": connection.ops.adapt_datetimefield_value(before),
            "chance": chance,
            "ahead": EVERYTHING if thorough else LOOK_AHEAD,
            "count": count,
        },
    )


def golden(member: Membership, chance: int, count: int = 1) -> list[Item]:
    """Items with gold that this person neither has answered, holds, skipped nor put off; as ``retestable``.

    What any version of the guideline shows as an example is left out: everybody can read its answer.
    """
    return _blind(
        GOLDEN,
        {
            "member": member.pk,
            "project": member.project_id,
            "chance": chance,
            "ahead": LOOK_AHEAD,
            "count": count,
        },
    )


def _blind(sql: str, params: Mapping[str, Any]) -> list[Item]:
    found = f"= ANY(ARRAY({sql}))" if connection.vendor == "postgresql" else f"IN ({sql})"
    return list(
        Item.objects.raw(
            f"SELECT item.* FROM core_item item WHERE item.id {found} " + _lock(wait=False), params
        )
    )


def _lock(*, wait: bool) -> str:
    if not connection.features.has_select_for_update:
        return ""
    return "FOR NO KEY UPDATE OF item" if wait else "FOR NO KEY UPDATE OF item SKIP LOCKED"


def last_open(member: Membership, pool: int, lane: int) -> int:
    """The position of a lane's last item with a free place; -1 when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(LAST_OPEN, [member.project_id, pool, lane])
        row = cursor.fetchone()
    return int(row[0]) if row else -1


def holds_retests(member: Membership) -> int:
    """How many repeats this person has in hand."""
    return member.leases.filter(state="active", pass_kind=Pass.RETEST).count()


def waiting_places(member: Membership, count: int) -> list[RelabelPlace]:
    """What was sent to just this person and is neither in their hands nor put off, with the items; oldest first.

    Items that are with the lead are left out; withdrawn ones come, to be dropped.
    """
    own = Lease.objects.filter(item=OuterRef("item"), annotator=member.pk)
    held = own.filter(state=LeaseState.ACTIVE)
    put_off = own.filter(state=LeaseState.DEFERRED, relabel=OuterRef("relabel"))
    return list(
        RelabelPlace.objects.filter(
            ~Exists(held),
            ~Exists(put_off),
            annotator=member,
            annotation__isnull=True,
            dropped=False,
            item__state__in=[ItemState.OPEN, ItemState.WITHDRAWN],
        )
        .select_related("item")
        .order_by("pk")[:count]
    )


def untried(member: Membership, count: int) -> list[Item]:
    """The next open items, in the order of their rows, that this person holds in no pass and has not tried, locked."""
    own = Lease.objects.filter(item=OuterRef("pk"), annotator=member.pk, item_version=OuterRef("version"))
    held = own.filter(state=LeaseState.ACTIVE)
    aside = own.filter(pass_kind=Pass.TRIAL, state__in=[LeaseState.SKIPPED, LeaseState.DEFERRED])
    tried = Annotation.objects.filter(
        item=OuterRef("pk"), annotator=member.pk, item_version=OuterRef("version"), repeat=0
    )
    items = Item.objects.filter(
        ~Exists(held), ~Exists(aside), ~Exists(tried), project=member.project_id, state=ItemState.OPEN
    )
    return list(items.order_by("pk").select_for_update(of=("self",), no_key=True, skip_locked=True)[:count])


def in_hand(reader: Membership) -> QuerySet[Lease]:
    """What somebody is to answer without seeing what others said of it. A trial counts nowhere and hides nothing."""
    return Lease.objects.filter(annotator=reader, state=LeaseState.ACTIVE).exclude(pass_kind=Pass.TRIAL)
