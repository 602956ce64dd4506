"""Who may do what: one table of roles and actions, and the getters that fetch and authorise in one call.

A stranger is told that there is nothing (404); an insider without the right is refused (403).
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from core.choices import Role, Scope
from core.exceptions import Missing, NotAllowed
from core.models import Annotation, Lease, Membership, Token, User


class Action(StrEnum):
    """Everything that can be done within a project."""

    PROJECT_READ = "project:read"
    PROJECT_EDIT = "project:edit"
    PROJECT_CLONE = "project:clone"
    PROJECT_ARCHIVE = "project:archive"
    MEMBERS_READ = "members:read"
    MEMBERS_EDIT = "members:edit"
    GUIDELINE_READ = "guideline:read"
    GUIDELINE_EDIT = "guideline:edit"
    ITEMS_READ = "items:read"
    ITEMS_EDIT = "items:edit"
    ITEMS_TAG = "items:tag"
    IMPORTS_READ = "imports:read"
    IMPORTS_EDIT = "imports:edit"
    ASSETS_READ = "assets:read"
    ANNOTATE = "annotate"
    OWN_WORK_READ = "work:own"
    LABELS_READ = "labels:read"
    AGREEMENT_READ = "agreement:read"
    JOBS_READ = "jobs:read"
    JOBS_EDIT = "jobs:edit"
    AUDIT_READ = "audit:read"
    ADJUDICATE = "items:adjudicate"
    GOLD_READ = "gold:read"
    GOLD_EDIT = "gold:edit"
    TRIAL = "trial"


EVERYBODY = frozenset(Role)
REVIEWERS = frozenset({Role.REVIEWER, Role.LEAD, Role.OWNER})
LEADS = frozenset({Role.LEAD, Role.OWNER})
OWNERS = frozenset({Role.OWNER})

ROLES: dict[Action, frozenset[Role]] = {
    Action.PROJECT_READ: EVERYBODY,
    Action.PROJECT_EDIT: LEADS,
    Action.PROJECT_CLONE: LEADS,
    Action.PROJECT_ARCHIVE: OWNERS,
    Action.MEMBERS_READ: LEADS,
    Action.MEMBERS_EDIT: LEADS,
    Action.GUIDELINE_READ: EVERYBODY,
    Action.GUIDELINE_EDIT: LEADS,
    Action.ITEMS_READ: REVIEWERS,
    Action.ITEMS_EDIT: LEADS,
    Action.ITEMS_TAG: REVIEWERS,
    Action.IMPORTS_READ: LEADS,
    Action.IMPORTS_EDIT: LEADS,
    Action.ASSETS_READ: EVERYBODY,
    Action.ANNOTATE: EVERYBODY,
    Action.OWN_WORK_READ: EVERYBODY,
    Action.LABELS_READ: REVIEWERS,
    Action.AGREEMENT_READ: REVIEWERS,
    Action.JOBS_READ: LEADS,
    Action.JOBS_EDIT: LEADS,
    Action.AUDIT_READ: LEADS,
    Action.ADJUDICATE: REVIEWERS,
    Action.GOLD_READ: LEADS,
    Action.GOLD_EDIT: LEADS,
    Action.TRIAL: LEADS,
}

_READS = frozenset({Scope.LABELS_READ, Scope.ITEMS_WRITE, Scope.ANNOTATE, Scope.LEAD})
_LABELS = frozenset({Scope.LABELS_READ, Scope.LEAD})
_ITEMS = frozenset({Scope.ITEMS_WRITE, Scope.LEAD})
_ANNOTATE = frozenset({Scope.ANNOTATE})
_LEAD = frozenset({Scope.LEAD})

SCOPES: dict[Action, frozenset[Scope]] = {
    Action.PROJECT_READ: _READS,
    Action.PROJECT_EDIT: _LEAD,
    Action.PROJECT_CLONE: _LEAD,
    Action.PROJECT_ARCHIVE: _LEAD,
    Action.MEMBERS_READ: _LEAD,
    Action.MEMBERS_EDIT: _LEAD,
    Action.GUIDELINE_READ: _READS,
    Action.GUIDELINE_EDIT: _LEAD,
    Action.ITEMS_READ: _LABELS | _ITEMS,
    Action.ITEMS_EDIT: _ITEMS,
    Action.ITEMS_TAG: _ITEMS,
    Action.IMPORTS_READ: _ITEMS,
    Action.IMPORTS_EDIT: _ITEMS,
    Action.ASSETS_READ: _READS,
    Action.ANNOTATE: _ANNOTATE,
    Action.OWN_WORK_READ: _ANNOTATE | _LABELS,
    Action.LABELS_READ: _LABELS,
    Action.AGREEMENT_READ: _LABELS,
    Action.JOBS_READ: _ITEMS | _LABELS,
    Action.JOBS_EDIT: _ITEMS,
    Action.AUDIT_READ: _LEAD,
    Action.ADJUDICATE: _LEAD,
    Action.GOLD_READ: _LEAD,
    Action.GOLD_EDIT: _ITEMS,
    Action.TRIAL: _ANNOTATE,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a signed-in person, or a token that acts for one within its scopes."""

    user: User
    token: Token | None = None

    def may(self, action: Action) -> bool:
        """Whether the token's scopes allow the action (a browser session has no such limit)."""
        return self.token is None or any(Scope(scope) in SCOPES[action] for scope in self.token.scopes)


