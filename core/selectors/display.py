"""How an item is shown: its data fields as blocks, by the project's display settings."""

from typing import Any
from urllib.parse import quote

from core.models import Item, Project

Block = dict[str, Any]


def blocks_of(project: Project, data: dict[str, Any]) -> list[Block]:
    """The blocks that the label page draws, in order.

    Kinds: ``text`` {label, value}, ``image`` {label, url, alt}, ``pair`` {a, b: {label, value}},
    ``table`` {rows: [[field, value], …]}. Fields that the display does not name are hidden when it names
    any, so that a model's score or a gold answer in the data never reaches an annotator by accident.
    """
    display = project.display or _guess(data)
    blocks: list[Block] = []
    pair: list[Block] = []
    rows: list[list[str]] = []
    for field, kind in display.items():
        if field not in data or kind == "hidden":
            continue
        value = data[field]
        if kind == "image":
            blocks.append(
                {"kind": "image", "label": field, "url": asset_url(project, str(value)), "alt": field}
            )
        elif kind == "pair":
            pair.append({"label": field, "value": as_text(value)})
        elif kind == "table":
            rows.append([field, as_text(value)])
        else:
            blocks.append({"kind": "text", "label": field, "value": as_text(value)})
    if len(pair) == 2:  # noqa: PLR2004 -- two texts side by side
        blocks.append({"kind": "pair", "a": pair[0], "b": pair[1]})
    else:
        blocks.extend({"kind": "text", **part} for part in pair)
    if rows:
        blocks.append({"kind": "table", "rows": rows})
    return blocks


def _guess(data: dict[str, Any]) -> dict[str, str]:
    """Without settings: one field is a text, several short ones are a table, long ones are texts."""
    if len(data) == 1:
        return dict.fromkeys(data, "text")
    if all(isinstance(value, str) for value in data.values()):
        return dict.fromkeys(data, "text")
    return dict.fromkeys(data, "table")


def as_text(value: Any) -> str:
    """A data value in words."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(as_text(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {as_text(part)}" for key, part in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def asset_url(project: Project, name: str) -> str:
    """Where an uploaded image is served. The name is quoted whole: it can never leave the project."""
    return f"/api/v1/projects/{project.slug}/assets/{quote(name, safe='')}"


def item_payload(project: Project, item: Item) -> dict[str, Any]:
    """An item as an annotator may see it: never its audit part, counts, or others' answers."""
    return {
        "id": item.external_id,
        "version": item.version,
        "display": blocks_of(project, item.data),
        "meta": item.meta,
    }


EXCERPT = 160


def excerpt_of(project: Project, item: Item) -> str:
    """The first words of what annotators see of an item."""
    for block in blocks_of(project, item.data):
        if block["kind"] == "image":
            return str(item.data[block["label"]])
        text = block["value"] if block["kind"] == "text" else ""
        if block["kind"] == "pair":
            text = f"{block['a']['value']} / {block['b']['value']}"
        if block["kind"] == "table":
            text = ", ".join(value for _field, value in block["rows"])
        if text:
            return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"
    return ""
