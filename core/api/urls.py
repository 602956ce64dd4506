"""Addresses of the API, under /api/v1. Every name has its row in core.access.ROUTES."""

from django.urls import URLPattern, URLResolver, path

from core.access import Action
from core.api.schema import SchemaView
from core.api.views import agreement, annotation, audit, export, membership, project, token
from core.choices import ProjectState

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("projects", project.Projects.as_view(), name="projects"),
    path("projects/<slug:slug>", project.OneProject.as_view(), name="project"),
    path(
        "projects/<slug:slug>/pause",
        project.ProjectStateChange.as_view(state=ProjectState.PAUSED),
        name="project-pause",
    ),
    path(
        "projects/<slug:slug>/resume",
        project.ProjectStateChange.as_view(state=ProjectState.ACTIVE),
        name="project-resume",
    ),
    path(
        "projects/<slug:slug>/archive",
        project.ProjectStateChange.as_view(state=ProjectState.ARCHIVED, action=Action.PROJECT_ARCHIVE),
        name="project-archive",
    ),
    path("projects/<slug:slug>/clone", project.CloneProject.as_view(), name="project-clone"),
    path("projects/<slug:slug>/questions", project.Questions.as_view(), name="questions"),
    path("projects/<slug:slug>/questions/<slug:key>", project.OneQuestion.as_view(), name="question"),
    path("projects/<slug:slug>/questions/<slug:key>/classes", project.Classes.as_view(), name="classes"),
    path(
        "projects/<slug:slug>/questions/<slug:key>/classes/<int:class_id>",
        project.OneClass.as_view(),
        name="class",
    ),
    path("projects/<slug:slug>/guidelines", project.Guidelines.as_view(), name="guidelines"),
    path("projects/<slug:slug>/leases", annotation.Leases.as_view(), name="leases"),
    path("projects/<slug:slug>/recent", annotation.RecentAnnotations.as_view(), name="recent"),
    path("leases/extend", annotation.ExtendLeases.as_view(), name="leases-extend"),
    path("leases/<uuid:lease_id>/annotation", annotation.SubmitAnnotation.as_view(), name="lease-annotation"),
    path("leases/<uuid:lease_id>/skip", annotation.SkipLease.as_view(), name="lease-skip"),
    path("leases/<uuid:lease_id>/later", annotation.DeferLease.as_view(), name="lease-later"),
    path("leases/<uuid:lease_id>/flag", annotation.FlagLease.as_view(), name="lease-flag"),
    path("annotations/<int:annotation_id>", annotation.OneAnnotation.as_view(), name="annotation"),
    path("drafts", annotation.Drafts.as_view(), name="drafts"),
    path("drafts/<int:draft_id>", annotation.OneDraft.as_view(), name="draft"),
    path("projects/<slug:slug>/members", membership.Members.as_view(), name="members"),
    path("projects/<slug:slug>/members/<int:member_id>", membership.OneMember.as_view(), name="member"),
    path("projects/<slug:slug>/invitations", membership.Invitations.as_view(), name="invitations"),
    path(
        "projects/<slug:slug>/invitations/<int:invitation_id>",
        membership.OneInvitation.as_view(),
        name="invitation",
    ),
    path("members/<int:member_id>/reset-link", membership.MemberResetLink.as_view(), name="member-reset-link"),
    path("projects/<slug:slug>/audit", audit.Events.as_view(), name="audit"),
    path("tokens", token.Tokens.as_view(), name="tokens"),
    path("tokens/<int:token_id>", token.OneToken.as_view(), name="token"),
    path("projects/<slug:slug>/annotations", export.Annotations.as_view(), name="annotations"),
    path("projects/<slug:slug>/labels", export.Labels.as_view(), name="labels"),
    path("projects/<slug:slug>/agreement", agreement.Agreement.as_view(), name="agreement"),
]