def actor_of(user: User | AnonymousUser, token: Token | None = None) -> Actor:
    """The actor of a request that has passed sign-in."""
    if not isinstance(user, User):
        raise NotAllowed("Sign in first.", code="not-signed-in")
    return Actor(user, token)


def rank(role: str) -> int:
    """Where a role stands: nobody grants, changes or removes one above their own."""
    return list(Role).index(Role(role))


def role_may(role: str, action: Action) -> bool:
    """Whether members with this role may do this."""
    return Role(role) in ROLES[action]


def get_membership(actor: Actor, slug: str, action: Action) -> Membership:
    """The actor's own membership of a project, with the project loaded, if it may do this.

    Raises Missing for strangers (and tokens of other projects), NotAllowed for insiders without the right.
    """
    membership = (
        Membership.objects.select_related("project")
        .filter(project__slug=slug, user=actor.user, active=True)
        .first()
    )
    return authorise(actor, membership, action)


def get_membership_by_project(actor: Actor, project_id: int, action: Action) -> Membership:
    """As get_membership, for things that are addressed by their own id (leases, jobs, annotations)."""
    membership = (
        Membership.objects.select_related("project")
        .filter(project_id=project_id, user=actor.user, active=True)
        .first()
    )
    return authorise(actor, membership, action)


def authorise(actor: Actor, membership: Membership | None, action: Action) -> Membership:
    """The membership itself, or Missing / NotAllowed."""
    if membership is None or (actor.token and actor.token.project_id not in {None, membership.project_id}):
        raise Missing
    if not role_may(membership.role, action):
        raise NotAllowed
    if not actor.may(action):
        raise NotAllowed("This token's scopes do not allow this.", code="scope")
    return membership


def may_create_projects(actor: Actor) -> bool:
    """The first lead and whoever leads a project already may make more (with a token: scope lead)."""
    if actor.token and (Scope.LEAD not in actor.token.scopes or actor.token.project_id):
        return False
    return (
        actor.user.may_create_projects
        or Membership.objects.filter(user=actor.user, active=True, role__in=LEADS).exists()
    )


class Door(StrEnum):
    """Who may knock at a route that is not within one project."""

    PUBLIC = "public"
    LINK = "link"  # whoever holds the secret link
    SIGNED_IN = "signed in"
    CREATES_PROJECTS = "creates projects"


