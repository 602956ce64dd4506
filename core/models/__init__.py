"""All models, so that Django finds them and callers need not know their file."""

from core.models.account import SignInLink, User
from core.models.adjudication import Resolution, Review
from core.models.annotation import Annotation, Answer, AnswerChoice, Draft
from core.models.audit import Event
from core.models.features import FeatureSet, ItemVector
from core.models.function import LabelingFunction
from core.models.guideline import GuidelineExample, GuidelineVersion
from core.models.imports import Import, RefusedRow, StagedAnswer, StagedItem
from core.models.inquiry import Inquiry
from core.models.item import Asset, Batch, Gold, Item, ItemVersion
from core.models.job import Job, WorkerSign
from core.models.label_error import ErrorSearch, LabelError
from core.models.lease import Flag, Lease
from core.models.mapping import Mapping
from core.models.membership import Invitation, Membership
from core.models.notice import Notice
from core.models.project import Outbox, Project, ProjectTotals
from core.models.question import LabelClass, Question
from core.models.relabel import Relabel, RelabelItem, RelabelPlace
from core.models.report import Report
from core.models.run import Prediction, Run, RunModel
from core.models.selection import Pick, Selection, SelectionPart
from core.models.tag import ItemTag, Tag
from core.models.token import Token
from core.models.training_round import Trainee, TrainingItem, TrainingRound
from core.models.validation import DataSchema, Validation, ValidationRule
from core.models.void import Void

__all__ = [
    "Annotation",
    "Answer",
    "AnswerChoice",
    "Asset",
    "Batch",
    "DataSchema",
    "Draft",
    "ErrorSearch",
    "Event",
    "FeatureSet",
    "Flag",
    "Gold",
    "GuidelineExample",
    "GuidelineVersion",
    "Import",
    "Inquiry",
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
    "Mapping",
    "Membership",
    "Notice",
    "Outbox",
    "Pick",
    "Prediction",
    "Project",
    "ProjectTotals",
    "Question",
    "RefusedRow",
    "Relabel",
    "RelabelItem",
    "RelabelPlace",
    "Report",
    "Resolution",
    "Review",
    "Run",
    "RunModel",
    "Selection",
    "SelectionPart",
    "SignInLink",
    "StagedAnswer",
    "StagedItem",
    "Tag",
    "Token",
    "Trainee",
    "TrainingItem",
    "TrainingRound",
    "User",
    "Validation",
    "ValidationRule",
    "Void",
    "WorkerSign",
]
