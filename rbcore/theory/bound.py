"""The post-training bound, assembled from its three parts and evaluated exactly where outcomes are few.

For the prompt at hand, `n` readings are drawn i.i.d. from `D_gen(.|p)` and a learner turns them into `W`.  Then

    |E[R_D(W) - R_S(W)]| <= C E_p TV(D, D_gen(.|p)) + t C E_p sqrt(I(S_gen;W|p=p) / 2n)
                         <= C E_p[TV(D, D_M(.|p)) + TV(D_M(.|p), D_gen(.|p))] + t C E_p sqrt(I(S_gen;W|p=p) / 2n)

for a loss in [0, C] that reaches the datum through noisy layers that together have the Dobrushin coefficient `t`.
Information is in nats.  Outcomes come first in laws, models first in losses `l(w, z)`, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from rbcore.information.finite import tv
from rbcore.theory.generalization import Learner, learn, xu_raginsky


class Bound(NamedTuple):
    """The parts of the bound and what they bound; each of shape () or (settings,), in units of the loss.

    risk, training: `E R_D(W)` and `E R_S(W)`.  to_model, to_generated, to_sample: the three steps from the one to
    the other, `E[R_D - R_{D_M(.|p)}]`, `E[R_{D_M(.|p)} - R_{D_gen(.|p)}]` and `E[R_{D_gen(.|p)} - R_S]`, signed.
    task, generation, sampling: what the bound charges for them: the divergences of the prompt at hand, on average
    over prompts, times `C`, and the information term.  information: `I(S_gen;W|p)` in nats.
    direct: what the first two steps together cost at most, `C E_p TV(D, D_gen(.|p))`.
    """

    risk: np.ndarray
    training: np.ndarray
    to_model: np.ndarray
    to_generated: np.ndarray
    to_sample: np.ndarray
    task: np.ndarray
    generation: np.ndarray
    sampling: np.ndarray
    information: np.ndarray
    direct: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """`E[R_D(W) - R_S(W)]`, with its sign: the sum of the three steps."""
        return self.risk - self.training

    @property
    def shortest(self) -> np.ndarray:
        """The bound on the absolute value of the gap: the direct divergence and the information term."""
        return self.direct + self.sampling

    @property
    def total(self) -> np.ndarray:
        """The same with three terms: the divergence in two parts, which may be longer."""
        return self.task + self.generation + self.sampling

    @property
    def risk_bound(self) -> np.ndarray:
        """What the bound says about the risk: training risk plus bound."""
        return self.training + self.total


class Flow(NamedTuple):
    """The information that flows into the parameters from `n` readings that share a prompt; nats, all exact.

    given_prompt: `I(S_gen;W|p)`.  prompt: `I(p;W)`.  curation: `I(eps;W|X)`.  bottleneck_p, bottleneck_M:
    `I(e_p;W)` and `I(e_M;W)`.  dependence: `I(e_p;e_M|W) - I(e_p;e_M)`.  gain: `dI = H(X|h(e_p))`.
    entropy_M: `H(e_M)`.
    """

    given_prompt: float
    prompt: float
    curation: float
    bottleneck_p: float
    bottleneck_M: float
    dependence: float
    gain: float
    entropy_M: float

    @property
    def flow(self) -> float:
        """`I(S_gen;W) = I(S_gen;W|p) + I(p;W)`."""
        return self.given_prompt + self.prompt

    @property
    def formulation(self) -> float:
        """`-dI + B_syn + H(e_M) + delta`, with `delta` = curation + dependence."""
        bottleneck = self.bottleneck_p + self.bottleneck_M
        return self.entropy_M - self.gain + bottleneck + self.curation + self.dependence


def assemble(
    task: ArrayLike,
    prompt_pmf: ArrayLike,
    model: ArrayLike,
    generated: ArrayLike,
    losses: ArrayLike,
    learner: Learner,
    n: int,
    contraction: float = 1.0,
    scale: float = 1.0,
) -> Bound:
    """All terms of the bound, by enumeration of the samples' types.

    Args:
        task: `D`, shape (k,).  prompt_pmf: `D_p`, shape (k_p,).
        model, generated: `D_M(x|p)` and `D_gen(z|p)`, shape (k, k_p) or (k, k_p, settings).
        losses: `l(w, z)` in an interval of length `scale`, as the layers leave it; shape (k_w, k).
        learner: see :mod:`rbcore.theory.generalization`.  n: readings per prompt.
        contraction: the Dobrushin coefficient of the layers together, the largest for any parameters; 1 without.
        scale: `C`, of the loss in front of the layers.

    Raises:
        PmfError: when a law is none.  ValueError: when there are too many types.
    """
    task, weights = np.asarray(task, dtype=float), np.asarray(prompt_pmf, dtype=float)
    model, generated = np.asarray(model, dtype=float), np.asarray(generated, dtype=float)
    shape = generated.shape[1:]
    learned = learn(generated.reshape(len(generated), -1), learner, n)

    def over_prompts(values: np.ndarray) -> np.ndarray:
        return np.tensordot(weights, np.reshape(values, shape), axes=1)

    information = learned.information
    laws = [np.broadcast_to(task[:, None], (len(task), learned.pair.shape[-1]))]
    laws += [np.broadcast_to(law, generated.shape).reshape(len(law), -1) for law in (model, generated)]
    risks = [over_prompts(learned.risk(losses, law)) for law in laws]
    training = over_prompts(learned.training_risk(losses))
    return Bound(
        risk=risks[0],
        training=training,
        to_model=risks[0] - risks[1],
        to_generated=risks[1] - risks[2],
        to_sample=risks[2] - training,
        task=scale * over_prompts(np.broadcast_to(tv(task, model), shape)),
        generation=scale * over_prompts(np.broadcast_to(tv(model, generated), shape)),
        sampling=contraction * over_prompts(xu_raginsky(information, n, scale / 2)),
        information=over_prompts(information),
        direct=scale * over_prompts(np.broadcast_to(tv(task, generated), shape)),
    )


def stack(bounds: Iterable[Bound]) -> Bound:
    """Several settings, each of shape (), as one batch of shape (settings,)."""
    return Bound(*map(np.array, zip(*bounds, strict=True)))


def flow(
    prompt_pmf: ArrayLike, offsets: ArrayLike, noise: ArrayLike, learner: Learner, n: int, idle: float = 0.0
) -> Flow:
    """The flow in the additive world `X = p + e_M`, `Z = X + eps` modulo k, for `n` readings of one prompt.

    Args:
        prompt_pmf: `D_p`, shape (k,); here `h(e_p) = e_p = p`.
        offsets: the law of `X - p`, shape (k,), or (k, k) with a column for each prompt.
        noise: the law of `eps`, shape (k,).
        learner: a function of the counts, see :mod:`rbcore.theory.generalization`.
        n: readings; the ordered samples are enumerated, k^n of them, so at most 6 for eight outcomes.
        idle: nats of the generator's randomness per reading that leave no trace in the answer.

    Raises:
        ValueError: for more than a million ordered samples.
    """
    prompt_pmf, offsets, noise = (np.asarray(x, dtype=float) for x in (prompt_pmf, offsets, noise))
    k = len(prompt_pmf)
    if n < 1 or k**n > 1_000_000:
        raise ValueError(f"n is at least 1, and {k}^n at most a million ordered samples, got n={n}")
    outcomes = np.indices((k,) * n)  # (n, k, .., k)
    counts = np.stack([(outcomes == z).sum(axis=0) for z in range(k)], axis=-1).reshape(-1, k)
    given_data = learner(counts).reshape(*(k,) * n, -1)  # P(w | z_1, .., z_n)
    given_answers = given_data
    for axis in range(n):
        given_answers = sum(q * np.roll(given_answers, -e, axis) for e, q in enumerate(noise))
    columns = np.broadcast_to(offsets.reshape(k, -1), (k, k)).T  # the law of one e given each p
    own = [product_law(law, n) for law in columns]  # the law of (e_1, .., e_n) given p
    curated = [product_law(sum(q * np.roll(law, e) for e, q in enumerate(noise)), n) for law in columns]
    axes = tuple(range(n))
    shifted = [np.roll(given_answers, (-p,) * n, axes) for p in range(k)]  # P(w | e_1, .., e_n, p)
    given_prompt = np.array([np.tensordot(law, table, n) for law, table in zip(own, shifted, strict=True)])
    factor = sum(q * law for q, law in zip(prompt_pmf, own, strict=True))  # the law of (e_1, .., e_n)
    given_factor = sum(
        q * _ratio(law, factor)[..., None] * table for q, law, table in zip(prompt_pmf, own, shifted, strict=True)
    )  # P(w | e_1, .., e_n)
    models = prompt_pmf @ given_prompt
    left = [np.roll(given_data, (-p,) * n, axes) for p in range(k)]
    h_data = sum(q * _mean_entropy(law, table) for q, law, table in zip(prompt_pmf, curated, left, strict=True))
    h_answers = sum(q * _mean_entropy(law, table) for q, law, table in zip(prompt_pmf, own, shifted, strict=True))
    h_prompt, h_factor = _mean_entropy(prompt_pmf, given_prompt), _mean_entropy(factor, given_factor)
    h_models = _mean_entropy(np.ones(1), models[None])
    gain = n * float(prompt_pmf @ -xlogy(columns, columns).sum(axis=1))
    # I(e_p;e_M|W) - I(e_p;e_M) = I(e_p;W|e_M) - I(e_p;W)
    dependence = (h_factor - h_answers) - (h_models - h_prompt)
    return Flow(
        given_prompt=h_prompt - h_data,
        prompt=h_models - h_prompt,
        curation=h_answers - h_data,
        bottleneck_p=h_models - h_prompt,
        bottleneck_M=h_models - h_factor,
        dependence=dependence,
        gain=gain,
        entropy_M=float(-xlogy(factor, factor).sum()) + n * idle,
    )


def _ratio(law: np.ndarray, total: np.ndarray) -> np.ndarray:
    """`law / total`, zero where `total` is."""
    return np.divide(law, total, out=np.zeros_like(law), where=total > 0)


def waterfall(parts: Bound, flows: Flow, setting: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """What each term charges, and what it pays for, for one setting of a batch and losses in [0, 1].

    Charges, shape (5,): the two divergences; the information term given the prompt; what it grows by with
    `I(S_gen;W)` in the place of `I(S_gen;W|p)`; and with the formulation in the place of that.
    Steps, shape (3,): the true, signed steps of the risk that the first three pay for.
    """
    own = [float(part[setting]) for part in (parts.task, parts.generation, parts.sampling)]
    whole, formulation = xu_raginsky([flows.flow, flows.formulation], n)
    steps = [float(step[setting]) for step in (parts.to_model, parts.to_generated, parts.to_sample)]
    return np.array([*own, whole - own[-1], formulation - whole]), np.array(steps)


def product_law(law: np.ndarray, n: int) -> np.ndarray:
    """The law of `n` independent draws from `law` (k,), shape (k,) * n."""
    product = np.ones(())
    for _ in range(n):
        product = np.multiply.outer(product, law)
    return product


def _mean_entropy(law: np.ndarray, rows: np.ndarray) -> float:
    """The average, over `law` (..), of the entropies of the rows (.., k_w); nats."""
    return float(np.sum(law * -xlogy(rows, rows).sum(axis=-1)))
