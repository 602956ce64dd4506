"""Selection in sentences: the headline, what it saved, when more labels stop paying, why an item was picked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.choices import RunKind, Strategy, Stream
from core.templatetags.charts import DASH, decimal, percent, percent_interval

Json = dict[str, Any]

COLD_START = "cold_start"
WORTH = 0.005  # of macro-F1 per 100 labels: less is hardly worth them
USED: Mapping[str, str | Promise] = {
    **{strategy.value: strategy.label for strategy in Strategy},
    COLD_START: gettext_lazy("clusters, densest first (there is no model yet)"),
}
STREAMS: Mapping[str, str | Promise] = {
    Stream.SELECTED: gettext_lazy("chosen by the strategy"),
    Stream.AUDIT: gettext_lazy("by chance, from the audit stream"),
    Stream.HOLDOUT: gettext_lazy("from the holdout"),
    Stream.RANDOM: gettext_lazy("by chance, from the rest"),
}
# What a pick's score is, by what was done.
SCORES: Mapping[str, str | Promise] = {
    COLD_START: gettext_lazy("how like its 20 nearest items it is on average (cosine similarity)"),
    Strategy.HYBRID: gettext_lazy(
        "1 less the distance between the shares of the two likeliest classes; 1 is a tie"
    ),
    Strategy.MARGIN: gettext_lazy(
        "1 less the distance between the shares of the two likeliest classes; 1 is a tie"
    ),
    Strategy.LEAST_CONFIDENCE: gettext_lazy("1 less the share of the likeliest class"),
    Strategy.ENTROPY: gettext_lazy("how evenly the classes are likely (Shannon's entropy); 1 is all alike"),
    Strategy.CLUSTER: gettext_lazy("0 for every item, for no model is asked"),
    Strategy.REGION: gettext_lazy(
        "as for margin, 1 being a tie, whichever strategy had its turn in the item's region"
    ),
    Strategy.BADGE: gettext_lazy(
        "the squared length of the item's gradient: how much its label would change the model"
    ),
    Strategy.COMMITTEE: gettext_lazy(
        "how far five models differ (Jensen-Shannon divergence, in nats); 0 is agreement"
    ),
    Strategy.DENSITY: gettext_lazy("the score of margin times the mean similarity to the pool"),
    Strategy.CORE_SET: gettext_lazy(
        "the squared distance to the nearest item that has a label or was chosen before it"
    ),
    Strategy.RANDOM: gettext_lazy("a random number, by the seed and the item's id"),
    Strategy.LABEL_AGAIN: gettext_lazy(
        "how likely its label is wrong as it stands: 1 less the label's quality"
    ),
}
RUN_KINDS: Mapping[str, str | Promise] = {kind.value: kind.label for kind in RunKind}
STAGES = {
    "features": gettext_lazy("reading the items"),
    "train": gettext_lazy("training"),
    "score": gettext_lazy("scoring"),
    "choose": gettext_lazy("choosing"),
}


@dataclass(frozen=True)
class StrategyWords:
    """A strategy for people: what it does, and what was measured of it.

    ``gains`` are differences to random in F1 points, the mean over 50 to 1,500 labels, on each set of MEASURED_ON, with
    half of their 95 % intervals: the first table of docs/selection.md. None where nothing was measured.
    """

    about: Promise
    gains: tuple[tuple[float, float], ...] | None
    warning: Promise | None = None


MEASURED_ON = ("sms", "banking77", "digits")
# A strategy that was worse than random on one of these sets, or on one of seven in simulations outside this program,
# has a warning.
STRATEGIES: Mapping[Strategy, StrategyWords] = {
    Strategy.HYBRID: StrategyWords(
        gettext_lazy(
            "Items between two classes, spread over clusters so that a batch is not many times the same."
        ),
        ((7.1, 1.2), (6.0, 1.2), (1.1, 0.3)),
    ),
    Strategy.MARGIN: StrategyWords(
        gettext_lazy("Items for which the two likeliest classes are nearly as likely."),
        ((7.1, 1.1), (4.9, 0.8), (1.5, 0.4)),
    ),
    Strategy.BADGE: StrategyWords(
        gettext_lazy("Items that would change the model most, and differently from each other."),
        ((5.5, 1.2), (2.4, 1.4), (0.7, 0.6)),
    ),
    Strategy.REGION: StrategyWords(
        gettext_lazy(
            "The space is cut into regions; each gets its share, by several strategies in turn. In simulations elsewhere "
            "it was 0.4 points below random on one set of seven, no further than chance explains."
        ),
        ((5.6, 1.2), (1.7, 0.9), (1.0, 0.2)),
    ),
    Strategy.LABEL_AGAIN: StrategyWords(
        gettext_lazy(
            "Weighs a second answer on a doubtful label against a new item. In simulations elsewhere, at an equal number "
            "of answers, it chose a new item nearly always, and was not better than margin."
        ),
        None,
    ),
    Strategy.RANDOM: StrategyWords(
        gettext_lazy("Every item is as likely as any other: what the others are measured against."), ()
    ),
    Strategy.CLUSTER: StrategyWords(
        gettext_lazy("One item of each of as many clusters as the batch has items; no model is asked."),
        ((1.8, 0.7), (1.0, 0.5), (0.3, 0.3)),
        gettext_lazy(
            "Worse than random on a set of many classes in simulations elsewhere: it is blind to rare and to fine classes."
        ),
    ),
    Strategy.LEAST_CONFIDENCE: StrategyWords(
        gettext_lazy("Items whose likeliest class is least likely."),
        ((7.1, 1.1), (1.9, 0.5), (1.2, 0.5)),
        gettext_lazy(
            "Worse than random with many classes in simulations elsewhere; the same as margin with two."
        ),
    ),
    Strategy.ENTROPY: StrategyWords(
        gettext_lazy("Items whose classes are most evenly likely."),
        ((7.1, 1.1), (0.0, 1.5), (0.5, 0.3)),
        gettext_lazy(
            "No better than random on banking77, and worse with many classes in simulations elsewhere; the same as "
            "margin with two."
        ),
    ),
    Strategy.CORE_SET: StrategyWords(
        gettext_lazy("Items far from everything that has a label."),
        ((0.1, 1.3), (1.5, 0.5), (0.6, 0.2)),
        gettext_lazy(
            "No better than random on sms, and worse on two sets of texts in simulations elsewhere: it picks oddities."
        ),
    ),
    Strategy.COMMITTEE: StrategyWords(
        gettext_lazy("Items on which several models differ."),
        ((5.3, 1.0), (-11.0, 0.8), (0.1, 0.3)),
        gettext_lazy(
            "Much worse than random with many classes: models of few labels differ everywhere. It trains six of them "
            "a round."
        ),
    ),
    Strategy.DENSITY: StrategyWords(
        gettext_lazy("Doubtful items in the midst of many others."),
        ((7.1, 1.1), (-4.3, 1.2), (1.1, 0.2)),
        gettext_lazy("Much worse than random with many classes: it picks near-duplicates."),
    ),
}


def measured(words: StrategyWords) -> str:
    """What was measured, in one sentence."""
    if words.gains is None:
        return _("Not measured on these sets.")
    if not words.gains:
        return _("The yardstick.")
    each = [
        _("%(gain)s ± %(half)s on %(set)s") % {"gain": signed(gain), "half": decimal(half, 1), "set": name}
        for name, (gain, half) in zip(MEASURED_ON, words.gains, strict=True)
    ]
    return _("F1 points against random: %(each)s.") % {"each": ", ".join(each)}


def signed(value: float) -> str:
    """A difference with one place and its sign."""
    text = decimal(value, 1)
    return text if value <= 0 else f"+{text}"


# --- The page -----------------------------------------------------------------------------------------


def spread(figure: Json) -> str:
    """A share with its interval."""
    ends = percent_interval(figure)
    return f"{percent(figure['value'])} ({ends})" if ends else percent(figure["value"])


@dataclass(frozen=True)
class Standing:
    """What the project has beside the report: any items, all of them labelled, an audit slice that is wanted."""

    items: bool
    everything: bool
    sliced: bool


def headline(report: Json, standing: Standing) -> str:
    """What selection does now, and how good the model is."""
    return f"{_now(report, standing)} {_quality(report)}".strip()


def _now(report: Json, standing: Standing) -> str:
    if standing.everything:
        return _("Everything is labelled: nothing is left to choose.")
    if not report["on"]:
        return _off(report)
    if report["chosen_for"] != report["question"]:
        return _("On: items are chosen for another question, “%(key)s”.") % {"key": report["chosen_for"]}
    if not standing.items:
        return _("On, but there are no items to choose from.")
    applied = [row for row in report["rounds"] if row["applied_at"]]
    if not applied:
        return _("On: the first items are yet to be chosen. Until then items come at random.")
    by = applied[0]["used"]
    waiting = report["waiting"]
    n = sum(waiting.values())
    if not n:
        return _("On: all chosen items are handed out, and others follow at random until the next round.")
    chosen, random = waiting[Stream.SELECTED], n - waiting[Stream.SELECTED]
    parts = []
    if chosen:
        words = (
            ngettext(
                "%(n)s item that stands for many others",
                "%(n)s items that stand for many others",
                chosen,
            )
            if by == COLD_START
            else ngettext("%(n)s item chosen by %(strategy)s", "%(n)s items chosen by %(strategy)s", chosen)
        )
        parts.append(words % {"n": f"{chosen:,}", "strategy": USED.get(by, by)})
    if random:
        words = ngettext("%(n)s taken at random", "%(n)s taken at random", random)
        parts.append(words % {"n": f"{random:,}"})
    both = _(" and ").join(parts)
    return ngettext("On: %(items)s waits.", "On: %(items)s wait.", n) % {"items": both}


def _off(report: Json) -> str:
    """Off; a round that a script asked for is in the queue all the same."""
    n = sum(report["waiting"].values())
    if not n:
        return _("Selection is off: items are handed out at random.")
    queued = [row["number"] for row in report["rounds"] if row["applied_at"] and not row["ended_at"]]
    if not queued:  # it was made for another question
        words = ngettext(
            "Selection is off, but %(n)s pick is still handed out first. The others come at random.",
            "Selection is off, but %(n)s picks are still handed out first. The others come at random.",
            n,
        )
        return words % {"n": f"{n:,}"}
    words = ngettext(
        "Selection is off, but %(n)s pick of round %(round)s is still handed out first. The others come at random.",
        "Selection is off, but %(n)s picks of round %(round)s are still handed out first. The others come at random.",
        n,
    )
    return words % {"n": f"{n:,}", "round": queued[0]}


def _quality(report: Json) -> str:
    model = report["model"]
    if model is None:
        applied = any(row["applied_at"] for row in report["rounds"])
        return (
            _("There is no model yet: it takes labels of two classes, on items outside the holdout.")
            if applied
            else ""
        )
    labels = ngettext("%(n)s label", "%(n)s labels", model["n_labels"]) % {"n": f"{model['n_labels']:,}"}
    figure = model["accuracy"]
    if not report["holdout"]["n"]:
        return _("A model has learnt from %(labels)s; how good it is cannot be told without a holdout.") % {
            "labels": labels
        }
    if figure["value"] is None:
        return _("A model has learnt from %(labels)s; how good it is cannot be told yet.") % {
            "labels": labels
        }
    return _("After %(labels)s the model is right on %(share)s of the holdout.") % {
        "labels": labels,
        "share": spread(figure),
    }


def lead(report: Json, standing: Standing) -> str:
    """What a reader should know first: that all is done, the holdout is not labelled yet, else what was saved."""
    model, holdout = report["model"], report["holdout"]
    if standing.everything:
        said = _("Export the labels, or import more items to go on.")
        return f"{said} {saved(report)}" if model is not None and report["random"] else said
    if model is None:
        return ""
    if not holdout["n"]:
        return no_slice(standing)
    if holdout["labelled"] < holdout["n"]:
        return _(
            "%(labelled)s of %(n)s items of the holdout have a label; the interval narrows with each."
        ) % {
            "labelled": f"{holdout['labelled']:,}",
            "n": f"{holdout['n']:,}",
        }
    return saved(report)


def no_slice(standing: Standing) -> str:
    """Nothing was set aside when the items were imported."""
    if not standing.sliced:
        return _(
            "This project has no audit slice, so how good the model is cannot be estimated without bias."
        )
    return _(
        "There are too few items for an audit slice, so how good the model is cannot be estimated without bias."
    )


def no_worker(*, waits: bool) -> str:
    """What it means that no worker is running, and how there will be one; ``waits``: a round has been asked for."""
    said = [_("No worker is running, so nothing new is chosen.")]
    if waits:
        said.append(_("The round waits for one."))
    said.append(_("Labeling goes on with what is in the queue, and at random after that."))
    said.append(_("Start one with “make run” or “celery -A labelapp worker -B”; it begins by itself then."))
    return " ".join(said)


def macro_over(model: Json) -> str:
    """How many classes the macro-F1 is the mean of: those that somebody gave or the model said on the holdout."""
    there = sum(1 for row in model["per_class"] if row["n"] or row["n_predicted"])
    return ngettext(
        "over %(n)s of %(all)s class", "over %(n)s of %(all)s classes", len(model["per_class"])
    ) % {
        "n": f"{there:,}",
        "all": f"{len(model['per_class']):,}",
    }


FIELDS: Mapping[str, Promise] = {
    "texts": gettext_lazy("the words of %(fields)s"),
    "numbers": gettext_lazy("the numbers of %(fields)s"),
    "categories": gettext_lazy("the categories of %(fields)s"),
}


def features(spec: Mapping[str, Any], n_vectors: int, n_items: int) -> str:
    """What models and clusters read of an item: ``spec`` as FeatureSet keeps it, and why brought vectors are not used.

    ``n_vectors`` of ``n_items`` have a vector; they are used where nearly all have one.
    """
    if spec.get("n_vector"):
        return _("Features: the vectors that were brought, of %(n)s numbers each, and nothing else.") % {
            "n": f"{spec['n_vector']:,}"
        }
    read = []
    for kind, words in FIELDS.items():
        names = spec.get(kind) or []
        if names:
            read.append(words % {"fields": ", ".join(f"“{name}”" for name in names)})
    if read and spec.get("characters"):
        read[0] = _("%(words)s, and their runs of characters") % {"words": read[0]}
    if spec.get("image"):
        read.append(_("small descriptors of the pictures of “%(field)s”") % {"field": spec["image"]})
    said = _("Features: %(read)s.") % {"read": "; ".join(read) or _("nothing that can be read")}
    if not n_vectors:
        return said
    from core.pipelines.features import MOST_HAVE  # noqa: PLC0415 -- it imports what reads pictures

    values = {"n": f"{n_vectors:,}", "all": f"{n_items:,}", "share": percent(MOST_HAVE)}
    if n_vectors >= MOST_HAVE * n_items:
        why = (
            _("Vectors were brought for %(n)s of %(all)s items: the next round reads them instead.") % values
        )
    else:
        why = (
            _(
                "Vectors were brought for %(n)s of %(all)s items only, and are not used: it takes %(share)s, for items "
                "with and without one cannot be compared."
            )
            % values
        )
    return f"{said} {why}"


def curves(report: Json) -> list[Json]:
    """The two pictures of the learning curve: what is drawn, its title, and its text."""
    titles = {
        "accuracy": _("How often the model is right, against labels"),
        "macro_f1": _("Macro-F1 of the model, against labels"),
    }
    points, fit = report["curve"]["points"], report["curve"]["fit"]
    return [
        {
            "key": measure,
            "title": title,
            "points": [{**point, "figure": point[measure]} for point in points],
            "fit": fit[measure],
            "random": _by_chance(report, measure),
            "summary": _curve_summary(title, points, measure),
            "words": _curve_words(points),
        }
        for measure, title in titles.items()
    ]


def _by_chance(report: Json, measure: str) -> list[Json]:
    """Models of labels by chance as a line with a band."""
    points = (report["random"] or {}).get("points", [])
    told = [(point["n"], point[measure]) for point in points if point[measure]["value"] is not None]
    ends = [(n, figure["value"], figure["ci"] or (figure["value"],) * 2) for n, figure in told]
    return [{"n": n, "value": value, "low": low, "high": high} for n, value, (low, high) in ends]


def _curve_summary(title: str, points: Sequence[Json], measure: str) -> str:
    told = [point for point in points if point[measure]["value"] is not None]
    if not told:
        return _("%(title)s: nothing to draw yet.") % {"title": title}
    first, last = told[0], told[-1]
    return _("%(title)s: from %(low)s with %(few)s labels to %(high)s with %(many)s.") % {
        "title": title,
        "low": spread(first[measure]),
        "few": f"{first['n']:,}",
        "high": spread(last[measure]),
        "many": f"{last['n']:,}",
    }


def _curve_words(points: Sequence[Json]) -> str:
    n_items = points[-1]["accuracy"]["n_items"] if points else 0
    models = ngettext("%(n)s model", "%(n)s models", len(points)) % {"n": f"{len(points):,}"}
    items = ngettext("%(n)s labelled item of the holdout", "%(n)s labelled items of the holdout", n_items)
    return _("%(models)s on the same %(items)s") % {"models": models, "items": items % {"n": f"{n_items:,}"}}


def saved(report: Json) -> str:
    """What labels by chance would have cost for the quality of the round in which that was estimated last."""
    return f"{_saved(report)} {_saved_when(report)}".strip()


def _saved_when(report: Json) -> str:
    """Which round the estimate is of, where that is not the newest one."""
    found = report["random"] or {}
    number, newest = found.get("round"), max((row["number"] for row in report.get("rounds", [])), default=0)
    if number is None or number >= newest:
        return ""
    return ngettext(
        "This is as of round %(round)s, %(n)s label.",
        "This is as of round %(round)s, %(n)s labels.",
        found["n_labels"],
    ) % {"round": number, "n": f"{found['n_labels']:,}"}


def _saved(report: Json) -> str:
    found = report["random"]
    cost = None if found is None else found["macro_f1"]
    if found is None or cost is None or cost["reach"] == "too_few":
        return _("Cannot tell yet: it takes more labels that came by chance, and labels on the holdout.")
    n = found["n_labels"]
    if cost["reach"] == "beyond":
        return _(
            "Labels by chance would have cost much more than the %(n)s that were needed: more than twenty times the "
            "%(most)s by chance that there are, and nobody can say how many from so few."
        ) % {"n": f"{n:,}", "most": f"{cost['most']:,}"}
    values = {
        "n": f"{n:,}",
        "cost": f"{_about(cost['value']):,}",
        "band": _band(cost["low"], cost["high"]),
        "saved": f"{_about(abs(cost['value'] - n)):,}",
    }
    if cost["low"] is not None and cost["low"] > n:
        return (
            _(
                "About %(saved)s labels were saved: by chance it would have taken about %(cost)s (%(band)s) to be as good "
                "as with these %(n)s."
            )
            % values
        )
    if cost["high"] is not None and cost["high"] < n:
        return (
            _(
                "Nothing was saved so far: by chance about %(cost)s labels (%(band)s) would do as well as these %(n)s. Try "
                "another strategy, or random."
            )
            % values
        )
    return (
        _(
            "Cannot tell yet: by chance it would have taken about %(cost)s labels (%(band)s) to be as good as with "
            "these %(n)s."
        )
        % values
    )


def saved_how(report: Json) -> str:
    """How the estimate of what chance would have cost was made."""
    found = report["random"]
    if found is None or found["macro_f1"]["reach"] == "too_few":
        return ""
    how = {
        "interpolated": _("within what was measured"),
        "extrapolated": _("by going on beyond what was measured"),
        "beyond": _("beyond reach"),
    }[found["macro_f1"]["reach"]]
    return _(
        "An estimate: models were trained on parts of the %(chance)s labels that came by chance, and measured by "
        "macro-F1 on the same %(holdout)s items of the holdout; %(how)s. The labels of the holdout are spent either way."
    ) % {"chance": f"{found['n_chance']:,}", "holdout": f"{found['n_holdout']:,}", "how": how}


def _about(value: float) -> int:
    """A number as one says it: two digits."""
    size = 10 ** max(len(str(int(value))) - 2, 0)
    return int(round(value / size) * size)


def _band(low: float | None, high: float | None) -> str:
    first = f"{_about(low):,}" if low is not None else "?"
    return _("%(low)s or more") % {"low": first} if high is None else f"{first}{DASH}{_about(high):,}"


def stops(report: Json) -> bool:
    """Whether both hints say that more labels hardly pay."""
    found = report["stop"]
    return bool(found and found["stable"] and _small(found["gain"]["macro_f1"]))


def _small(gain: Json) -> bool:
    return gain["ci"] is not None and gain["ci"][1] < WORTH


def stop(report: Json) -> list[str]:
    """Whether more labels still pay: a hint, from two sides."""
    found = report["stop"]
    if found is None:
        return []
    said = [_rest(found), _gain(found["gain"]["macro_f1"])]
    if stops(report):
        said.insert(0, _("Hardly. Both signs say so:"))
    return said


def _rest(found: Json) -> str:
    last = found["kappas"][-1] if found["kappas"] else None
    values = {
        "running": found["running"],
        "wanted": found["wanted"],
        "kappa": decimal(last),
        "threshold": decimal(found["threshold"]),
    }
    if last is None:
        return _("Whether predictions have come to rest shows from the second model on.")
    if found["stable"]:
        return (
            _(
                "Predictions have come to rest: %(running)s rounds running changed hardly any (kappa %(kappa)s, at "
                "least %(threshold)s)."
            )
            % values
        )
    if last >= found["threshold"]:
        return (
            _(
                "Predictions begin to rest: kappa with the model of 50 labels or more before is %(kappa)s. %(wanted)s rounds running at "
                "%(threshold)s or more would be a sign to stop; so far it is %(running)s."
            )
            % values
        )
    return (
        _(
            "Predictions still change: kappa with the model of 50 labels or more before is %(kappa)s; %(wanted)s rounds running at "
            "%(threshold)s or more would be a sign to stop."
        )
        % values
    )


def _gain(gain: Json) -> str:
    if gain["value"] is None:
        return _(
            "What more labels would bring cannot be told yet: it takes four models and twenty labels on the holdout."
        )
    low, high = gain["ci"] or (gain["value"],) * 2
    return _("100 more labels would add about %(gain)s points of macro-F1 (%(low)s to %(high)s).") % {
        "gain": decimal(100 * gain["value"], 1),
        "low": decimal(100 * low, 1),
        "high": decimal(100 * high, 1),
    }


def naive_rows(report: Json) -> list[Json]:
    """The estimate on the holdout beside the one on labels that were chosen; nothing without the second."""
    model = report["model"]
    if model is None or not model["naive"] or model["naive"]["value"] is None:
        return []
    if model["accuracy"]["value"] is None:
        return []
    return [
        {"name": _("On the holdout"), "figure": model["accuracy"]},
        {"name": _("On its own labels"), "figure": model["naive"]},
    ]


def naive(report: Json) -> str:
    """How far the estimate on chosen labels is off."""
    rows = naive_rows(report)
    if not rows:
        return ""
    honest, own = (row["figure"] for row in rows)
    points = round(100 * (own["value"] - honest["value"]))
    if points == 0:
        return _(
            "Cross-validated on the labels that it learnt from, the model happens to look as good as it is. Those items "
            "were chosen and are not like the others, so that is luck."
        )
    words = (
        ngettext("%(n)d point too low", "%(n)d points too low", -points) % {"n": -points}
        if points < 0
        else ngettext("%(n)d point too high", "%(n)d points too high", points) % {"n": points}
    )
    return _(
        "Cross-validated on the labels that it learnt from, the model seems right on %(own)s: %(off)s. Those items were "
        "chosen and are not like the others."
    ) % {"own": spread(own), "off": words}


# --- One pick -----------------------------------------------------------------------------------------


def pick_reason(stream: str, reason: Mapping[str, Any]) -> str:
    """Why an item was picked, in one or two sentences."""
    if stream == Stream.AUDIT:
        return _("By chance, from the audit stream: labels of such items tell how good model and people are.")
    if stream == Stream.HOLDOUT:
        return _("From the holdout: its label measures the model and never trains it.")
    if stream == Stream.RANDOM:
        return _("By chance, from all that were left.")
    again = (
        _("It has a label already, and one more answer is worth more than a new item.")
        if reason.get("again")
        else ""
    )
    return " ".join(filter(None, (again, _doubt(reason), _place(reason)))) or _("By the strategy's score.")


def _doubt(reason: Mapping[str, Any]) -> str:
    """The classes between which the model hesitates."""
    first, second = reason.get("first"), reason.get("second")
    if not first:
        return _("There was no model yet.") if reason.get("why") == COLD_START else ""
    if second:
        return _("The model hesitates between %(first)s (%(p)s) and %(second)s (%(q)s).") % {
            "first": first,
            "p": decimal(reason.get("p_first")),
            "second": second,
            "q": decimal(reason.get("p_second")),
        }
    return _("The model would say %(first)s (%(p)s).") % {"first": first, "p": decimal(reason.get("p_first"))}


def _place(reason: Mapping[str, Any]) -> str:
    """How many others are like it."""
    n = reason.get("cluster_size") or 0
    if n <= 1:
        return ""
    return _("It stands for %(n)s alike.") % {"n": f"{n:,}"}


# --- Models ------------------------------------------------------------------------------------------


def not_offered(result: Mapping[str, Any]) -> str:
    """Why labels of near neighbours are not offered."""
    why = {
        "worse": _("they are right less often than a trained model"),
        "cannot_tell": _("whether they are as good as a trained model cannot be told from so few labels"),
        "too_few_labels": _("there are too few labels to compare them with a trained model"),
    }
    told = why.get(result.get("why", ""), "")
    figure = result.get("difference") or {}
    if figure.get("value") is not None:
        points = decimal(100 * figure["value"], 1)
        told = _("%(why)s (%(points)s points of accuracy)") % {"why": told, "points": points}
    return _("Labels of near neighbours are not offered: %(why)s.") % {"why": told}
