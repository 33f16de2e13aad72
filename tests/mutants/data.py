"""Changes of what is no prose: pins, records, the bibliography, lists of statements and results, macros."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mutants.edits import Edit, Sources
from rbcore.book.cli import PINS


def _found(file: str, pattern: str, new, name: str):
    """A generator that replaces the group 1 of each match by what `new` makes of it."""

    def replaced(sources: Sources) -> Iterator[Edit]:
        for match in re.finditer(pattern, sources.text(file), re.MULTILINE):
            yield Edit(file, match.start(1), match.end(1), new(match[1]) if callable(new) else new)

    replaced.__name__ = name
    return replaced


def moved(number: str) -> str:
    """The number with another second digit: what a reader would see in the text."""
    digits = [m.start() for m in re.finditer(r"[1-9]", re.sub(r"e[-+]?\d+", lambda m: " " * len(m[0]), number))]
    if not digits:
        return "7"
    first = digits[0]
    places = [i for i in range(first + 1, len(number)) if number[i].isdigit() and "e" not in number[:i]]
    place = places[0] if places else first
    return f"{number[:place]}{(int(number[place]) + 3) % 10 or 1}{number[place + 1 :]}"


def _half_more(number: str) -> str:
    return f"{1.5 * float(number) + 0.1:.6g}"


NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
pinned_value = _found(PINS, rf'^  "[^"]+": \{{.*"value": ({NUMBER})', moved, "value")
pinned_interval = _found(PINS, rf'"ci": \[({NUMBER}),', moved, "interval")
pinned_error = _found(PINS, rf'"se": ({NUMBER})', lambda x: str(2 * float(x)), "standard error")
pinned_format = _found(PINS, r'"fmt": "([^"]+)"', ".7f", "format")
pinned_unit = _found(PINS, r'"unit": "([^"]+)"', lambda x: "nats" if x == "bits" else "bits", "unit")
pinned_kind = _found(PINS, r'"kind": "(exact|statistical)"', "numerical", "kind")
pinned_verdict = _found(
    PINS, r'"verdict": "(holds|departs)"', lambda x: "departs" if x == "holds" else "holds", "verdict"
)
pinned_check = _found(PINS, r'"check": "\w+\.(\w+)\(', "equal", "check")
pinned_cases = _found(PINS, r'"cases": (\d+)', lambda x: str(2 * int(x)), "cases")
pinned_sentence = _found(PINS, r'"sentence": "[^"]*?\b(is|are|the|a|all|no)\b', "not", "sentence")
pinned_measure = _found(PINS, rf'^   "value": ({NUMBER})', moved, "measure")
pinned_statement = _found(PINS, r'"statement": "[^"]*?(<=|>=)', lambda x: {"<=": ">=", ">=": "<="}[x], "statement")
pinned_assumption = _found(PINS, r'"given": "([^"]+)"', "nothing", "assumption")
pin_deleted = _found(PINS, r'^(  "[^"]+": \{.*\},\n)', "", "pin deleted")
pinned_parameter = _found(PINS, r'^  "\d\d-[^"]+": \{.*?"\w+": (\d+)', lambda x: str(int(x) + 1), "parameter")

FALSIFIED, SEEDS, COSTS = "book/falsified.json", "book/seeds.json", "book/costs.json"
slack = _found(FALSIFIED, rf'"slack": ({NUMBER})', "-0.05", "slack")
models = _found(FALSIFIED, r'"models": (\d+)', "10", "models")
too_many = _found(FALSIFIED, r'"models": (\d+)', "1000000000000", "impossible number of models")
ratio = _found(FALSIFIED, rf"^   ({NUMBER}),?$", "1.05", "ratio")
theorem = _found(FALSIFIED, r'^ ".*?(<=|>=).*\{$', "=", "theorem of an entry")
dated = _found(FALSIFIED, r'"date": "(\d{4}-\d\d-\d\d)"', "2999-13-01", "date")
failure = _found(SEEDS, r'^   "\d+": (\[\])', '["no-such-claim"]', "failure of an unknown claim")
seen = _found(SEEDS, r'^  "claims": \["([a-z0-9-]+)"', "no-such-claim", "claim that is not there")
seeds_code = _found(SEEDS, r'^  "code": "([0-9a-f]+)"', "0" * 20, "code of a record")
over_seeds = _found(SEEDS, rf'"1001": ({NUMBER})', lambda x: str(round(100 * float(x) + 1, 3)), "value on a seed")
seeds_chapter = _found(SEEDS, r'^ "(\d\d-[a-z-]+)": \{', "77-nowhere", "chapter of a record")
cost = _found(COSTS, rf'^  "[^"]+": ({NUMBER})', "-3.0", "cost")
cost_chapter = _found(COSTS, r'^  "(\d\d-[a-z-]+)"', "77-nowhere", "chapter of a cost")
CALIBRATION = "rbcore/estimate/calibration.json"
ROW = rf'^\["[^"]+", "[^"]+", \d+, \d+, {NUMBER}, "[^"]+", '  # up to the truth, the first result of a row
calibrated = _found(CALIBRATION, rf"{ROW}{NUMBER}, ({NUMBER})", _half_more, "mean")
calibrated_width = _found(CALIBRATION, rf"{ROW}(?:{NUMBER}, ){{4}}({NUMBER})", _half_more, "width")
calibrated_truth = _found(CALIBRATION, rf"{ROW}({NUMBER})", _half_more, "truth")
tried = _found("rbcore/audit/trials.json", rf"\b({NUMBER})\b(?=[,\]])", moved, "trial")
year = _found("book/references.bib", r"^\s*year\s*=\s*\{(\d+)\}", lambda x: str(int(x) - 1), "year")
key = _found("book/references.bib", r"^@\w+\{([^,]+),", lambda x: f"{x}x", "key")
author = _found("book/references.bib", r"^\s*author\s*=\s*\{(\w{4,})", lambda x: f"{x[0]}x{x[2:]}", "author")
statement_source = _found("book/statements.yaml", r"^  source: (\w+)", "nobody", "source")
statement_claim = _found("book/statements.yaml", r"^  checked: \[([a-z0-9-]+)", "no-such-claim", "claim")
statement_label = _found("book/statements.yaml", r"^([a-z]+-[\w-]+):$", lambda x: f"{x}x", "label")
result_status = _found("book/field.yaml", r"^  status: (.+)$", "proved by nobody", "status")
result_source = _found("book/field.yaml", r"^  source: (\w+)", lambda x: f"{x}x", "source of a result")
result_claim = _found("book/field.yaml", r"^  claim: \[([a-z0-9-]+)", "no-such-claim", "claim of a result")
result_relation = _found("book/field.yaml", r"^  relation: (\w+)", "unrelated", "relation")
exception = _found("book/prose-allow.yml", r'^  text: "([^"]+)"', lambda x: f"{x}x", "exception")
contents = _found("book/_toc.yml", r"- file: (chapters/[\w-]+)", lambda x: f"{x}x", "contents")
macro = _found("rbcore/book/downloads.py", r'r"\\(TV|KL|E|R)": ', lambda x: f"{x}x", "macro")
written = _found("rbcore/book/downloads.py", r'": r"\\(math\w+)\{', lambda x: "mathcal", "what a macro writes")
