"""The closed lists: every value that a column, an address or a document may hold by name."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a member may do in one project."""

    ANNOTATOR = "annotator", _("annotator")
    REVIEWER = "reviewer", _("reviewer")
    LEAD = "lead", _("lead")
    OWNER = "owner", _("owner")


class ProjectState(models.TextChoices):
    """Whether a project hands out items."""

    ACTIVE = "active", _("active")
    PAUSED = "paused", _("paused")
    ARCHIVED = "archived", _("archived")


class QuestionKind(models.TextChoices):
    """What kind of answer a question takes."""

    SINGLE = "single", _("single choice")
    MULTIPLE = "multiple", _("multiple choice")
    SCALE = "scale", _("scale")
    NUMBER = "number", _("number")
    TEXT = "text", _("text")


SUGGESTED_KINDS = frozenset({QuestionKind.SINGLE, QuestionKind.SCALE})  # one class is the answer
CHOICE_KINDS = frozenset({QuestionKind.SINGLE, QuestionKind.MULTIPLE, QuestionKind.SCALE})


class Level(models.TextChoices):
    """Level of measurement."""

    NOMINAL = "nominal", _("nominal")
    ORDINAL = "ordinal", _("ordinal")
    INTERVAL = "interval", _("interval")
    RATIO = "ratio", _("ratio")


class Uncertain(models.TextChoices):
    """How uncertain answers enter the agreement."""

    CLASS = "class", _("as a class of their own")
    MISSING = "missing", _("as missing")
    DISAGREE = "disagree", _("as disagreement")


class ItemsChoice(models.TextChoices):
    """Which items a report rests on."""

    ALL = "all", _("all items")
    AUDIT = "audit", _("the audit slice")
    SELECTED = "selected", _("items outside the audit slice")


class AuditPart(models.TextChoices):
    """The audit slice's two parts; empty for every other item."""

    NONE = "", _("not in the audit slice")
    HOLDOUT = "holdout", _("holdout")
    STREAM = "stream", _("stream")


class ItemState(models.TextChoices):
    """Whether an item can be handed out."""

    OPEN = "open", _("open")
    WITH_LEAD = "with_lead", _("with the lead")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Lane(models.IntegerChoices):
    """The queue's lanes, served in this order."""

    RETURNED = 0, _("returned")
    PICKED = 1, _("picked")
    MAIN = 2, _("main")


class Pass(models.TextChoices):
    """Why an item was handed out."""

    NORMAL = "normal", _("normal")
    RETEST = "retest", _("retest")
    GOLD = "gold", _("gold")
    TRAINING = "training", _("training")
    TRIAL = "trial", _("trial")


class LeaseState(models.TextChoices):
    """What became of a hand-out."""

    ACTIVE = "active", _("active")
    SUBMITTED = "submitted", _("submitted")
    SKIPPED = "skipped", _("skipped")
    DEFERRED = "deferred", _("saved for later")
    EXPIRED = "expired", _("expired")
    RELEASED = "released", _("released")


class SkipReason(models.TextChoices):
    """Why somebody would not answer."""

    TOO_HARD = "too_hard", _("too hard")
    NOT_MY_LANGUAGE = "not_my_language", _("not my language")
    BROKEN = "broken", _("the item is broken")
    OTHER = "other", _("other")


class EmptyBecause(models.TextChoices):
    """Why nothing can be handed out just now."""

    ALL_DONE = "all_done", _("all done")
    HELD_BY_OTHERS = "held_by_others", _("held by others")
    PAUSED = "paused", _("paused")
    CAPPED = "capped", _("the cap is reached")


class DraftState(models.TextChoices):
    """What became of work that came too late to count."""

    KEPT = "kept", _("kept")
    SUBMITTED = "submitted", _("submitted")
    DISCARDED = "discarded", _("discarded")


class ImportKind(models.TextChoices):
    """What a file holds."""

    ITEMS = "items", _("items")
    ANNOTATIONS = "annotations", _("annotations")
    GOLD = "gold", _("gold")
    PREDICTIONS = "predictions", _("predictions")
    EMBEDDINGS = "embeddings", _("embeddings")


class ImportState(models.TextChoices):
    """How far an import has come."""

    WAITING = "waiting", _("waiting")
    CHECKING = "checking", _("checking")
    HELD = "held", _("held for a decision")
    PUBLISHING = "publishing", _("publishing")
    PUBLISHED = "published", _("published")
    REPEATED = "repeated", _("the same file as before")
    DISCARDED = "discarded", _("discarded")
    FAILED = "failed", _("failed")


class OnError(models.TextChoices):
    """What happens to accepted rows when others are refused."""

    PUBLISH_ACCEPTED = "publish_accepted", _("publish the accepted rows")
    HOLD = "hold", _("hold for a decision")


class JobKind(models.TextChoices):
    """Background work, by name."""

    IMPORT = "import", _("import")
    EXPORT = "export", _("export")
    REOPEN = "reopen", _("reopen items")
    REPORT = "report", _("report")
    OVERLAP = "overlap", _("adaptive overlap")
    FEATURES = "features", _("features of items")
    SELECT = "select", _("choosing what to label next")
    SCORE = "score", _("scoring a part of the items")
    TRAIN = "train", _("training a model")
    PREDICT = "predict", _("predictions of a model")
    WEAK = "weak", _("labels by functions")
    SPREAD = "spread", _("labels of near neighbours")
    ERRORS = "errors", _("looking for wrong labels")
    VALIDATE = "validate", _("checking a batch of data")
    VOID = "void", _("taking answers out of the counts")
    VOID_UNDO = "void_undo", _("putting answers back into the counts")


