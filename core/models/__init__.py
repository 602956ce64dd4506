"""All models, so that Django finds them and callers need not know their file."""

from core.models.account import SignInLink, User
from core.models.annotation import Annotation, Answer, AnswerChoice, Draft
from core.models.audit import Event
from core.models.features import FeatureSet, ItemVector
from core.models.function import LabelingFunction
from core.models.guideline import GuidelineVersion
from core.models.imports import Import, RefusedRow, StagedAnswer, StagedItem
from core.models.item import Asset, Batch, Gold, Item, ItemVersion
from core.models.job import Job, WorkerSign
from core.models.label_error import ErrorSearch, LabelError
from core.models.lease import Flag, Lease
from core.models.membership import Invitation, Membership
from core.models.project import Outbox, Project, ProjectTotals
from core.models.question import LabelClass, Question
from core.models.relabel import Relabel, RelabelItem
from core.models.report import Report
from core.models.run import Prediction, Run, RunModel
from core.models.selection import Pick, Selection, SelectionPart
from core.models.tag import ItemTag, Tag
from core.models.token import Token

__all__ = [
    "Annotation",
    "Answer",
    "AnswerChoice",
    "Asset",
    "Batch",
    "Draft",
    "ErrorSearch",
    "Event",
    "FeatureSet",
    "Flag",
    "Gold",
    "GuidelineVersion",
    "Import",
    "Invitation",
    "Item",
    "ItemTag",
    "ItemVector",
    "ItemVersion",
    "Job",
    "LabelClass",
    "LabelError",
    "LabelingFunction",
    "Lease",
    "Membership",
    "Outbox",
    "Pick",
    "Prediction",
    "Project",
    "ProjectTotals",
    "Question",
    "RefusedRow",
    "Relabel",
    "RelabelItem",
    "Report",
    "Run",
    "RunModel",
    "Selection",
    "SelectionPart",
    "SignInLink",
    "StagedAnswer",
    "StagedItem",
    "Tag",
    "Token",
    "User",
    "WorkerSign",
]
