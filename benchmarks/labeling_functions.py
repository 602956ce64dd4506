"""Labels by labeling functions: the label model beside majority, on texts whose classes are known.

    python -m benchmarks.labeling_functions [--data FOLDER] [--sets sms banking77]

The functions are written by hand from what the classes are called: for sms cues of spam and of private messages, for
banking77 one or two lists of words per intent. No label is used to make them; gold judges. The shares of the classes
are either guessed from the votes (as in a project without labels) or come from 300 labels drawn at random (as of an
audit stream). Accuracy is on items with a vote; the difference has its paired 95 % interval. A tie of the majority
scores the share of the truth among the tied; the last column breaks ties by the shares of the classes instead. FOLDER
holds sms.jsonl.gz and banking77.jsonl.gz (LABELAPP_SHARED_DATA/data/selection).
"""

import argparse
import gzip
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.numerics.dawid_skene import Model, fit_dawid_skene
from core.numerics.functions import Keywords, Pattern, Rule, Subject, votes_of
from core.numerics.results import Figure
from core.numerics.table import Floats, Ints, LabelTable
from core.numerics.weak import (
    Comparison,
    Votes,
    balance,
    compare,
    fit_label_model,
    vote_report,
    voted_balance,
    winners,
)

PARENT = Path(os.environ.get("LABELAPP_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared")
STREAM = 300
EXPLODING, LONG = "(a+)+$", 50_000
SEED = 0

SMS: list[tuple[str, Rule]] = [
    ("spam", Keywords(("free",))),
    ("spam", Keywords(("win", "won", "winner", "prize", "award", "awarded"))),
    ("spam", Keywords(("claim",))),
    ("spam", Keywords(("txt", "text"))),
    ("spam", Keywords(("call",))),
    ("spam", Pattern(r"\b\d{5,}\b")),
    ("spam", Keywords(("£",))),
    ("spam", Keywords(("urgent", "guaranteed", "cash"))),
    ("spam", Keywords(("reply", "stop", "unsubscribe"))),
    ("spam", Pattern(r"www\.|http|\.com")),
    ("spam", Pattern(r"\d+p\b|per min|/min")),
    ("spam", Keywords(("mobile", "ringtone", "tone", "nokia", "camera"))),
    ("ham", Keywords(("ok", "okay", "lol", "haha"))),
    ("ham", Keywords(("i", "my", "me"))),
    ("ham", Keywords(("love", "sorry", "miss", "dear"))),
    ("ham", Keywords(("home", "going", "come", "coming"))),
    ("ham", Keywords(("da", "lor", "wat", "ur", "dun"))),
    ("ham", Keywords(("tomorrow", "tonight", "later", "today"))),
    ("ham", Keywords(("he", "she", "him", "her"))),
]
# Words of a list are alternatives; after "&" stand those of which one must occur, too.
BANKING77 = {
    "Refund_not_showing_up": ["refund & missing|where|see|showing|show|not|yet|statement"],
    "activate_my_card": ["activate|activation|activating"],
    "age_limit": ["age|old|kids|children|child|daughter|son|years|18"],
    "apple_pay_or_google_pay": ["apple pay|google pay|apple|google|apple watch"],
    "atm_support": ["atm|atms|cash machine & which|where|what|find|accept|use|any"],
    "automatic_top_up": ["auto|automatic|automatically", "auto top|auto top - up"],
    "balance_not_updated_after_bank_transfer": ["transfer|transferred & balance|updated|update|show"],
    "balance_not_updated_after_cheque_or_cash_deposit": ["cheque|check|cash & deposit|deposited & balance|not|show|account"],
    "beneficiary_not_allowed": ["beneficiary|beneficiaries"],
    "cancel_transfer": ["cancel|reverse|stop|revert|undo & transfer|transaction|payment"],
    "card_about_to_expire": ["expire|expires|expiring|expiration|expired"],
    "card_acceptance": ["accept|accepted|accepts & where|stores|businesses|merchants|places|everywhere|anywhere"],
    "card_arrival": ["card & arrived|arrive|still|waiting|mail|received|come", "new card & yet|track|where"],
    "card_delivery_estimate": ["how long|delivery|delivered|deliver|days & card|delivery|cards"],
    "card_linking": ["link|reactivate|relink|found|linking"],
    "card_not_working": ["card & working|work|broken|works"],
    "card_payment_fee_charged": ["fee|charge|charged|extra & payment|purchase|paying|card payment|bought"],
    "card_payment_not_recognised": ["payment|purchase & recognize|recognise|make|authorize|unfamiliar|mine"],
    "card_payment_wrong_exchange_rate": ["exchange rate|rate & purchase|bought|payment|abroad|paid"],
    "card_swallowed": ["swallowed|ate|kept|stuck|eaten|took & card|machine|atm"],
    "cash_withdrawal_charge": ["withdraw|withdrawal|withdrawing|withdrawals|cash|atm & fee|charge|charged|fees|charges"],
    "cash_withdrawal_not_recognised": ["withdrawal|withdrawals|withdrew|withdrawn|cash & recognize|not make|never|someone|did not|made"],
    "change_pin": ["change|reset|new & pin"],
    "compromised_card": ["fraud|fraudulent|hacked|compromised|cloned|someone else|unauthorized & card|used|using|account"],
    "contactless_not_working": ["contactless"],
    "country_support": ["country|countries|europe|located|eu"],
    "declined_card_payment": ["declined|rejected|refused|denied & payment|purchase|card payment|store|pay|card"],
    "declined_cash_withdrawal": ["declined|denied|refused|won't let|not let & withdraw|withdrawal|cash|atm|money"],
    "declined_transfer": ["declined|rejected|refused & transfer|transfers|transferring"],
    "direct_debit_payment_not_recognised": ["direct debit"],
    "disposable_card_limits": ["disposable|virtual & many|limit|limits|maximum|per day|times|restrictions"],
    "edit_personal_details": ["name|address|details|moved|personal|information & change|update|edit|changed|new|married|modify"],
    "exchange_charge": ["exchange|exchanging|exchanges & charge|fee|cost|fees|charges|discount|price"],
    "exchange_rate": ["exchange rate|exchange rates|rates|rate & what|how|determine|get|current|your|best"],
    "exchange_via_app": ["exchange|exchanging|change|currencies|convert & app|currencies|currency|aud|gbp"],
    "extra_charge_on_statement": ["£1|£ 1|extra pound|extra & statement|charge|pound|fee|app"],
    "failed_transfer": ["transfer & fail|failed|fails|failing|not work|go through|error|didn't work"],
    "fiat_currency_support": ["currencies|currency|fiat & hold|support|what|different|supported|other|which"],
    "get_disposable_virtual_card": ["disposable & get|create|order|how|make|use|want|virtual"],
    "get_physical_card": ["pin & get|find|where|receive|set", "physical & get|pin"],
    "getting_spare_card": ["additional|second|another|spare|extra|more than one & card|cards"],
    "getting_virtual_card": ["virtual & get|order|how|want|obtain|receive"],
    "lost_or_stolen_card": ["lost|stolen|stole|missing|misplaced|lose & card|wallet|purse"],
    "lost_or_stolen_phone": ["lost|stolen|stole|missing|without|robbed|mugged & phone"],
    "order_physical_card": ["order|send|sent|get|cost|buy & physical|actual|card"],
    "passcode_forgotten": ["passcode|password|pass code|log in|login & forgot|forgotten|reset|remember|forget|app"],
    "pending_card_payment": ["pending & payment|card payment|purchase|transaction|charge|paid"],
    "pending_cash_withdrawal": ["pending & withdrawal|cash|atm|withdraw|withdrew"],
    "pending_top_up": ["top up|top - up|topped|topup & pending|yet|still|complete|how long|processing"],
    "pending_transfer": ["pending|still|complete|go through & transfer|transferred"],
    "pin_blocked": ["pin|account & blocked|unblock|too many|locked|attempts|tries|block"],
    "receiving_money": ["salary|receive money|paid in|receive|paycheck"],
    "request_refund": ["refund & how|want|get|request|item|can|need|would"],
    "reverted_card_payment?": ["reverted|returned|back|reversed|refunded|cancelled & payment|purchase|card payment|paid"],
    "supported_cards_and_currencies": ["supported|support|accept|cards|credit|debit & currencies|currency|add money|top up|which|what"],
    "terminate_account": ["delete|close|terminate|cancel|closing & account"],
    "top_up_by_bank_transfer_charge": ["transfer|sepa|swift|bank & charge|fee|fees|charges|cost|charged"],
    "top_up_by_card_charge": ["top up|top - up|topping|topped|add money & charge|fee|charged|fees|charges|cost|charging"],
    "top_up_by_cash_or_cheque": ["cash|cheque|cheques|check|checks & top up|deposit|add|top|can|how"],
    "top_up_failed": ["top up|top - up|topping|topped|topup & failed|fail|denied|not work|declined|rejected|not accepted|didn't|wouldn't|won't|not working"],
    "top_up_limits": ["top up|top - up|topping|topped & limit|limits|maximum|how much|most|limitations"],
    "top_up_reverted": ["top up|top - up|topping|topped|topup & reverted|cancelled|canceled|returned|revert|reversed|disappeared"],
    "topping_up_by_card": ["top up|top - up|topping|add money|topped & card|debit|credit & how|where|can|transfer"],
    "transaction_charged_twice": ["twice|double|duplicate|two times|same & charged|charge|payment|transaction|same|times|charges"],
    "transfer_fee_charged": ["transfer|transfers|transferring|transferred & fee|charge|charged|fees|charges|extra"],
    "transfer_into_account": ["transfer|transferring & into|from|how|in|money"],
    "transfer_not_received_by_recipient": ["transfer|transferred|sent|money & friend|recipient|receive|received|receiver|arrive|landlord|arrived|has not|hasn't"],
    "transfer_timing": ["transfer|transfers|transferring|transferred & how long|take|takes|time|days|when|china|europe"],
    "unable_to_verify_identity": ["verify|verification|identity|prove|id & unable|can't|cannot|not|won't|couldn't|problem|trouble|why isn't"],
    "verify_my_identity": ["verify|identity|verification|identification|identity check & how|what|need|documents|steps|where"],
    "verify_source_of_funds": ["source|sources|funds|money came|come from|came from & verify|source|funds|money|check"],
    "verify_top_up": ["verify|verification|code & top up|top - up|topping|card|verify"],
    "virtual_card_not_working": ["virtual|disposable & working|work|rejected|denied|declined|not"],
    "visa_or_mastercard": ["visa|mastercard|master card"],
    "why_verify_identity": ["why|required|have to|reason|necessary & identity|verify|verification|identification"],
    "wrong_amount_of_cash_received": ["wrong|less|different|requested|asked|amount|only & cash|atm|withdraw|withdrew|machine|withdrawal|dispensed"],
    "wrong_exchange_rate_for_cash_withdrawal": ["rate|exchange & withdrawal|withdrew|cash|atm|withdraw|withdrawing"],
}  # fmt: skip


def functions_of(name: str) -> list[tuple[str, Rule]]:
    """The functions of a set: class and rule."""
    if name == "sms":
        return SMS
    return [
        (intent, Keywords(_words(words), also=_words(also)))
        for intent, cues in BANKING77.items()
        for words, _, also in (cue.partition("&") for cue in cues)
    ]


def _words(listed: str) -> tuple[str, ...]:
    return tuple(word for word in listed.strip().split("|") if word)


@dataclass(frozen=True)
class Voted:
    """The votes on a set, the true class of every item, and what a stream of labels says of the classes."""

    name: str
    votes: Votes
    truth: Ints
    classes: list[str]
    stream: Ints
    seconds: float


def vote(folder: Path, name: str) -> Voted:
    """Read a set and let its functions vote."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    classes = sorted({row["gold"] for row in rows})
    code = {label: place for place, label in enumerate(classes)}
    functions = functions_of(name)
    rules, labels = [rule for _, rule in functions], np.array([code[label] for label, _ in functions])
    started = time.process_time()
    cells = np.array(
        [
            (item, function)
            for item, row in enumerate(rows)
            for function in votes_of(rules, Subject(row["data"], {}))
        ]
    )
    seconds = time.process_time() - started
    votes = Votes(cells[:, 0], cells[:, 1], labels[cells[:, 1]], len(rows), len(rules), len(classes))
    truth = np.array([code[row["gold"]] for row in rows], dtype=np.intp)
    stream = np.random.default_rng(SEED).permutation(len(rows))[:STREAM]
    return Voted(name, votes, truth, classes, stream, seconds)


@dataclass(frozen=True)
class Measured:
    """The label model beside majority under one way to know the shares of the classes."""

    shares_from: str
    compared: Comparison
    ties_by_shares: float
    iterations: int
    seconds: float


def measure(voted: Voted, shares_from: str) -> Measured:
    """Fit and judge; labels that told the shares of the classes do not judge."""
    truth = voted.truth.copy()
    shares: Floats = voted_balance(voted.votes)
    if shares_from == "stream":
        shares = balance(truth[voted.stream], len(voted.classes))
        truth[voted.stream] = -1
    started = time.process_time()
    model = fit_label_model(voted.votes, shares)
    seconds = time.process_time() - started
    patterns = voted.votes.patterns
    judged = np.flatnonzero((truth >= 0) & ~patterns.silent[patterns.of_item])
    best = winners(patterns.majority(np.arange(patterns.times.size)), shares)[patterns.of_item[judged]]
    compared = compare(model, voted.votes, truth)
    return Measured(shares_from, compared, float((best == truth[judged]).mean()), model.iterations, seconds)


def silent_about_silence(voted: Voted, kind: Model) -> float:
    """Accuracy of the model of annotators as it is for people, for whom silence says nothing."""
    votes = voted.votes
    model = fit_dawid_skene(LabelTable(votes.item, votes.function, votes.label, votes.n_classes), kind)
    return float((model.posterior.argmax(axis=1) == voted.truth[model.item]).mean())


def told(figure: Figure) -> str:
    """A figure with its interval."""
    if figure.value is None or figure.ci is None:
        return "none"
    return f"{figure.value:.3f} [{figure.ci[0]:.3f}, {figure.ci[1]:.3f}]"


def show(voted: Voted) -> None:
    """Print one set."""
    found = vote_report(voted.votes)
    print(
        f"{voted.name}: {voted.votes.n_functions} functions, {voted.votes.n_items:,} items, {len(voted.classes)} classes; "
        f"coverage {told(found.coverage)}, conflict {told(found.conflict)}; "
        f"{voted.votes.patterns.times.size:,} patterns; voting {voted.seconds:.2f} CPU-s"
    )
    print(
        "| shares from | n | label model | majority | difference | majority, ties by shares | steps | CPU-s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for shares_from in ("votes", "stream"):
        one = measure(voted, shares_from)
        compared = one.compared
        print(
            f"| {shares_from} | {compared.difference.n_items:,} | {told(compared.label_model)} | "
            f"{told(compared.majority)} | {told(compared.difference)} | {one.ties_by_shares:.3f} | "
            f"{one.iterations} | {one.seconds:.2f} |"
        )
    plain = [f"{kind.value} {silent_about_silence(voted, kind):.3f}" for kind in Model]
    print(f"The models for people, who are not silent by rule: {', '.join(plain)}\n")


def show_explosion() -> None:
    """Print how long what explodes in a backtracking matcher takes."""
    text = Subject({"text": "a" * LONG + "!"}, {})
    started = time.process_time()
    found = Pattern(EXPLODING).matches(text)
    seconds = time.process_time() - started
    print(f"{EXPLODING} on {LONG:,} characters: {found}, {1000 * seconds:.1f} CPU-ms\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table per set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=PARENT / "data" / "selection")
    parser.add_argument("--sets", nargs="*", default=["sms", "banking77"])
    given = parser.parse_args(arguments)
    show_explosion()
    for name in given.sets:
        if (given.data / f"{name}.jsonl.gz").exists():
            show(vote(given.data, name))
        else:
            print(f"{name}: not in {given.data}, left out")


if __name__ == "__main__":
    main()
