"""The classes of mutants: what is changed, how many of each kind of change, and who has to notice.

A judge is one thing that a change of the book passes before it is accepted:

* ``text``: `compare`, which `make book` calls, on the changed text with the executions that are there; the lint;
* ``pages``: the warnings of a strict build of the pages, for several mutants at once, one in a page;
* ``run``: the changed chapter is executed again and compared with its pins and its text;
* ``tests``: the unit tests of the changed module, or those that read the changed file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mutants import data, programs, text
from mutants.edits import Generator


class Class(NamedTuple):
    """A class of mutants: its generators with how many mutants each makes, its judges in turn."""

    of: Mapping[Generator, int]
    judges: tuple[str, ...]


def _modules(*counted: tuple[str, int]) -> dict[Generator, int]:
    return {programs.of_modules(f"rbcore/{file}.py"): count for file, count in counted}


CLASSES: dict[str, Class] = {
    "pins": Class(
        {
            data.pinned_value: 6,
            data.pinned_measure: 3,
            data.pinned_interval: 3,
            data.pinned_error: 2,
            data.pinned_format: 2,
            data.pinned_unit: 2,
            data.pinned_kind: 2,
            data.pinned_verdict: 2,
            data.pinned_check: 2,
            data.pinned_cases: 2,
            data.pinned_sentence: 2,
            data.pinned_statement: 2,
            data.pinned_assumption: 1,
            data.pin_deleted: 1,
            data.pinned_parameter: 2,
        },
        ("text",),
    ),
    "typed decimals": Class(
        {text.decimal_for_value: 12, text.decimal_in_prose: 10, text.decimal_in_alt: 5, text.decimal_in_table: 4},
        ("text",),
    ),
    "typed counts and number words": Class(
        {
            text.integer_for_value: 8,
            text.word_for_value: 6,
            text.integer_in_prose: 10,
            text.word_in_prose: 10,
            text.count_in_alt: 5,
            text.count_in_table: 3,
        },
        ("text",),
    ),
    "number words changed": Class({text.number_word: 24, text.integer: 14}, ("text",)),
    "directions": Class(
        {
            text.direction: 18,
            text.direction_of_page: 6,
            text.direction_of_picture: 8,
            text.direction_of_claim: 10,
        },
        ("text",),
    ),
    "formulas": Class({text.displayed: 20, text.inline: 14, text.shannon: 3}, ("text",)),
    "roles and claims": Class(
        {
            text.misspelt: 6,
            text.other_role: 6,
            text.quote_deleted: 5,
            programs.claim_deleted: 4,
            programs.renamed: 4,
        },
        ("text", "run"),
    ),
    "exchanged": Class(
        {
            text.values_exchanged: 8,
            text.claims_exchanged: 4,
            text.references_exchanged: 4,
            text.unit_dropped: 4,
            text.interval_hidden: 4,
            text.statement_typed: 4,
            text.citation: 4,
            text.tick: 3,
        },
        ("text",),
    ),
    "code of chapters": Class(
        {
            programs.cheap_cells: 30,
            programs.dearer_cells: 4,
            programs.other_statement: 5,
            programs.parameter: 3,
        },
        ("text", "run"),
    ),
    "literals": Class(
        {
            programs.recorded_literal: 8,
            programs.literal_by_name: 5,
            programs.constant_check: 6,
            programs.bare_truth: 3,
            programs.against_itself: 3,
        },
        ("text", "tests"),
    ),
    "figures": Class(
        {programs.drawn: 14, programs.legends: 3, programs.cheap_figures: 6},
        ("text", "run"),
    ),
    "records and lists": Class(
        {
            data.slack: 2,
            data.models: 2,
            data.too_many: 1,
            data.ratio: 2,
            data.theorem: 2,
            data.dated: 1,
            data.failure: 1,
            data.seen: 1,
            data.seeds_code: 1,
            data.over_seeds: 1,
            data.seeds_chapter: 1,
            data.cost: 1,
            data.cost_chapter: 1,
            data.calibrated: 2,
            data.calibrated_width: 1,
            data.calibrated_truth: 2,
            data.tried: 2,
            data.year: 2,
            data.key: 2,
            data.author: 1,
            data.statement_source: 1,
            data.statement_claim: 1,
            data.statement_label: 1,
            data.result_status: 1,
            data.result_source: 1,
            data.result_claim: 1,
            data.result_relation: 1,
            data.exception: 1,
            data.contents: 1,
            data.macro: 1,
            data.written: 1,
        },
        ("text", "pages", "tests"),
    ),
    "markup": Class(
        {
            text.open_formula: 2,
            text.open_bold: 2,
            text.open_role: 2,
            text.open_division: 2,
            text.unknown_macro: 2,
            text.unknown_key: 1,
            text.unknown_target: 2,
            text.unknown_page: 1,
            text.unknown_role: 1,
            text.unknown_directive: 1,
            text.second_label: 1,
            text.twin_label: 2,
            text.missing_note: 2,
            text.wide_row: 2,
            text.lost_rule: 2,
            text.jumping: 1,
            text.said_twice: 2,
        },
        ("text", "pages"),
    ),
    "core": Class(
        _modules(
            ("checks", 5),
            ("information/finite", 4),
            ("information/expr", 3),
            ("information/forms", 2),
            ("information/exact", 2),
            ("information/verify", 2),
            ("information/theorems", 3),
            ("information/shannon", 3),
            ("information/prover", 2),
            ("information/chains", 3),
            ("information/refute", 2),
            ("information/falsify", 2),
            ("information/models", 2),
            ("theory/divergence", 4),
            ("theory/bound", 4),
            ("theory/bottleneck", 3),
            ("theory/ggmi", 4),
            ("theory/generalization", 4),
            ("theory/contraction", 4),
            ("theory/process", 3),
            ("theory/posttrain", 3),
            ("theory/collapse", 3),
            ("theory/coverage", 2),
            ("theory/knowledge", 2),
            ("theory/loops", 3),
            ("theory/noisy_network", 2),
            ("theory/teacher", 2),
            ("lm/bound", 3),
        ),
        ("tests",),
    ),
    "estimators": Class(
        _modules(
            ("estimate/information", 6),
            ("estimate/divergence", 6),
            ("estimate/diversity", 5),
            ("estimate/ngram", 4),
            ("estimate/base", 2),
            ("estimate/classifier", 2),
            ("estimate/worlds", 4),
            ("estimate/calibration", 2),
        ),
        ("tests",),
    ),
    "audit": Class(
        _modules(
            ("audit/questions/law", 3),
            ("audit/questions/copying", 2),
            ("audit/questions/contamination", 3),
            ("audit/questions/labels", 2),
            ("audit/questions/form", 2),
            ("audit/questions/verdict", 2),
            ("audit/questions/omnibus", 2),
            ("audit/copies", 3),
            ("audit/measures", 2),
            ("audit/cells", 2),
            ("audit/evidence", 2),
            ("audit/passages", 2),
            ("audit/rows", 1),
        ),
        ("tests",),
    ),
}
