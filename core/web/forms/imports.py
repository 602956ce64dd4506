"""Forms of the import pages: the file, and what its columns are."""

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import FileFormat, ImportKind

MOST_COLUMNS = 200
REQUIRED: dict[str, tuple[str, ...]] = {
    ImportKind.ANNOTATIONS: ("item_id", "annotator", "question", "label"),
    ImportKind.GOLD: ("item_id", "question", "label"),
    ImportKind.PREDICTIONS: ("item_id", "question", "label"),
    ImportKind.EMBEDDINGS: ("item_id", "embedding"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {
    ImportKind.ANNOTATIONS: ("created_at", "elapsed_ms", "repeat", "pass"),
    ImportKind.GOLD: (),
    ImportKind.PREDICTIONS: (),
    ImportKind.EMBEDDINGS: (),
}
KIND_HINTS = {
    ImportKind.ITEMS: _("items: what people will label"),
    ImportKind.ANNOTATIONS: _("annotations: answers that people gave elsewhere"),
    ImportKind.GOLD: _("gold: the known true answer of some items"),
    ImportKind.PREDICTIONS: _("predictions: what a model answers, to be compared with people"),
    ImportKind.EMBEDDINGS: _("embeddings: a vector for each item, to choose by what to label next"),
}
ENCODINGS = [
    ("", _("found by itself (UTF-8, or by its byte order mark)")),
    ("cp1252", _("Windows-1252 (Western Europe)")),
    ("cp1250", _("Windows-1250 (Central Europe)")),
    ("cp1251", _("Windows-1251 (Cyrillic)")),
    ("shift_jis", "Shift JIS"),
    ("gb18030", "GB 18030"),
    ("euc_kr", "EUC-KR"),
]
DATA, META, ID, EMBEDDING = "data", "meta", "id", "embedding"
ROLES = [
    (DATA, _("data, to be shown")),
    (META, _("metadata, to filter by")),
    (ID, _("the item's id")),
    (EMBEDDING, _("embedding, not shown")),
]


@dataclass(frozen=True, slots=True)
class FilePreview:
    """The first rows of a file as the page shows them.

    ``mapping`` is a guess: our name to the file's. ``nested``: rows like {"id", "data": {…}, "meta": {…}},
    whose parts need no mapping. ``problems`` are rows that will be refused, as (line, sentence).
    """

    format: str
    encoding: str | None
    delimiter: str | None
    columns: list[str]
    rows: list[list[str]]
    problems: list[tuple[int, str]]
    mapping: dict[str, str]
    nested: bool


def file_preview(found: dict[str, Any]) -> FilePreview:
    """What pipelines.preview found, as text and in the order of the columns."""
    columns: list[str] = found["columns"]
    return FilePreview(
        format=found["format"],
        encoding=found["encoding"],
        delimiter=found["delimiter"],
        columns=columns,
        rows=[[_cell(row.get(name)) for name in columns] for row in found["rows"]],
        problems=[(error["line"], error["detail"]) for error in found["errors"]],
        mapping=found["mapping"],
        nested=any(isinstance(row.get("data"), dict) for row in found["rows"]),
    )


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


class UploadForm(forms.Form):
    """The file and what it holds."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, JSONL, JSON or Parquet, plain or gzip."),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet,.gz"}),
    )
    kind = forms.ChoiceField(
        label=_("What it holds"),
        choices=list(KIND_HINTS.items()),
        initial=ImportKind.ITEMS,
        widget=forms.RadioSelect,
    )
    run = forms.CharField(
        label=_("Name of the run"),
        max_length=120,
        required=False,
        help_text=_(
            "For predictions: which model and version made them. The same name again replaces what that run said."
        ),
    )
    format = forms.ChoiceField(
        label=_("Format"), choices=[("", _("found by itself")), *FileFormat.choices], required=False
    )
    encoding = forms.ChoiceField(label=_("Encoding"), choices=ENCODINGS, required=False)

    def clean(self) -> dict[str, Any]:
        """Predictions need the name of their run; other kinds have none."""
        fields = self.cleaned_data
        if fields.get("kind") != ImportKind.PREDICTIONS:
            fields["run"] = ""
        elif not fields.get("run") and "run" not in self.errors:
            self.add_error("run", _("Name the run that these predictions come from."))
        return fields


class ColumnsForm(forms.Form):
    """What each column of the file is. For items a role per column, else a column per name of ours."""

    def __init__(self, kind: str, preview: FilePreview, data: Any = None) -> None:
        super().__init__(data)
        self.kind = kind
        self.preview = preview
        self.columns = preview.columns[:MOST_COLUMNS]
        if preview.nested:
            return
        if kind == ImportKind.ITEMS:
            self._add_roles()
        else:
            self._add_targets()

    def _add_roles(self) -> None:
        guessed = {source: target for target, source in self.preview.mapping.items()}
        for number, column in enumerate(self.columns):
            role = guessed.get(column, META if column.startswith("meta.") else DATA)
            self.fields[f"role-{number}"] = forms.ChoiceField(label=column, choices=ROLES, initial=role)

    def _add_targets(self) -> None:
        columns = [(str(number), column) for number, column in enumerate(self.columns)]
        for target in (*REQUIRED[self.kind], *OPTIONAL[self.kind]):
            needed = target in REQUIRED[self.kind]
            source = self.preview.mapping.get(target)
            self.fields[f"target-{target}"] = forms.ChoiceField(
                label=target,
                choices=[("", _("choose a column") if needed else _("not in the file")), *columns],
                required=needed,
                initial=str(self.columns.index(source)) if source in self.columns else "",
            )

    def clean(self) -> dict[str, Any]:
        """One id, one embedding, and no column in two places."""
        fields = self.cleaned_data
        roles = [role for name, role in fields.items() if name.startswith("role-")]
        if roles.count(ID) > 1:
            raise forms.ValidationError(_("Only one column can be the item's id."))
        if roles.count(EMBEDDING) > 1:
            raise forms.ValidationError(_("Only one column can be the embedding."))
        places = [place for name, place in fields.items() if name.startswith("target-") and place]
        if len(set(places)) < len(places):
            raise forms.ValidationError(_("One column cannot be two things."))
        return fields

    def mapping(self) -> dict[str, str]:
        """The ``columns`` of the import: our name to the file's, where they differ. When the form is valid."""
        if self.kind != ImportKind.ITEMS:
            return {
                name.removeprefix("target-"): self.columns[int(place)]
                for name, place in self.cleaned_data.items()
                if place
            }
        renames: dict[str, str] = {}
        for number, column in enumerate(self.columns):
            target = _target(column, self.cleaned_data.get(f"role-{number}", ""))
            if target != column:
                renames[target] = column
        return renames


def _target(column: str, role: str) -> str:
    """What a column of items becomes.

    A column called id or embedding that is neither must get another name.
    """
    if role in {ID, EMBEDDING}:
        return role
    if role == META:
        return column if column.startswith("meta.") else f"meta.{column}"
    if role == DATA:
        bare = column.removeprefix("meta.")
        return f"{bare}_in_file" if bare in {ID, EMBEDDING} else bare
    return column


class ImagesForm(forms.Form):
    """A zip of images."""

    file = forms.FileField(
        label=_("Zip file of images"),
        help_text=_(
            "PNG, JPEG, GIF or WebP. An item shows an image when a data field holds the image's name in the zip."
        ),
        widget=forms.FileInput(attrs={"accept": ".zip"}),
    )