# Every route by its name, every method that it answers, and what that takes. A route without a row fails
# the permission test (tests/test_permissions_matrix.py), and so does a method without an entry.
ROUTES: dict[str, dict[str, Action | Door]] = {
    "livez": {"GET": Door.PUBLIC},
    "readyz": {"GET": Door.PUBLIC},
    "metrics": {"GET": Door.CREATES_PROJECTS},
    "sign_in": {"GET": Door.PUBLIC, "POST": Door.PUBLIC},
    "sign_out": {"POST": Door.PUBLIC},
    "first_sign_in": {"GET": Door.LINK, "POST": Door.LINK},
    "reset_password": {"GET": Door.LINK, "POST": Door.LINK},
    "accept_invitation": {"GET": Door.LINK, "POST": Door.LINK},
    "profile": {"GET": Door.SIGNED_IN, "POST": Door.SIGNED_IN},
    "password_change": {"GET": Door.SIGNED_IN, "POST": Door.SIGNED_IN},
    "tokens": {"GET": Door.SIGNED_IN},
    "token_create": {"POST": Door.SIGNED_IN},
    "token_revoke": {"POST": Door.SIGNED_IN},
    "people": {"GET": Action.MEMBERS_READ},
    "member_change": {"POST": Action.MEMBERS_EDIT},
    "member_remove": {"POST": Action.MEMBERS_EDIT},
    "member_reset_link": {"POST": Action.MEMBERS_EDIT},
    "invitation_create": {"POST": Action.MEMBERS_EDIT},
    "invitation_withdraw": {"POST": Action.MEMBERS_EDIT},
    "audit_log": {"GET": Action.AUDIT_READ},
    "service_worker": {"GET": Door.PUBLIC},
    "root": {"GET": Door.PUBLIC},
    "projects": {"GET": Door.SIGNED_IN},
    "project_new": {"GET": Door.CREATES_PROJECTS, "POST": Door.CREATES_PROJECTS},
    "project_new_document": {"GET": Door.CREATES_PROJECTS, "POST": Door.CREATES_PROJECTS},
    "project": {"GET": Action.PROJECT_READ},
    "project_pause": {"POST": Action.PROJECT_EDIT},
    "project_resume": {"POST": Action.PROJECT_EDIT},
    "project_archive": {"POST": Action.PROJECT_ARCHIVE},
    "project_clone": {"GET": Action.PROJECT_CLONE, "POST": Action.PROJECT_CLONE},
    "project_settings": {"GET": Action.PROJECT_EDIT, "POST": Action.PROJECT_EDIT},
    "label": {"GET": Action.ANNOTATE},
    "label_examples": {"GET": Action.GUIDELINE_READ},
    "questions": {"GET": Action.PROJECT_EDIT},
    "question_new": {"GET": Action.PROJECT_EDIT, "POST": Action.PROJECT_EDIT},
    "question_edit": {"GET": Action.PROJECT_EDIT, "POST": Action.PROJECT_EDIT},
    "class_new": {"GET": Action.PROJECT_EDIT, "POST": Action.PROJECT_EDIT},
    "class_edit": {"GET": Action.PROJECT_EDIT, "POST": Action.PROJECT_EDIT},
    "guideline": {"GET": Action.GUIDELINE_READ},
    "guideline_new": {"GET": Action.GUIDELINE_EDIT, "POST": Action.GUIDELINE_EDIT},
    "guideline_read": {"POST": Action.GUIDELINE_READ},
    "guideline_version": {"GET": Action.GUIDELINE_READ},
    "imports": {"GET": Action.IMPORTS_READ},
    "import_new": {"GET": Action.IMPORTS_EDIT, "POST": Action.IMPORTS_EDIT},
    "import_columns": {"GET": Action.IMPORTS_EDIT, "POST": Action.IMPORTS_EDIT},
    "import": {"GET": Action.IMPORTS_READ},
    "import_job": {"GET": Action.IMPORTS_READ},
    "import_cancel": {"POST": Action.JOBS_EDIT},
    "import_accept": {"POST": Action.IMPORTS_EDIT},
    "import_discard": {"POST": Action.IMPORTS_EDIT},
    "import_errors": {"GET": Action.IMPORTS_READ},
    "images": {"GET": Action.IMPORTS_EDIT, "POST": Action.IMPORTS_EDIT},
    "batch": {"GET": Action.ITEMS_EDIT, "POST": Action.ITEMS_EDIT},
    "items": {"GET": Action.ITEMS_READ},
    "items_tag": {"POST": Action.ITEMS_TAG},
    "item": {"GET": Action.ITEMS_READ},
    "item_withdraw": {"POST": Action.ITEMS_EDIT},
    "item_restore": {"POST": Action.ITEMS_EDIT},
    "item_return": {"POST": Action.ITEMS_EDIT},
    "item_flags_read": {"POST": Action.ITEMS_EDIT},
    "item_tags": {"POST": Action.ITEMS_TAG},
    "item_correct": {"GET": Action.ITEMS_EDIT, "POST": Action.ITEMS_EDIT},
    "api:schema": {"GET": Door.PUBLIC},
    "api:projects": {"GET": Door.SIGNED_IN, "POST": Door.CREATES_PROJECTS},
    "api:project": {"GET": Action.PROJECT_READ, "PATCH": Action.PROJECT_EDIT},
    "api:project-pause": {"POST": Action.PROJECT_EDIT},
    "api:project-resume": {"POST": Action.PROJECT_EDIT},
    "api:project-archive": {"POST": Action.PROJECT_ARCHIVE},
    "api:project-clone": {"POST": Action.PROJECT_CLONE},
    "api:overlap": {"GET": Action.AGREEMENT_READ, "POST": Action.PROJECT_EDIT},
    "api:questions": {"GET": Action.PROJECT_READ, "POST": Action.PROJECT_EDIT},
    "api:question": {"PATCH": Action.PROJECT_EDIT},
    "api:classes": {"POST": Action.PROJECT_EDIT},
    "api:class": {"PATCH": Action.PROJECT_EDIT},
    "api:guidelines": {"GET": Action.GUIDELINE_READ, "POST": Action.GUIDELINE_EDIT},
    "api:leases": {"POST": Action.ANNOTATE},
    "api:recent": {"GET": Action.ANNOTATE},
    "api:leases-extend": {"POST": Action.ANNOTATE},
    "api:lease-annotation": {"POST": Action.ANNOTATE},
    "api:lease-skip": {"POST": Action.ANNOTATE},
    "api:lease-later": {"POST": Action.ANNOTATE},
    "api:lease-flag": {"POST": Action.ANNOTATE},
    "api:annotation": {"PATCH": Action.ANNOTATE},
    "api:drafts": {"GET": Door.SIGNED_IN},
    "api:draft": {"POST": Action.ANNOTATE, "DELETE": Action.ANNOTATE},
    "api:tokens": {"GET": Door.SIGNED_IN, "POST": Door.SIGNED_IN},
    "api:token": {"DELETE": Door.SIGNED_IN},
    "api:members": {"GET": Action.MEMBERS_READ, "POST": Action.MEMBERS_EDIT},
    "api:member": {
        "GET": Action.MEMBERS_READ,
        "PATCH": Action.MEMBERS_EDIT,
        "DELETE": Action.MEMBERS_EDIT,
    },
    "api:member-reset-link": {"POST": Action.MEMBERS_EDIT},
    "api:invitations": {"GET": Action.MEMBERS_READ, "POST": Action.MEMBERS_EDIT},
    "api:invitation": {"DELETE": Action.MEMBERS_EDIT},
    "api:audit": {"GET": Action.AUDIT_READ},
    "api:imports": {"GET": Action.IMPORTS_READ, "POST": Action.IMPORTS_EDIT},
    "api:import-preview": {"POST": Action.IMPORTS_EDIT},
    "api:import": {"GET": Action.IMPORTS_READ},
    "api:import-errors": {"GET": Action.IMPORTS_READ},
    "api:import-accept": {"POST": Action.IMPORTS_EDIT},
    "api:import-discard": {"POST": Action.IMPORTS_EDIT},
    "api:items": {"GET": Action.ITEMS_READ},
    "api:item": {"GET": Action.ITEMS_READ, "PATCH": Action.ITEMS_EDIT},
    "api:tags": {"GET": Action.ITEMS_READ, "POST": Action.ITEMS_TAG, "DELETE": Action.ITEMS_TAG},
    "api:item-withdraw": {"POST": Action.ITEMS_EDIT},
    "api:item-restore": {"POST": Action.ITEMS_EDIT},
    "api:item-return": {"POST": Action.ITEMS_EDIT},
    "api:batches": {"GET": Action.ITEMS_READ},
    "api:batch": {"GET": Action.ITEMS_READ, "PATCH": Action.ITEMS_EDIT},
    "api:assets": {"GET": Action.ITEMS_READ, "POST": Action.IMPORTS_EDIT},
    "api:asset": {"GET": Action.ASSETS_READ},
    "api:job": {"GET": Action.JOBS_READ},
    "api:job-cancel": {"POST": Action.JOBS_EDIT},
    "api:annotations": {"GET": Action.LABELS_READ},
    "api:labels": {"GET": Action.LABELS_READ},
    "api:agreement": {"GET": Action.AGREEMENT_READ},
    "api:agreement-pairs": {"GET": Action.AGREEMENT_READ},
    "api:aggregation": {"GET": Action.AGREEMENT_READ},
    "api:hlp": {"GET": Action.AGREEMENT_READ},
    "api:runs": {"GET": Action.AGREEMENT_READ, "POST": Action.IMPORTS_EDIT},
    "api:run": {"GET": Action.AGREEMENT_READ},
    "agreement": {"GET": Action.AGREEMENT_READ},
    "record": {"GET": Action.OWN_WORK_READ},
    "api:record": {"GET": Action.OWN_WORK_READ},
    "agreement_newer": {"GET": Action.AGREEMENT_READ},
    "agreement_people": {"GET": Action.AGREEMENT_READ},
    "agreement_pairs": {"GET": Action.AGREEMENT_READ},
    "agreement_items": {"GET": Action.AGREEMENT_READ},
    "agreement_table": {"GET": Action.AGREEMENT_READ},
    "agreement_picture": {"GET": Action.AGREEMENT_READ},
    "hlp": {"GET": Action.AGREEMENT_READ},
    "hlp_table": {"GET": Action.AGREEMENT_READ},
    "aggregation": {"GET": Action.AGREEMENT_READ},
    "aggregation_people": {"GET": Action.AGREEMENT_READ},
    "aggregation_table": {"GET": Action.AGREEMENT_READ},
    "labels": {"GET": Action.LABELS_READ},
    "api:selections": {"GET": Action.AGREEMENT_READ, "POST": Action.PROJECT_EDIT},
    "api:selection-report": {"GET": Action.AGREEMENT_READ},
    "api:selection": {"GET": Action.AGREEMENT_READ},
    "api:run-model": {"GET": Action.LABELS_READ},
    "api:run-score": {"POST": Action.IMPORTS_EDIT},
    "api:suggestions": {"GET": Action.AGREEMENT_READ, "PATCH": Action.PROJECT_EDIT},
    "api:functions": {"GET": Action.AGREEMENT_READ, "POST": Action.PROJECT_EDIT},
    "api:functions-report": {"GET": Action.AGREEMENT_READ},
    "api:functions-apply": {"POST": Action.PROJECT_EDIT},
    "api:functions-preview": {"POST": Action.PROJECT_EDIT},
    "api:function": {
        "GET": Action.AGREEMENT_READ,
        "PATCH": Action.PROJECT_EDIT,
        "DELETE": Action.PROJECT_EDIT,
    },
    "api:label-errors": {"GET": Action.AGREEMENT_READ, "POST": Action.ITEMS_EDIT},
    "api:spreading": {"GET": Action.AGREEMENT_READ, "POST": Action.PROJECT_EDIT},
    "api:relabels": {"GET": Action.AGREEMENT_READ, "POST": Action.ITEMS_EDIT},
    "selection": {"GET": Action.AGREEMENT_READ},
    "selection_newer": {"GET": Action.AGREEMENT_READ},
    "selection_settings": {"POST": Action.PROJECT_EDIT},
    "selection_now": {"POST": Action.PROJECT_EDIT},
    "selection_cancel": {"POST": Action.PROJECT_EDIT},
    "selection_round": {"GET": Action.AGREEMENT_READ},
    "selection_table": {"GET": Action.AGREEMENT_READ},
    "models": {"GET": Action.AGREEMENT_READ},
    "model_train": {"POST": Action.PROJECT_EDIT},
    "model_spread": {"POST": Action.PROJECT_EDIT},
    "model": {"GET": Action.AGREEMENT_READ},
    "model_file": {"GET": Action.LABELS_READ},
    "model_suggest": {"POST": Action.PROJECT_EDIT},
    "functions": {"GET": Action.AGREEMENT_READ},
    "function_new": {"GET": Action.PROJECT_EDIT, "POST": Action.PROJECT_EDIT},
    "function_preview": {"POST": Action.PROJECT_EDIT},
    "functions_apply": {"POST": Action.PROJECT_EDIT},
    "function_edit": {"GET": Action.PROJECT_EDIT, "POST": Action.PROJECT_EDIT},
    "function_remove": {"POST": Action.PROJECT_EDIT},
    "label_errors": {"GET": Action.AGREEMENT_READ},
    "label_errors_find": {"POST": Action.ITEMS_EDIT},
    "label_errors_send": {"POST": Action.ITEMS_EDIT},
    "relabels": {"GET": Action.AGREEMENT_READ},
    "api:merges-preview": {"POST": Action.AGREEMENT_READ},
    "api:merges-suggested": {"GET": Action.AGREEMENT_READ},
    "api:mappings": {"GET": Action.AGREEMENT_READ, "POST": Action.PROJECT_EDIT},
    "api:mapping-revert": {"POST": Action.PROJECT_EDIT},
    "api:standard": {"GET": Action.AGREEMENT_READ},
    "api:standard-preview": {"POST": Action.AGREEMENT_READ},
    "api:adjudications": {"GET": Action.AGREEMENT_READ, "POST": Action.ADJUDICATE},
    "api:adjudications-next": {"GET": Action.ADJUDICATE},
    "api:adjudication": {"GET": Action.AGREEMENT_READ, "DELETE": Action.ADJUDICATE},
    "api:reviews": {"GET": Action.ADJUDICATE, "POST": Action.ADJUDICATE},
    "api:review": {"PATCH": Action.ADJUDICATE},
    "api:inquiries": {"GET": Action.OWN_WORK_READ, "POST": Action.ANNOTATE},
    "api:inquiry": {"PATCH": Action.GUIDELINE_EDIT},
    "api:notices": {"GET": Action.OWN_WORK_READ, "POST": Action.OWN_WORK_READ},
    "api:timeline": {"GET": Action.AGREEMENT_READ},
    "api:relabel": {"GET": Action.AGREEMENT_READ, "DELETE": Action.ITEMS_EDIT},
    "api:gold": {"GET": Action.GOLD_READ, "POST": Action.GOLD_EDIT},
    "api:gold-people": {"GET": Action.GOLD_READ},
    "api:training-rounds": {"GET": Action.GOLD_READ, "POST": Action.GOLD_EDIT},
    "api:training-round": {"GET": Action.GOLD_READ, "PATCH": Action.GOLD_EDIT},
    "api:member-pause": {"POST": Action.MEMBERS_EDIT},
    "api:member-resume": {"POST": Action.MEMBERS_EDIT},
    "api:validations": {"GET": Action.IMPORTS_READ},
    "api:validation": {"GET": Action.IMPORTS_READ},
    "api:validation-schema": {"GET": Action.IMPORTS_READ, "POST": Action.IMPORTS_EDIT},
    "api:validation-rules": {"GET": Action.IMPORTS_READ, "POST": Action.IMPORTS_EDIT},
    "api:validation-rule": {"PATCH": Action.IMPORTS_EDIT, "DELETE": Action.IMPORTS_EDIT},
    "api:annotations-void": {"POST": Action.MEMBERS_EDIT},
    "api:voids": {"GET": Action.MEMBERS_READ},
    "api:void-undo": {"POST": Action.MEMBERS_EDIT},
    "api:person-erase": {"POST": Action.MEMBERS_EDIT},
    "api:work": {"GET": Action.OWN_WORK_READ},
    "api:item-history": {"GET": Action.ITEMS_READ},
    "api:audit-file": {"GET": Action.AUDIT_READ},
    "api:trial": {"POST": Action.TRIAL},
    "mappings": {"GET": Action.AGREEMENT_READ},
    "mapping_preview": {"GET": Action.AGREEMENT_READ},
    "mapping_apply": {"POST": Action.PROJECT_EDIT},
    "mapping_revert": {"POST": Action.PROJECT_EDIT},
    "standard": {"GET": Action.AGREEMENT_READ},
    "standard_preview": {"POST": Action.AGREEMENT_READ},
    "standard_apply": {"POST": Action.PROJECT_EDIT},
    "adjudication": {"GET": Action.AGREEMENT_READ},
    "adjudication_item": {"GET": Action.ADJUDICATE},
    "adjudication_settle": {"POST": Action.ADJUDICATE},
    "adjudication_undo": {"POST": Action.ADJUDICATE},
    "adjudication_refer": {"POST": Action.ADJUDICATE},
    "adjudication_bulk": {"GET": Action.ADJUDICATE, "POST": Action.ADJUDICATE},
    "reviews": {"GET": Action.ADJUDICATE},
    "review_answer": {"GET": Action.ADJUDICATE, "POST": Action.ADJUDICATE},
    "inquiries": {"GET": Action.OWN_WORK_READ},
    "inquiry_answer": {"POST": Action.GUIDELINE_EDIT},
    "notices": {"GET": Action.OWN_WORK_READ},
    "notices_read": {"POST": Action.OWN_WORK_READ},
    "timeline": {"GET": Action.AGREEMENT_READ},
    "timeline_table": {"GET": Action.AGREEMENT_READ},
    "relabel_new": {"GET": Action.ITEMS_EDIT, "POST": Action.ITEMS_EDIT},
    "relabel_close": {"POST": Action.ITEMS_EDIT},
    "gold": {"GET": Action.GOLD_READ},
    "gold_confirm": {"POST": Action.GOLD_EDIT},
    "training_rounds": {"GET": Action.GOLD_READ},
    "training_round_new": {"GET": Action.GOLD_EDIT, "POST": Action.GOLD_EDIT},
    "training_round_edit": {"GET": Action.GOLD_EDIT, "POST": Action.GOLD_EDIT},
    "member_pause": {"POST": Action.MEMBERS_EDIT},
    "member_resume": {"POST": Action.MEMBERS_EDIT},
    "validations": {"GET": Action.IMPORTS_READ},
    "validation": {"GET": Action.IMPORTS_READ},
    "validation_schema": {"GET": Action.IMPORTS_EDIT, "POST": Action.IMPORTS_EDIT},
    "validation_rule": {"GET": Action.IMPORTS_EDIT, "POST": Action.IMPORTS_EDIT},
    "validation_rule_new": {"GET": Action.IMPORTS_EDIT, "POST": Action.IMPORTS_EDIT},
    "validation_rule_remove": {"POST": Action.IMPORTS_EDIT},
    "member_void": {"GET": Action.MEMBERS_EDIT, "POST": Action.MEMBERS_EDIT},
    "void_undo": {"POST": Action.MEMBERS_EDIT},
    "member_erase": {"GET": Action.MEMBERS_EDIT, "POST": Action.MEMBERS_EDIT},
    "work": {"GET": Action.OWN_WORK_READ},
    "work_table": {"GET": Action.OWN_WORK_READ},
    "item_history": {"GET": Action.ITEMS_READ},
    "audit_table": {"GET": Action.AUDIT_READ},
    "label_trial": {"GET": Action.TRIAL},
}


