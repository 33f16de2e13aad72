"""Audits of texts with known defects, one after another: what was said, and what the defect costs a student.

    here = world("code", seed=1)
    rows = audits(here, ["word shuffle", "truncation"])      # three strengths each, and the clean data

The data sets of one world share anchors and held-out records, so one looks once at what they have in common.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from rbcore.audit import planted, runner
from rbcore.audit.corpora import CorpusError, corpus
from rbcore.audit.defects import DEFECTS, Side, World, spoil
from rbcore.audit.prepared import Prepared
from rbcore.audit.questions.verdict import Outcome
from rbcore.audit.read.records import Records
from rbcore.estimate.ngram import Ngram, tokenize

CONTROL = "none"
GRAMMAR = "grammar"
SIZES = (250, 250, 150, 150)  # anchors, synthetic and held-out records, and those that students are judged by
POOL = 1000  # more records of the task, at most
LEAST = 1.5  # records of a corpus for each that the inputs take
ALIEN = {
    "code": "docstrings",
    "docstrings": "english",
    "dictionary": "english",
    "english": "docstrings",
    "spanish": "code",
    "german": "code",
    "russian": "russian-manual",
    "russian-manual": "russian",
    "chinese": "poems",
}
"""Of each corpus another kind of text in the same script."""
FOREIGN = {
    "docstrings": "spanish",
    "dictionary": "german",
    "english": "german",
    "spanish": "english",
    "german": "spanish",
    "russian": "english",
    "russian-manual": "dictionary",
    "japanese": "docstrings",
    "chinese": "english",
    GRAMMAR: "spanish",
}
"""Of each corpus texts in another language."""
TRIED = ("code", *FOREIGN)
"""The corpora of the record."""


def world(name: str, seed: int, folder: str | None = None, sizes: Sequence[int] = SIZES) -> World:
    """The inputs of audits of the corpus `name`, and what defects are made of; `folder` as in :func:`corpus`.

    A corpus is split at random; notes of the grammar are drawn afresh.  Where the texts of another corpus are not
    at hand (no `folder`), the world has none.

    Raises:
        CorpusError: when the corpus is not at hand, or too small.
    """
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    ends = np.cumsum(sizes)
    if name == GRAMMAR:
        made = planted.notes(rng, int(ends[-1]) + POOL)
        whole, language = Side(tuple(made.texts), tuple(made.labels)), "en"
        stray = planted.elsewhere(rng, sizes[1])
    else:
        source = corpus(name, folder)
        whole, language = Side(source.texts), source.language
        if len(source.texts) < LEAST * ends[-1]:
            raise CorpusError(f"corpus {name!r}: {len(source.texts):,} texts, {LEAST * ends[-1]:,.0f} are needed")
        stray = _others(ALIEN.get(name), folder)
    order = rng.permutation(len(whole.texts))[: ends[-1] + POOL]
    anchor, synth, heldout, judge, pool = (whole.take(rows) for rows in np.split(order, ends))
    foreign = _others(FOREIGN.get(name), folder)
    return World(name, seed, language, anchor, synth, heldout, judge, pool, stray, foreign)


def sources(names: Sequence[str]) -> list[str]:
    """The corpora that worlds of these ones are made of."""
    wanted = {one for name in names for one in (name, ALIEN.get(name, name), FOREIGN.get(name, name))}
    return sorted(wanted - {GRAMMAR})


def _others(name: str | None, folder: str | None) -> tuple[str, ...]:
    if name is None:
        return ()
    try:
        return corpus(name, folder).texts
    except CorpusError:
        return ()


def audits(
    here: World, defects: Sequence[str] = tuple(DEFECTS), progress: Callable[[], object] = lambda: None
) -> list[dict[str, Any]]:
    """The clean data of a world and each defect at its three strengths: a row for each audit.

    A row holds `corpus`, `seed`, `defect` (:data:`CONTROL` for none), `strength`; `verdicts` and `p` by question;
    `harm`, nats per token that a student of the spoiled records loses more than one of the clean ones, on records
    that nothing was made of; `flattered`, by how much the score on the held-out records hides that; `removed`, the
    share of records that flagged questions named, and `repair`, what it changes to leave them out (None where
    there are none, or all are named).  Defects that the world has not what it takes for are left out.
    """
    clean, outcomes = _audited(here, here.synth, None, _rng(here, CONTROL, 0))
    base = _losses(here, here.synth)
    rows = [_row(here, CONTROL, 0.0, outcomes)]
    progress()
    for defect in defects:
        for i, strength in enumerate(DEFECTS[defect].strengths):
            made = spoil(here, defect, strength, _rng(here, defect, i))
            if made is not None:
                outcomes = _audited(here, made.side, clean, _rng(here, f"audit {defect}", i))[1]
                rows.append(_row(here, defect, strength, outcomes) | _cost(here, made.side, outcomes, base))
            progress()
    return rows


def control(here: World) -> dict[str, Any]:
    """The row of :func:`audits` for the clean data alone."""
    return _row(here, CONTROL, 0.0, _audited(here, here.synth, None, _rng(here, CONTROL, 0))[1])


def _rng(here: World, name: str, i: int) -> Generator:
    return np.random.default_rng([here.seed, zlib.crc32(here.corpus.encode()), zlib.crc32(name.encode()), i])


def _audited(here: World, synth: Side, like: Prepared | None, rng: Generator) -> tuple[Prepared, list[Outcome]]:
    sides = {"ANCHOR": here.anchor, "SYNTH": synth, "HELDOUT": here.heldout}
    records = {
        name: Records(name, here.corpus, len(one.texts), one.texts, one.labels) for name, one in sides.items()
    }
    data = runner.prepare(records, here.seed, like=like)
    return data, runner.check(data, rng)


def _row(here: World, defect: str, strength: float, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    findings = [one.finding for one in outcomes]
    return {
        "corpus": here.corpus,
        "seed": here.seed,
        "defect": defect,
        "strength": strength,
        "verdicts": {one.id: one.verdict for one in findings},
        "p": {one.id: float(one.p) for one in findings if one.verdict != "not checked"},
    }


def _losses(here: World, synth: Side) -> np.ndarray:
    """What a student of the synthetic records loses on the fresh and on the held-out ones, in nats per token."""
    student = Ngram.fit(synth.texts, labels=synth.labels)
    losses = [student.losses(one.texts, one.labels).sum() / _tokens(one) for one in (here.judge, here.heldout)]
    return np.array(losses)


def _tokens(side: Side) -> int:
    """Tokens with the ends of the texts."""
    return sum(len(tokenize(text)) + 1 for text in side.texts)


def _cost(here: World, synth: Side, outcomes: Sequence[Outcome], base: np.ndarray) -> dict[str, Any]:
    """Harm and repair; see :func:`audits`."""
    named = named_rows(outcomes, len(synth.texts))
    fresh, heldout = losses = _losses(here, synth)
    repair = None
    if named.any() and (~named).sum() >= 2:
        repair = float(_losses(here, synth.take(np.flatnonzero(~named)))[0] - fresh)
    harm, flattered = fresh - base[0], (fresh - heldout) - (base[0] - base[1])
    return {
        "loss": float(losses[0]),
        "harm": float(harm),
        "flattered": float(flattered),
        "removed": float(named.mean()),
        "repair": repair,
    }


def named_rows(outcomes: Sequence[Outcome], n: int) -> np.ndarray:
    """(n,) which synthetic records a flagged question names."""
    named = np.zeros(n, dtype=bool)
    for one in outcomes:
        if one.finding.verdict == "flagged" and one.named is not None:
            named |= one.named.hits
    return named


def planned(defects: Sequence[str] = tuple(DEFECTS)) -> int:
    """Audits of one world, at most: those of defects that it has not what it takes for count as done at once."""
    return 1 + sum(len(DEFECTS[defect].strengths) for defect in defects)
