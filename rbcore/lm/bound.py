"""The post-training bound for transformer students: every term of it, exact or with the side that it errs on.

The loss of a student on a datum is the probability that it gives another answer to the datum's question,
`l(w, z) = 1 - pi_w(answer | tag, input)`, in [0, 1].  The divergences come from :mod:`rbcore.lm.prompt`.  The
information term needs `I(S_gen;W|p)`, which nobody can compute for a network; it is bounded in three ways:

- by the entropy of the data, `I(S_gen;W|p) <= H(S_gen|p)`, exact and hopeless;
- for parameters with Gaussian noise added, by the distance between students (:func:`gaussian_information`);
- not at all: the loss-difference bound needs only what the losses tell about which of two data was trained on
  (:func:`loss_difference`), and can be measured.

Students are trained on log loss, which has no largest value; :func:`log_terms` has what its bound needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from scipy.special import entr, rel_entr, softmax

from rbcore.lm.language import Language, task_law
from rbcore.lm.models import Ensemble, log_probs
from rbcore.lm.prompt import Answers, Asked, Curation, divergences, passed_entropy
from rbcore.lm.verifier import PERFECT, Verifier


def losses(models: Ensemble, language: Language, tokens: np.ndarray) -> np.ndarray:
    """`1 - pi(answer | tag, input)` of each model on each of `tokens` (N, T), shape (B, N).

    The equals sign and EOS are taken for parts of the answer.
    """
    logs = log_probs(models, tokens)[..., 1 + language.length :].sum(axis=-1)
    return -np.expm1(logs.astype(float))


def log_losses(models: Ensemble, language: Language, tokens: np.ndarray) -> np.ndarray:
    """The log loss `-log pi(sequence)` of each model on each of `tokens` (N, T), nats, shape (B, N)."""
    return -log_probs(models, tokens).sum(axis=-1).astype(float)


def own_losses(
    models: Ensemble, language: Language, data: Sequence[np.ndarray], loss: Callable[..., np.ndarray] = losses
) -> np.ndarray:
    """The losses of each model on data of its own, (B, N); all data sets have N sequences."""
    if len(data) != len(models):
        raise ValueError(f"own_losses: one data set for each of {len(models)} models, got {len(data)}")
    return np.concatenate([loss(models[i], language, rows) for i, rows in enumerate(data)])


class Terms(NamedTuple):
    """Risks of students with one prompt, shape (runs,), and what the bound charges for their differences.

    task, model, generated: the risk under `D`, `D_M(.|p)` and `D_gen(.|p)`; training: on the student's own data.
    All exact, but for the mean loss on wrong answers: `steps_se` are the standard errors of the steps, (3, runs).
    to_task, to_generation, direct: TV(D, D_M), TV(D_M, D_gen) and TV(D, D_gen), exact.  entropy: H(S_gen|p) / n,
    nats per datum, exact where no wrong answer passes.
    """

    task: np.ndarray
    model: np.ndarray
    generated: np.ndarray
    training: np.ndarray
    steps_se: np.ndarray
    to_task: float
    to_generation: float
    direct: float
    entropy: float

    @property
    def steps(self) -> np.ndarray:
        """The signed steps `R_D - R_{D_M}`, `R_{D_M} - R_{D_gen}`, `R_{D_gen} - R_S`, shape (3, runs)."""
        risks = np.array([self.task, self.model, self.generated, self.training])
        return risks[:-1] - risks[1:]


def terms(
    language: Language,
    students: Ensemble,
    data: Sequence[np.ndarray],
    found: Answers,
    task: Sequence[int],
    raw: Asked,
    verifier: Verifier = PERFECT,
) -> Terms:
    """The terms for students that were trained on `data`, verified answers to one prompt.

    Args:
        data: of each student, n sequences drawn i.i.d. from `D_gen(.|p)`.
        found: `D_M(.|p)` of this one prompt.  raw: uncurated answers to it, for the risk on wrong ones.
    """
    if len(found.log_law) != 1:
        raise ValueError("terms: one prompt")
    split = divergences(language, found, task, Curation(verifier=verifier))
    on_right = losses(students, language, language.support(found.skills))
    law = np.exp(found.log_law[0])
    target = task_law(language, found.skills, np.isin(found.skills, list(task)) / len(set(task)))
    wrong = losses(students, language, _wrong(raw, language))
    right = float(split.right[0])
    after = verifier.after(right)
    value, se = wrong.mean(axis=1), wrong.std(axis=1, ddof=1) / np.sqrt(wrong.shape[1])
    return Terms(
        task=on_right @ target,
        model=on_right @ law + (1 - right) * value,
        generated=on_right @ law * (after / right) + (1 - after) * value,
        training=own_losses(students, language, data).mean(axis=1),
        steps_se=np.outer([1 - right, abs(after - right), 1 - after], se),
        to_task=float(split.task[0]),
        to_generation=float(split.generation[0]),
        direct=float(split.direct[0]),
        entropy=float(passed_entropy(found, verifier, raw.entropy.sum(axis=1).mean())[0]),
    )


def _wrong(raw: Asked, language: Language) -> np.ndarray:
    """The wrong ones among raw answers."""
    failed = raw.tokens[~language.correct(raw.tokens)]
    if len(failed) < 2:
        raise ValueError("raw: too few wrong answers to estimate the risk on them")
    return failed


class LogTerms(NamedTuple):
    """The chain for the log loss of students of verified answers to one prompt, in nats.

    task, generated: KL(D || pi) and KL(D_gen || pi) of each student, shape (runs,).  training: the mean log loss
    on the student's own data minus H(D_gen), (runs,); it may be negative.  distance: KL(D || D_gen).  ratio: the
    largest D / D_gen.  All exact where no wrong answer passes; else `generated` and H(D_gen) are estimated.
    """

    task: np.ndarray
    generated: np.ndarray
    training: np.ndarray
    distance: float
    ratio: float


def log_terms(
    language: Language,
    students: Ensemble,
    data: Sequence[np.ndarray],
    found: Answers,
    task: Sequence[int],
    raw: Asked | None = None,
    verifier: Verifier = PERFECT,
) -> LogTerms:
    """The terms for students that were trained on `data`, verified answers to one prompt.

    Args:
        data: of each student, n sequences drawn i.i.d. from `D_gen(.|p)`.
        found: `D_M(.|p)` of this one prompt, on right sequences.
        raw: uncurated answers to it, for a verifier that lets wrong ones pass.
    """
    if len(found.log_law) != 1:
        raise ValueError("log_terms: one prompt")
    right = softmax(found.log_law[0])
    target = task_law(language, found.skills, np.isin(found.skills, list(task)) / len(set(task)))
    inside = target > 0
    if set(task) - set(found.skills) or not (right[inside] > 0).all():
        raise ValueError("log_terms: the generator writes every sequence of the task with a positive probability")
    loss = log_losses(students, language, language.support(found.skills))
    after, on_wrong, gain = 1.0, np.zeros(len(students)), 0.0
    if verifier.false_accept:
        if raw is None:
            raise ValueError("log_terms: a verifier that lets wrong answers pass needs raw ones")
        after = verifier.after(np.exp(found.log_law[0]).sum())
        on_wrong = log_losses(students, language, _wrong(raw, language)).mean(axis=1)
        gain = raw.entropy.sum(axis=1).mean()
    entropy = float(passed_entropy(found, verifier, gain)[0])
    return LogTerms(
        task=loss[:, inside] @ target[inside] - entr(target).sum(),
        generated=after * (loss @ right) + (1 - after) * on_wrong - entropy,
        training=own_losses(students, language, data, log_losses).mean(axis=1) - entropy,
        distance=float(rel_entr(target, after * right).sum()),
        ratio=float((target[inside] / (after * right[inside])).max()),
    )


class Estimated(NamedTuple):
    """An estimate with its standard error."""

    value: float
    se: float


def gaussian_information(models: Ensemble, sigma: float) -> Estimated:
    """An upper bound on `I(S_gen; W + sigma N | p)` in nats, from students of independent data and one prompt.

    For every law `Q` that does not depend on the data, `I(S;V) = E KL(P_{V|S} || P_V) <= E KL(P_{V|S} || Q)`.
    With `V = W + sigma N` and `Q` centred at the mean `c` of the *other* students, which is independent of this
    one's data, that is `E |W - c|^2 / (2 sigma^2)`.  The students share start, prompt, and order of batches, so
    that `W` is a function of `S`; the mean over students estimates the bound without bias.  The standard error
    treats the students' distances as independent, which they nearly are.
    """
    if len(models) < 3 or not sigma > 0:
        raise ValueError(f"at least three students and a positive sigma, got {len(models)} and {sigma}")
    flat = torch.cat([value.reshape(len(models), -1) for value in models.parameters.values()], dim=1).double()
    others = (flat.sum(0) - flat) / (len(models) - 1)
    bounds = ((flat - others) ** 2).sum(1).cpu().numpy() / (2 * sigma**2)
    return Estimated(float(bounds.mean()), float(bounds.std(ddof=1) / np.sqrt(len(bounds))))


def perturb(models: Ensemble, sigma: float, rng: Generator) -> Ensemble:
    """The models with Gaussian noise of standard deviation `sigma` on every parameter."""
    found = {}
    for name, value in models.parameters.items():
        noise = torch.as_tensor(rng.normal(0, sigma, value.shape), dtype=value.dtype, device=value.device)
        found[name] = value + noise
    return Ensemble(models.module, found)


class Difference(NamedTuple):
    """The loss-difference bound.  gap: mean loss on ghosts minus on training data, what it bounds.

    information: I(difference; coin) in nats, at most log 2.  square: the mean square of the difference.
    bound: sqrt(2 information square).  Each with its standard error, by the jackknife over students.
    """

    gap: Estimated
    information: Estimated
    square: Estimated
    bound: Estimated


def loss_difference(training: np.ndarray, ghosts: np.ndarray, step: float, rng: Generator) -> Difference:
    """Bound the generalization gap by what the losses tell about which of two data was trained on.

    A bound from supersamples (Steinke and Zakynthinou 2020) by differences of losses (Wang and Mao 2023), with the
    mean square of the difference in the place of a largest loss, so that losses need none.

    Let `d = l(W, Z') - l(W, Z)` for a training datum `Z` and a ghost `Z'` from the same law, at a position chosen
    uniformly; the gap is `E d`.  Let a fair coin `U` swap the two, and `Delta = (-1)^U d`.  Given Delta, the coin
    has a bias `b` with `b^2 / 2 <= log 2 - H(U|Delta)`, so `|E d| = |E Delta b| <= sqrt(2 I(Delta;U) E d^2)`.
    With a fair coin the information is the Jensen-Shannon divergence between the laws of `d` and `-d`.  Samples of
    one prompt may be used, as they are i.i.d. given it.

    Losses are rounded at random to a neighbouring multiple of `step`, with the mean that they had: that leaves
    the gap as it is.  The estimate of the information errs upwards, by about the number of values that occur
    divided by four times the number of pairs.

    Args:
        training, ghosts: losses (runs, n): row r of one student, on its own data and on fresh data.
        step: in units of the loss.
    """
    if training.shape != ghosts.shape or training.ndim != 2 or len(training) < 3:
        raise ValueError(
            f"training and ghosts: one shape, three runs or more, got {training.shape}, {ghosts.shape}"
        )
    counts = _counts(training, ghosts, step, rng)
    total = counts.sum(axis=0)
    whole = _difference(total, step)
    left_out = np.array([_difference(total - row, step) for row in counts])
    runs = len(counts)
    se = np.sqrt((runs - 1) / runs * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    return Difference(*(Estimated(float(v), float(s)) for v, s in zip(whole, se, strict=True)))


def information_of(training: np.ndarray, ghosts: np.ndarray, step: float, rng: Generator) -> tuple[float, ...]:
    """Gap, information, mean square and bound of :func:`loss_difference`, without standard errors."""
    return _difference(_counts(training, ghosts, step, rng).sum(axis=0), step)


def _counts(training: np.ndarray, ghosts: np.ndarray, step: float, rng: Generator) -> np.ndarray:
    """How often each difference of rounded losses occurs for each student, in steps around zero in the middle."""
    both = np.stack([training, ghosts])
    if not np.isfinite(both).all() or not step > 0:
        raise ValueError("losses are finite, and the step of rounding is positive")
    a, b = np.floor(both / step + rng.random(both.shape)).astype(np.int64)
    most = int(np.abs(b - a).max())
    return np.array([np.bincount(row + most, minlength=2 * most + 1) for row in b - a])


def _difference(counts: np.ndarray, step: float) -> tuple[float, float, float, float]:
    """Gap, information, square and bound from the counts of `d`, in steps around zero in the middle."""
    law = counts / counts.sum()
    d = step * (np.arange(len(law)) - len(law) // 2)
    information = max(0.0, entr((law + law[::-1]) / 2).sum() - entr(law).sum())
    return law @ d, information, law @ d**2, np.sqrt(2 * information * (law @ d**2))