def get_lease(actor: Actor, lease_id: UUID) -> Lease:
    """A lease that this person holds. Missing for strangers, NotAllowed for another member's lease."""
    lease = Lease.objects.select_related("annotator__project", "item").filter(pk=lease_id).first()
    return own_lease(actor, lease)


def own_lease(actor: Actor, lease: Lease | None) -> Lease:
    """As get_lease, for a lease that is loaded (and perhaps locked) already."""
    if lease is None:
        raise Missing
    if lease.annotator.user_id != actor.user.pk:
        get_membership_by_project(actor, lease.annotator.project_id, Action.ANNOTATE)
        raise NotAllowed("This item was handed to somebody else.", code="not-your-lease")
    authorise(actor, lease.annotator if lease.annotator.active else None, Action.ANNOTATE)
    return lease


def get_own_annotation(actor: Actor, annotation_id: int) -> Annotation:
    """An annotation that this person made. Missing for strangers, NotAllowed for another member's."""
    annotation = (
        Annotation.objects.select_related("annotator__project", "item").filter(pk=annotation_id).first()
    )
    if annotation is None:
        raise Missing
    if annotation.annotator.user_id != actor.user.pk:
        get_membership_by_project(actor, annotation.annotator.project_id, Action.ANNOTATE)
        raise NotAllowed("This is somebody else's answer.", code="not-your-annotation")
    authorise(actor, annotation.annotator if annotation.annotator.active else None, Action.ANNOTATE)
    return annotation


def get_member(actor: Actor, member_id: int, action: Action) -> tuple[Membership, Membership]:
    """The actor's own membership and that of another in the same project, which is addressed by its id."""
    member = Membership.objects.select_related("project", "user").filter(pk=member_id).first()
    if member is None:
        raise Missing
    return get_membership_by_project(actor, member.project_id, action), member
