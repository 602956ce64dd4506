"""Addresses of the API, under /api/v1. Every name has its row in core.access.ROUTES."""

from django.urls import URLPattern, URLResolver, path

from core.access import Action
from core.api.schema import SchemaView
from core.api.views import (
    aggregation,
    agreement,
    annotation,
    audit,
    export,
    function,
    hlp,
    imports,
    item,
    job,
    label_error,
    membership,
    project,
    record,
    relabel,
    run,
    selection,
    spreading,
    tag,
    token,
)
from core.choices import ProjectState
from core.services.item import restore_item, return_item, withdraw_item

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
    path("projects/<slug:slug>/overlap", project.AdaptiveOverlap.as_view(), name="overlap"),
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
    path(
        "members/<int:member_id>/reset-link", membership.MemberResetLink.as_view(), name="member-reset-link"
    ),
    path("projects/<slug:slug>/audit", audit.Events.as_view(), name="audit"),
    path("tokens", token.Tokens.as_view(), name="tokens"),
    path("tokens/<int:token_id>", token.OneToken.as_view(), name="token"),
    path("projects/<slug:slug>/annotations", export.Annotations.as_view(), name="annotations"),
    path("projects/<slug:slug>/labels", export.Labels.as_view(), name="labels"),
    path("projects/<slug:slug>/record", record.OwnRecord.as_view(), name="record"),
    path("projects/<slug:slug>/agreement", agreement.Agreement.as_view(), name="agreement"),
    path("projects/<slug:slug>/agreement/pairs", agreement.AgreementPairs.as_view(), name="agreement-pairs"),
    path("projects/<slug:slug>/aggregation", aggregation.Aggregation.as_view(), name="aggregation"),
    path("projects/<slug:slug>/hlp", hlp.Hlp.as_view(), name="hlp"),
    path("projects/<slug:slug>/runs", run.Runs.as_view(), name="runs"),
    path("projects/<slug:slug>/runs/<int:run_id>", run.OneRun.as_view(), name="run"),
    path("projects/<slug:slug>/selections", selection.Selections.as_view(), name="selections"),
    path(
        "projects/<slug:slug>/selections/report", selection.SelectionReport.as_view(), name="selection-report"
    ),
    path("projects/<slug:slug>/selections/<int:number>", selection.OneSelection.as_view(), name="selection"),
    path("projects/<slug:slug>/runs/<int:run_id>/model", run.RunModelFile.as_view(), name="run-model"),
    path("projects/<slug:slug>/runs/<int:run_id>/score", run.ScoreRun.as_view(), name="run-score"),
    path("projects/<slug:slug>/functions", function.Functions.as_view(), name="functions"),
    path(
        "projects/<slug:slug>/functions/report", function.FunctionsReport.as_view(), name="functions-report"
    ),
    path("projects/<slug:slug>/functions/apply", function.ApplyFunctions.as_view(), name="functions-apply"),
    path(
        "projects/<slug:slug>/functions/preview", function.PreviewFunction.as_view(), name="functions-preview"
    ),
    path("projects/<slug:slug>/functions/<int:function_id>", function.OneFunction.as_view(), name="function"),
    path("projects/<slug:slug>/label-errors", label_error.LabelErrors.as_view(), name="label-errors"),
    path("projects/<slug:slug>/spreading", spreading.Spreading.as_view(), name="spreading"),
    path("projects/<slug:slug>/relabels", relabel.Relabels.as_view(), name="relabels"),
    path("projects/<slug:slug>/imports", imports.Imports.as_view(), name="imports"),
    path("projects/<slug:slug>/imports/preview", imports.PreviewImport.as_view(), name="import-preview"),
    path("projects/<slug:slug>/imports/<int:import_id>", imports.OneImport.as_view(), name="import"),
    path(
        "projects/<slug:slug>/imports/<int:import_id>/errors",
        imports.ImportErrors.as_view(),
        name="import-errors",
    ),
    path(
        "projects/<slug:slug>/imports/<int:import_id>/accept",
        imports.DecideImport.as_view(),
        name="import-accept",
    ),
    path(
        "projects/<slug:slug>/imports/<int:import_id>/discard",
        imports.DecideImport.as_view(accept=False),
        name="import-discard",
    ),
    path("projects/<slug:slug>/items", item.Items.as_view(), name="items"),
    path(
        "projects/<slug:slug>/items/<path:name>/withdraw",
        item.ChangeItem.as_view(change=withdraw_item),
        name="item-withdraw",
    ),
    path(
        "projects/<slug:slug>/items/<path:name>/restore",
        item.ChangeItem.as_view(change=restore_item),
        name="item-restore",
    ),
    path(
        "projects/<slug:slug>/items/<path:name>/return",
        item.ChangeItem.as_view(change=return_item),
        name="item-return",
    ),
    path("projects/<slug:slug>/items/<path:name>", item.OneItem.as_view(), name="item"),
    path("projects/<slug:slug>/tags", tag.Tags.as_view(), name="tags"),
    path("projects/<slug:slug>/batches", item.Batches.as_view(), name="batches"),
    path("projects/<slug:slug>/batches/<int:number>", item.OneBatch.as_view(), name="batch"),
    path("projects/<slug:slug>/assets", item.Assets.as_view(), name="assets"),
    path("projects/<slug:slug>/assets/<path:name>", item.OneAsset.as_view(), name="asset"),
    path("jobs/<uuid:job_id>", job.OneJob.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel", job.CancelJob.as_view(), name="job-cancel"),
]
