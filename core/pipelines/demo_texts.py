"""The texts of the small demo project: messages to a public library, written for it.

Each row is a message and the share of readers who take it for each intent; what is left of 1 cannot tell.
Rooms and events were two intents, until it showed that people cannot tell them apart.
"""

INTENTS: dict[str, str] = {
    "borrow or renew": "Wants to take something out, keep it longer, or reserve it.",
    "opening hours": "Asks when the house, a floor or a service is open.",
    "fees": "Asks about, pays or disputes a charge.",
    "rooms": "Books a room, or asks for a place to meet.",
    "problem": "Tells of something that is broken, missing or went wrong.",
    "events": "Asks about a reading, course or group.",
}
UNSURE = "cannot tell"

Shares = dict[str, float]
B, O, F, R, P, V = INTENTS  # noqa: E741 -- one letter an intent keeps the table readable

MESSAGES: list[tuple[str, Shares]] = [
    ("Could I keep the atlas for two more weeks?", {B: 0.97}),
    ("Are you open on the first of May?", {O: 0.98}),
    ("My card was charged twice for the same late book.", {F: 0.6, P: 0.38}),
    ("I would like the small meeting room on Thursday at four.", {R: 0.97}),
    ("The return machine swallowed my book and printed nothing.", {P: 0.96}),
    ("Please reserve the new edition of the hiking guide for me.", {B: 0.97}),
    ("Until what time can I use the reading room in the evening?", {O: 0.93, R: 0.05}),
    ("How much do I owe after a month abroad?", {F: 0.93}),
    ("Is there still a seat at the poetry evening?", {V: 0.95}),
    ("The lift to the second floor has been stuck since Monday.", {P: 0.97}),
    ("Can my daughter take out films with her own card?", {B: 0.88, F: 0.03}),
    ("Does the children's corner close earlier in summer?", {O: 0.94}),
    ("I returned it on time, so why is there a fee?", {F: 0.62, P: 0.34}),
    ("We are twelve people who read Russian novels and need a place.", {R: 0.5, V: 0.4}),
    ("Page 40 to 60 are missing from the cook book I got.", {P: 0.93, B: 0.03}),
    ("Renew everything, please.", {B: 0.95}),
    ("When does the courtyard café start serving?", {O: 0.88}),
    ("Is borrowing from other towns free of charge?", {F: 0.55, B: 0.42}),
    ("Who may use the music studio, and how do I sign up?", {R: 0.5, V: 0.4}),
    ("The website forgets my password every day.", {P: 0.95}),
    ("I am number one on the waiting list. How long will it be?", {B: 0.85}),
    ("Are Sundays in December as usual?", {O: 0.86}),
    ("Can I pay the reminder at the desk?", {F: 0.95}),
    ("Do I have to register for the knitting group?", {V: 0.8, R: 0.14}),
    ("It is too cold to read upstairs.", {P: 0.9}),
    ("May I bring the microscope back to another branch?", {B: 0.88, P: 0.02}),
    ("Is someone at the information desk during lunch?", {O: 0.85}),
    ("What does a lost audio book cost?", {F: 0.9, P: 0.06}),
    ("The room I booked was locked when we came.", {P: 0.62, R: 0.36}),
    ("The room I booked is too small. Is another one free?", {R: 0.86, P: 0.1}),
    ("Do you lend out sewing machines?", {B: 0.92}),
    ("The door said closed at five, the page says seven.", {O: 0.52, P: 0.44}),
    ("I lost my card. What now?", {P: 0.5, F: 0.2, B: 0.1}),
    ("Is the film on Friday free?", {V: 0.6, F: 0.36}),
    ("It did not work again.", {P: 0.55}),
    ("Thanks for yesterday.", {V: 0.08}),
    ("Three of my books show as overdue but stand on your shelf.", {P: 0.6, B: 0.2, F: 0.15}),
    ("Can the deadline wait until I am out of hospital?", {B: 0.72, F: 0.2}),
    ("Tuesday?", {O: 0.25, V: 0.15}),
    ("Could you open the garden for our group after six?", {R: 0.3, V: 0.3, O: 0.36}),
    ("I want my deposit back.", {F: 0.9}),
    ("Are e-books also due on holidays?", {B: 0.6, O: 0.3}),
    ("Nobody answers the telephone in the afternoon.", {P: 0.7, O: 0.26}),
    ("How many films may I have at once?", {B: 0.93}),
    ("Is the lecture hall wheelchair accessible?", {R: 0.45, V: 0.3, P: 0.1}),
    ("You sent a reminder for a book I never had.", {P: 0.56, F: 0.38}),
    ("From when can I pick up what I ordered?", {B: 0.6, O: 0.36}),
    ("The printer takes coins and prints nothing.", {P: 0.92, F: 0.05}),
    ("Does a yearly pass still cost the same?", {F: 0.96}),
    ("Can students stay until midnight before exams?", {O: 0.92}),
    ("Where do I apply to read my own stories to children?", {V: 0.5, R: 0.38}),
    ("Please extend, the family is ill.", {B: 0.92}),
    ("There is a wasp nest above the bicycle stand.", {P: 0.97}),
    ("Do you have it in large print?", {B: 0.85}),
    ("I cannot find the fee table on the page.", {F: 0.62, P: 0.34}),
    ("Who plays on Saturday?", {V: 0.9}),
    ("Is the branch by the river open again?", {O: 0.93}),
    ("Same as last time, please.", {B: 0.45, R: 0.15}),
    ("The scanner in the hall is out of order.", {P: 0.98}),
    ("What happens if I bring the game back incomplete?", {F: 0.55, P: 0.25, B: 0.15}),
]

# What the lead and the labelers of the demo did about them.
MERGED = "rooms and events"
MERGED_DEFINITION = "Books a room, or asks about a reading, course or group."
SETTLED: dict[str, tuple[str, str, str]] = {  # the label, the cause of Cause, and a comment
    "message-02": (F, "guideline_gap", "The machine erred, but what is asked for is the money."),
    "message-17": (F, "guideline_gap", "Borrowing is not what is asked about; its price is."),
    "message-31": (O, "slip", ""),
    "message-34": (UNSURE, "ambiguous", "What did not work? Nobody can know."),
}
GOLD = "message-17"
ASKED = {  # the first of them became the rule
    "message-02": "Charged twice by mistake: is that fees or a problem?",
    "message-33": "A film in the house, and whether it costs: events or fees?",
}
RULE = "| says that a charge is wrong, whatever went wrong before | fees |"
RULE_NOTE = "Disputed charges are fees"
RULE_FROM = 45  # the messages from this one on were read after the rule
EXAMPLES: list[dict[str, str | bool]] = [
    {"item": "message-02", "class": F, "note": "The machine erred, but what is asked for is the money."},
    {"item": "message-22", "class": F, "note": "Whoever wants to pay asks about a charge."},
    {"item": "message-19", "class": P},
    {
        "item": "message-10",
        "class": F,
        "near_miss": True,
        "note": "Her own card is about borrowing, not about its price.",
    },
]
