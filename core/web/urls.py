"""Addresses of the pages. Every name has its row in core.access.ROUTES."""

from django.urls import URLPattern, URLResolver, path

from core.web.views import account, audit, guideline, label, people, project, question, token

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in", account.sign_in, name="sign_in"),
    path("sign-out", account.sign_out, name="sign_out"),
    path("first/<str:secret>", account.first_sign_in, name="first_sign_in"),
    path("reset/<str:secret>", account.reset_password, name="reset_password"),
    path("join/<str:secret>", account.accept, name="accept_invitation"),
    path("profile", account.profile, name="profile"),
    path("profile/password", account.password, name="password_change"),
    path("tokens", token.index, name="tokens"),
    path("tokens/create", token.create, name="token_create"),
    path("tokens/<int:token_id>/revoke", token.revoke, name="token_revoke"),
    path("projects/<slug:slug>/people", people.index, name="people"),
    path("projects/<slug:slug>/people/<int:member_id>", people.change, name="member_change"),
    path("projects/<slug:slug>/people/<int:member_id>/remove", people.remove, name="member_remove"),
    path(
        "projects/<slug:slug>/people/<int:member_id>/reset-link", people.reset_link, name="member_reset_link"
    ),
    path("projects/<slug:slug>/invitations", people.invitation_create, name="invitation_create"),
    path(
        "projects/<slug:slug>/invitations/<int:invitation_id>/withdraw",
        people.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path("projects/<slug:slug>/audit", audit.index, name="audit_log"),
    path("service-worker.js", label.service_worker, name="service_worker"),
    path("projects/", project.index, name="projects"),
    path("projects/new/", project.new, name="project_new"),
    path("projects/new/document", project.new_from_document, name="project_new_document"),
    path("projects/<slug:slug>/", project.home, name="project"),
    path("projects/<slug:slug>/pause", project.pause, name="project_pause"),
    path("projects/<slug:slug>/resume", project.resume, name="project_resume"),
    path("projects/<slug:slug>/archive", project.archive, name="project_archive"),
    path("projects/<slug:slug>/clone", project.clone, name="project_clone"),
    path("projects/<slug:slug>/settings", project.edit_settings, name="project_settings"),
    path("projects/<slug:slug>/label/", label.label, name="label"),
    path("projects/<slug:slug>/questions", question.index, name="questions"),
    path("projects/<slug:slug>/questions/new", question.new, name="question_new"),
    path("projects/<slug:slug>/questions/of/<slug:key>", question.edit, name="question_edit"),
    path("projects/<slug:slug>/questions/of/<slug:key>/classes/new", question.new_class, name="class_new"),
    path(
        "projects/<slug:slug>/questions/of/<slug:key>/classes/<int:class_id>",
        question.edit_one_class,
        name="class_edit",
    ),
    path("projects/<slug:slug>/guideline", guideline.index, name="guideline"),
    path("projects/<slug:slug>/guideline/new", guideline.new, name="guideline_new"),
    path("projects/<slug:slug>/guideline/read", guideline.read, name="guideline_read"),
    path("projects/<slug:slug>/guideline/<int:number>", guideline.version, name="guideline_version"),
]
