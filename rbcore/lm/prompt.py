"""Prompting the generator: anchors in its context, what it then answers, and the laws of that, exactly.

A prompt puts anchors into the generator's context (the map `phi_T`), and a strict prompt names the skill as
well, by giving the tag.  The generator reads the context as the beginning of a document and continues it; what
it has learned about topics is how it gets from a few anchors to skills that none of them shows.

For a context `p` the answer's law `D_M(.|p)` is computed on all right sequences of the generator's skills, by
enumeration; so is `D_gen(.|p)`, the law of what the curator lets pass.  Everything else that the model might
write is wrong, and all that counts of it is its mass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import entr, logsumexp, rel_entr, softmax

from rbcore.lm.language import Language, corrupt, posterior
from rbcore.lm.models import Ensemble, log_probs, next_law, sample
from rbcore.lm.verifier import PERFECT, Verifier


@dataclass(frozen=True)
class Prompt:
    """How the generator is asked.  anchors: how many stand in the context.

    tags: a strict prompt names one of these skills, uniformly; None: a loose one, and the generator chooses.
    """

    anchors: int = 0
    tags: tuple[int, ...] | None = None

    def contexts(self, pool: np.ndarray, rng: Generator, n: int) -> np.ndarray:
        """`n` contexts of anchors from `pool` (N, T), each without repetition, shape (n, anchors T)."""
        if not 0 <= self.anchors <= len(pool):
            raise ValueError(f"a context of {self.anchors} anchors from a pool of {len(pool)}")
        chosen = np.argsort(rng.random((n, len(pool))), axis=1)[:, : self.anchors]
        return pool[chosen].reshape(n, -1)


@dataclass(frozen=True)
class Curation:
    """What happens to answers.  verify: those pass that `verifier` accepts; without errors, the right ones.

    tags: only answers with these tags pass.
    noise: then each letter of an answer is changed with this probability (:func:`rbcore.lm.language.corrupt`).
    """

    verify: bool = True
    tags: tuple[int, ...] | None = None
    noise: float = 0.0
    verifier: Verifier = PERFECT

    @property
    def rates(self) -> tuple[float, float]:
        """The probabilities with which right and wrong answers pass, if their tags do."""
        return (1 - self.verifier.false_reject, self.verifier.false_accept) if self.verify else (1.0, 1.0)

    def accepts(self, language: Language, tokens: np.ndarray, rng: Generator) -> np.ndarray:
        """Which sequences pass, shape (N,); random numbers are drawn only for a verifier that errs."""
        fine = np.ones(len(tokens), dtype=bool)
        if self.verify:
            right = language.correct(tokens)
            fine = right if self.verifier == PERFECT else self.verifier.accepts(right, rng)
        return fine if self.tags is None else fine & np.isin(language.tags(tokens), self.tags)


class Generated(NamedTuple):
    """Synthetic data: sequences (n, T), the context of each (n,), and the share of answers that passed."""

    tokens: np.ndarray
    rows: np.ndarray
    accepted: float


class Asked(NamedTuple):
    """Raw answers: sequences (n, T), the context of each (n,), and the entropy of every choice (n, T - 1), nats.

    See :class:`rbcore.lm.models.Sampled`; a tag that the prompt names has the entropy of its draw.
    """

    tokens: np.ndarray
    rows: np.ndarray
    entropy: np.ndarray


def ask(
    model: Ensemble,
    language: Language,
    prompt: Prompt,
    contexts: np.ndarray,
    n: int,
    rng: Generator,
    temperature: float = 1.0,
    first: int = 0,
) -> Asked:
    """`n` raw answers, to each of `contexts` in turn, beginning with number `first`."""
    rows = (first + np.arange(n)) % len(contexts)
    start = np.full((len(contexts), 1), language.bos)
    if prompt.tags is None:
        used, back = np.unique(rows, return_inverse=True)
        asked = np.hstack([contexts, start])[used]
        found = sample(model, asked, language.tokens - 1, rng, temperature, back)
        return Asked(np.column_stack([np.full(n, language.bos), found.tokens]), rows, found.entropy)
    tags = np.asarray(prompt.tags)
    which = rng.integers(len(tags), size=n)
    pairs, back = np.unique(rows * len(tags) + which, return_inverse=True)
    asked = np.hstack([contexts, start])[pairs // len(tags)]
    asked = np.column_stack([asked, tags[pairs % len(tags)] + language.letters])
    found = sample(model, asked, language.tokens - 2, rng, temperature, back)
    tokens = np.column_stack([np.full(n, language.bos), tags[which] + language.letters, found.tokens])
    return Asked(tokens, rows, np.column_stack([np.full(n, np.log(len(tags))), found.entropy]))


def generate(
    model: Ensemble,
    language: Language,
    prompt: Prompt,
    contexts: np.ndarray,
    n: int,
    rng: Generator,
    curation: Curation | None = None,
    temperature: float = 1.0,
    block: int = 512,
    tries: int = 1000,
) -> Generated:
    """`n` curated answers: the generator is asked, `block` answers at a time, until so many have passed.

    Without noise the first answers do not depend on how many are wanted.

    Raises:
        ValueError: when too few pass: fewer than one in `tries`.
    """
    if n < 1 or block < 1:
        raise ValueError(f"at least one answer, in blocks of at least one, got {n} and {block}")
    curation = Curation() if curation is None else curation
    tokens, rows, asked, passed = [], [], 0, 0
    while passed < n:
        if asked > tries * (n + block):
            raise ValueError(f"{passed} of {asked} answers passed, {n} are wanted: the curator lets too few pass")
        answers = ask(model, language, prompt, contexts, block, rng, temperature, asked)
        fine = curation.accepts(language, answers.tokens, rng)
        tokens.append(answers.tokens[fine])
        rows.append(answers.rows[fine])
        asked, passed = asked + block, passed + int(fine.sum())
    whole = np.concatenate(tokens)[:n]
    return Generated(corrupt(language, whole, curation.noise, rng), np.concatenate(rows)[:n], passed / asked)


def verified(
    model: Ensemble,
    language: Language,
    skills: Sequence[int],
    log_law: np.ndarray,
    n: int,
    rng: Generator,
    verifier: Verifier = PERFECT,
    temperature: float = 1.0,
) -> np.ndarray:
    """`n` answers to the strict prompt for `skills` that pass a verifier, of the law that :func:`generate` has.

    Right ones are drawn from their enumerated law, so no question is wasted, and only wrong ones are asked for.
    The first answers do not depend on how many are wanted.

    Args:
        log_law: of the right answers to this prompt at this temperature, in the order of `Language.support`.
    """
    support = language.support(skills)
    rows = support[rng.choice(len(support), size=n, p=softmax(log_law))]
    if not verifier.false_accept:
        return rows
    verdicts, answers = rng.spawn(2)
    wrong = verdicts.random(n) >= verifier.after(np.exp(log_law).sum())
    if wrong.any():
        only, prompt = Curation(verifier=Verifier(1, 1)), Prompt(tags=tuple(skills))
        nothing = np.zeros((1, 0), dtype=np.int64)
        asked = model, language, prompt, nothing, int(wrong.sum()), answers, only, temperature
        rows[wrong] = generate(*asked, tries=10**9).tokens  # on average no more than n false_accept / share
    return rows


class Answers(NamedTuple):
    """`D_M(.|p)` of C contexts on the right sequences of `skills`.

    log_law: log-probabilities (C, |skills| letters^l), in the order of `Language.support`.  tags: the law of the
    tag (C, skills of the language).  outside: the mass of tags that are not in `skills`, (C,): no more than
    this is missing from P(right).
    """

    skills: tuple[int, ...]
    log_law: np.ndarray
    tags: np.ndarray
    outside: np.ndarray


def answers(
    model: Ensemble,
    language: Language,
    prompt: Prompt,
    contexts: np.ndarray,
    skills: Sequence[int],
    temperature: float = 1.0,
    chunk: int = 512,
) -> Answers:
    """The exact laws of the generator's answers, given each of `contexts` (C, c)."""
    tags = tag_law(model, language, contexts, temperature)
    support, logs = language.support(skills), []
    for context in contexts:
        parts = log_probs(model, support, context, temperature, chunk)[0].astype(float)
        logs.append(parts if prompt.tags is None else parts[:, 1:])
    logs = np.stack(logs).sum(axis=2)
    if prompt.tags is not None:
        tags = np.zeros_like(tags)
        tags[:, list(prompt.tags)] = 1 / len(prompt.tags)
        with np.errstate(divide="ignore"):
            logs += np.repeat(np.log(tags[0, list(skills)]), len(support) // len(skills))
    return Answers(tuple(int(s) for s in skills), logs, tags, 1 - tags[:, list(skills)].sum(axis=1))


def tag_law(model: Ensemble, language: Language, contexts: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """The generator's exact law of the next skill, given each of `contexts` (C, c), shape (C, skills).

    Its sum falls short of one by what the model gives to tokens that are no tags.
    """
    asked = np.hstack([contexts, np.full((len(contexts), 1), language.bos)])
    return next_law(model, asked, temperature)[:, language.letters : language.bos]


class Divergences(NamedTuple):
    """What the two divergences and their relatives are, one value for each law; KL in nats.

    task: TV(D, D_M).  generation_low, generation: TV(D_M, D_gen), exact and equal without noise, else a bracket.
    direct: TV(D, D_gen).  right: P(right) under D_M.  accepted: the share that passes.  off_task: D_gen's mass on
    right answers to other tasks.  kl: KL(D || D_gen).  entropy: H(D_gen) where only right answers pass, unchanged,
    else NaN (see :func:`passed_entropy`).
    """

    task: np.ndarray
    generation_low: np.ndarray
    generation: np.ndarray
    direct: np.ndarray
    right: np.ndarray
    accepted: np.ndarray
    off_task: np.ndarray
    kl: np.ndarray
    entropy: np.ndarray


def divergences(
    language: Language, found: Answers, task: Sequence[int], curation: Curation, mixed: bool = False
) -> Divergences:
    """All of :class:`Divergences` for the task with these skills, for each context or for their mixture.

    `D` lives on right sequences, so `TV(D, Q) = 1 - sum min(D, Q)` over these alone.  A curator lets right, wrong
    and other answers pass with a probability each, so `D_gen / D_M` is constant on each of these events, and
    `TV(D_M, D_gen)` is that of the events.  Noise `eps` keeps an answer with `(1 - noise)^l`, and the rest lies on
    wrong sequences, where it may overlap with the wrong mass of `D_M` or not: that is the bracket.

    Raises:
        ValueError: for a task that the answers do not cover, a curator that lets nothing pass, or noise where
            wrong answers pass, which it may repair (it moves at most `P(eps != 0) = 1 - (1 - noise)^l`).
    """
    if set(task) - set(found.skills):
        raise ValueError(f"the task's skills are among those of the answers, {found.skills}, got {tuple(task)}")
    right_passes, wrong_passes = curation.rates
    if curation.noise and wrong_passes:
        raise ValueError("noise may repair wrong answers, where they pass: its law is not computed exactly")
    inputs = language.letters**language.length
    law = np.exp(found.log_law)
    tags = found.tags
    if mixed:
        law, tags = law.mean(axis=0, keepdims=True), tags.mean(axis=0, keepdims=True)
    weights = np.isin(found.skills, list(task)) / len(set(task))
    target = np.outer(weights, language.input_law).ravel()
    allowed = np.repeat(np.isin(found.skills, found.skills if curation.tags is None else curation.tags), inputs)
    right = law.sum(axis=1)
    fine = (law * allowed).sum(axis=1)
    named = np.ones(len(law)) if curation.tags is None else tags[:, list(curation.tags)].sum(axis=1)
    before = np.array([fine, named - fine, 1 - named])  # right, wrong, and with other tags
    after = before * np.array([right_passes, wrong_passes, 0])[:, None]
    accepted = after.sum(axis=0)
    if (accepted <= 0).any():
        raise ValueError("the curator lets nothing pass that this generator writes")
    kept = (1 - curation.noise) ** language.length
    passed = law * allowed * right_passes / accepted[:, None] * kept
    low = high = np.maximum(before - after / accepted, 0).sum(axis=0)
    if curation.noise:
        high = 1 - np.minimum(law, passed).sum(axis=1)
        low = np.maximum(high - np.minimum(1 - right, 1 - kept), 0)
    with np.errstate(divide="ignore"):
        kl = rel_entr(target, passed).sum(axis=1)
    exact = not wrong_passes and not curation.noise
    return Divergences(
        task=1 - np.minimum(target, law).sum(axis=1),
        generation_low=low,
        generation=high,
        direct=1 - np.minimum(target, passed).sum(axis=1),
        right=right,
        accepted=accepted,
        off_task=(passed * (np.repeat(weights, inputs) == 0)).sum(axis=1),
        kl=kl,
        entropy=entr(passed).sum(axis=1) if exact else np.full(len(law), np.nan),
    )


def passed_entropy(found: Answers, verifier: Verifier, gain: ArrayLike) -> np.ndarray:
    """`H(D_gen)` of what passes, nats, (C,): exact where no wrong answer does, else from the `gain` of raw ones.

    By the chain rule for whether an answer is right, `H(X | p) = h(r) + r H(X | right) + (1 - r) H(X | wrong)`,
    and a verifier changes the share `r` alone.  So an error of the gain counts by how often a wrong answer passes,
    divided by how often any does.
    """
    right = np.minimum(np.exp(found.log_law).sum(axis=1), 1)
    of_right = entr(softmax(found.log_law, axis=1)).sum(axis=1)
    of_wrong = np.asarray(gain) - entr(right) - entr(1 - right) - right * of_right  # times (1 - right)
    after = verifier.after(right)
    wrong_passes = verifier.false_accept / verifier.share(right)
    return entr(after) + entr(1 - after) + after * of_right + wrong_passes * of_wrong


class Gain(NamedTuple):
    """`dI = H(X | p)` of an answer, nats: the tag's part exactly, the rest with a standard error.

    tag: `H(tag | p)`, exact.  rest: `H(input, answer | p, tag)`.  se: its standard error.
    """

    tag: float
    rest: float
    se: float

    @property
    def total(self) -> float:
        """`dI`, nats."""
        return self.tag + self.rest


def information_gain(
    model: Ensemble,
    language: Language,
    prompt: Prompt,
    contexts: np.ndarray,
    draws: int,
    rng: Generator,
    temperature: float = 1.0,
) -> Gain:
    """What a raw answer holds beyond the prompt, averaged over `contexts`.

    The gain is `H(X | h(e_p))`.  The model's answer depends on the prompt through `h(e_p)` alone, its state after
    reading it: `p -> h(e_p) -> X`, and `h(e_p)` is a function of `p`; so `H(X | h(e_p)) = H(X | p)`.  By the chain
    rule this is the mean of `sum_t H(X_t | p, X_<t)` over what the model writes, and each summand is the
    entropy of a law that the model states.  So a mean over draws is unbiased, and has a far smaller variance
    than that of `-log D_M(X | p)`.
    """
    if draws < 2:
        raise ValueError(f"a standard error needs at least two draws, got {draws}")
    found = ask(model, language, prompt, contexts, draws, rng, temperature)
    return gain_of(found, model, language, prompt, contexts, temperature)


def gain_of(
    found: Asked,
    model: Ensemble,
    language: Language,
    prompt: Prompt,
    contexts: np.ndarray,
    temperature: float = 1.0,
) -> Gain:
    """:func:`information_gain` from `found`, what the model answered to `contexts`."""
    rest = found.entropy[:, 1:].sum(axis=1)
    if prompt.tags is not None:
        tag = np.log(len(prompt.tags))
    else:
        asked = np.hstack([contexts, np.full((len(contexts), 1), language.bos)])
        tag = entr(next_law(model, asked, temperature)).sum(axis=1).mean()
    return Gain(float(tag), float(rest.mean()), float(rest.std(ddof=1) / np.sqrt(len(rest))))


def ideal_gain(language: Language, topics: Sequence[Sequence[int]], seen: ArrayLike, typos: float) -> np.ndarray:
    """`H(X | p)` of a generator that knows the law of its documents, for prompts that name `seen` (N, n); (N,)
    nats.

    Given a context only the tag depends on it, through the posterior over topics.  Input and answer have `l`
    letters each, and an answer's letter is one of `letters - 1` others with probability `typos`.
    """
    tag = entr(posterior(topics, language.skills, seen)).sum(axis=1)
    typo = entr(typos) + entr(1 - typos) + typos * np.log(language.letters - 1)
    return tag + language.length * (entr(language.law).sum() + typo)


def prompt_information(found: Answers, curation: Curation, language: Language) -> float:
    """`I(p; Z)` of one curated datum with a uniform choice among the contexts, in nats; of right answers.

    It is the gap in `H(Z) = H(Z | p) + I(p; Z)`: exact, since the laws given each context are.
    """
    if curation.rates[1] or curation.noise:
        raise ValueError("prompt_information is for right answers without noise: their laws are enumerated")
    inputs = language.letters**language.length
    allowed = np.repeat(np.isin(found.skills, found.skills if curation.tags is None else curation.tags), inputs)
    logs = np.where(allowed, found.log_law, -np.inf)
    laws = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    return float(entr(laws.mean(axis=0)).sum() - entr(laws).sum(axis=1).mean())