class JobState(models.TextChoices):
    """How far a job has come."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    WAITING = "waiting", _("waiting for its parts")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class Strategy(models.TextChoices):
    """How the next items are chosen."""

    HYBRID = "hybrid", _("margin within clusters")
    MARGIN = "margin", _("margin")
    LEAST_CONFIDENCE = "least_confidence", _("least confidence")
    ENTROPY = "entropy", _("entropy")
    CLUSTER = "cluster", _("clusters")
    REGION = "region", _("regions")
    BADGE = "badge", _("gradient embeddings")
    COMMITTEE = "committee", _("query by committee")
    DENSITY = "density", _("density-weighted")
    CORE_SET = "core_set", _("core-set")
    LABEL_AGAIN = "label_again", _("label again or label new")
    RANDOM = "random", _("random")


class Stream(models.TextChoices):
    """Where a pick comes from."""

    SELECTED = "selected", _("chosen by the strategy")
    AUDIT = "audit", _("the audit stream")
    HOLDOUT = "holdout", _("the holdout")
    RANDOM = "random", _("at random from the rest")


class RunKind(models.TextChoices):
    """What made a run's predictions."""

    OUTSIDE = "outside", _("a model from outside")
    TRAINED = "trained", _("trained here")
    WEAK = "weak", _("labeling functions")
    SPREAD = "spread", _("spread from near neighbours")


class FunctionKind(models.TextChoices):
    """What a labeling function looks at."""

    KEYWORDS = "keywords", _("keywords")
    PATTERN = "pattern", _("a regular expression")
    META = "meta", _("metadata")
    RUN = "run", _("predictions of a run")


class Doubt(models.TextChoices):
    """Why a label is likely wrong."""

    CONFIDENCE = "confidence", _("a model that did not see it says otherwise")
    DUPLICATE = "duplicate", _("a near-duplicate has another label")
    CONSENSUS = "consensus", _("people differ from each other")


class RelabelTo(models.TextChoices):
    """Who is to answer again."""

    OTHERS = "others", _("people who have not answered it")
    SAME = "same", _("the same people")
    NAMED = "named", _("named people")


class RelabelFor(models.TextChoices):
    """What a relabel queue came from."""

    LIST = "list", _("a list of items")
    GUIDELINE = "guideline", _("a guideline change")
    AGREEMENT = "agreement", _("low agreement")
    ERRORS = "errors", _("likely errors")
    UNCERTAIN = "uncertain", _("uncertain answers")
    DRIFT = "drift", _("drift")


class MappingKind(models.TextChoices):
    """What a step from raw answers to current ones does."""

    MERGE = "merge", _("merged classes")
    RENAME = "rename", _("a renamed class")
    STANDARDISE = "standardise", _("standardised texts")


class Cause(models.TextChoices):
    """Why people differed on an item."""

    AMBIGUOUS = "ambiguous", _("the item is ambiguous")
    GUIDELINE_GAP = "guideline_gap", _("the guideline says nothing about it")
    SLIP = "slip", _("a slip")
    CLASS_LIST = "class_list", _("the class list is wrong")
    BROKEN = "broken", _("the item is broken")


class InquiryState(models.TextChoices):
    """What became of a question that an annotator asked about an item."""

    OPEN = "open", _("open")
    ANSWERED = "answered", _("answered")
    RULE = "rule", _("became a rule of the guideline")


class NoticeKind(models.TextChoices):
    """What somebody is told within the app."""

    ASSIGNED = "assigned", _("items were given to you")
    PAUSED = "paused", _("your work is paused")
    RESUMED = "resumed", _("your work goes on")
    GUIDELINE = "guideline", _("the guideline changed")
    ANSWERED = "answered", _("your question was answered")
    ASKED = "asked", _("somebody asked about an item")
    REVIEW = "review", _("an item waits for your review")
    TRAINING = "training", _("a training round")
    CORRECTED = "corrected", _("an adjudicated item was answered anew")
    VOIDED = "voided", _("answers were taken out of the counts")


class PausedBecause(models.TextChoices):
    """Why somebody gets no items."""

    NOT = "", _("not paused")
    GOLD = "gold", _("accuracy on gold below the bound")
    LEAD = "lead", _("by the lead")


class TrainingState(models.TextChoices):
    """How far somebody is in a training round."""

    RUNNING = "running", _("under way")
    PASSED = "passed", _("passed")
    FAILED = "failed", _("not passed")


class Severity(models.TextChoices):
    """What a finding about a batch does."""

    NOTE = "note", _("note")
    WARN = "warn", _("warning")
    STOP = "stop", _("stop")


class Gate(models.TextChoices):
    """What the validation of a batch may do to its import."""

    OFF = "off", _("nothing")
    WARN = "warn", _("warn")
    STOP = "stop", _("hold the import for a decision")


class Scope(models.TextChoices):
    """What a token may do."""

    LABELS_READ = "labels:read", _("read labels")
    ITEMS_WRITE = "items:write", _("write items")
    ANNOTATE = "annotate", _("annotate")
    LEAD = "lead", _("lead")


class FileFormat(models.TextChoices):
    """Formats of files that come in and go out."""

    CSV = "csv", "CSV"
    JSONL = "jsonl", "JSONL"
    JSON = "json", "JSON"
    PARQUET = "parquet", "Parquet"


# Keys of the label page's own commands: a class may not take them (peers' users lost work to such clashes).
RESERVED_KEYS = frozenset("slfuh?")
# The keys given to classes that ask for none, in this order; 0 is kept for the uncertainty class.
FREE_KEYS = "123456789qwertyiopadgjkzxcvbnm"
UNCERTAIN_KEYS = "0-=" + FREE_KEYS
# Okabe and Ito's colour-blind-safe set, by position in the class list.
N_COLOURS = 8
MOST_HELD = 20
