"""Random finite models that obey the assumptions of a problem, in two ensembles.

* :func:`random_models`: Bayesian networks with dense, sparse and deterministic links, as tables; wide, for
  falsification.
* :func:`random_functions`: each variable a random function of a few random bits and of earlier variables; small,
  with many zeros and equalities, for the search for counterexamples.

Both draw the variables in a random order in which functions follow their inputs, and let no variable depend on one
that a conditional independence rules out.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.random import Generator

from rbcore.information.finite import KINDS, Joint, random_channel
from rbcore.information.forms import constant_size, is_constant
from rbcore.information.problem import Problem, ProverError

CELLS = 2048  # of the joint table of one model, at most, unless binary variables need more
EXACT = 1e-9  # nats by which an assumption may be off, which is rounding
_ORDERS = 20  # random orders of the variables to try for one that respects the assumptions
_PATIENCE = 400  # structures without a single model before it is said that there is none


def random_models(problem: Problem, rng: Generator, batch: int) -> Iterator[Joint]:
    """Batches of models that satisfy the assumptions, without end; each batch has one structure.

    Inequalities, and what chance the structure leaves, are settled by rejection: only models that satisfy every
    assumption are kept.  Raises ProverError where none does.
    """
    sets = {s for c in problem.assumptions for s in c.form.coefficients}
    misses = 0
    while True:
        joint = _network(problem, rng, batch)
        good = problem.assumed_slack(joint.entropies(sets)) >= -EXACT
        misses = 0 if good.any() else misses + 1
        if good.any():
            yield joint if good.all() else joint.take(good)
        elif misses > _PATIENCE:
            assumptions = "; ".join(statement.text for statement in problem.given)
            raise ProverError(f"no random model satisfies {assumptions}: are they contradictory?")


def _network(problem: Problem, rng: Generator, batch: int) -> Joint:
    """A batch of Bayesian networks with the same edges."""
    joint: Joint | None = None
    sizes: dict[str, int] = {}
    limit = int(rng.integers(2, 4))
    for name in _order(problem, problem.variables, rng, _ORDERS):
        parents, kind = problem.inputs(name, sizes), "deterministic"
        function = parents is not None
        if not function:
            separated, kind = problem.separated(name), KINDS
            allowed = [x for x in sizes if x not in separated]
            parents = list(rng.permutation(allowed)[: rng.choice([0, 1, 1, 2, 2, 3])]) if allowed else []
        outputs = int(rng.integers(2, limit + 1 + (not parents or function)))
        room = CELLS // math.prod(sizes.values()) >> len(problem.variables) - len(sizes) - 1
        outputs = max(2, min(outputs, room))
        shape = [sizes[x] for x in parents]
        rows = random_channel(rng, math.prod(shape), outputs, batch, kind, 10.0 ** rng.uniform(-1, 1.5, batch))
        channel = rows.reshape(*shape, outputs, batch)
        joint = joint.extend(name, channel, parents) if joint else Joint([name], channel)
        sizes[name] = outputs
    assert joint is not None  # a statement has variables
    return joint


def random_functions(problem: Problem, rng: Generator, models: int, bits: int) -> dict[str, np.ndarray]:
    """Each variable's value, of shape (models, 2^bits), by the outcome of independent bits; one structure.

    The variables of the assumptions come first.  That the assumptions hold is likely, not certain.
    """
    names = tuple(dict.fromkeys(name for s in (*problem.given, problem.statement) for name in s.variables))
    tosses = [np.broadcast_to(np.arange(1 << bits) >> i & 1, (models, 1 << bits)) for i in range(bits)]
    obeys = rng.random() < 0.7  # independences may hold by chance, too: take a parity
    concerned = frozenset().union(*(s for sets in problem.independences for s in sets)) if obeys else ()
    unused, values = list(tosses), {}
    for name in _order(problem, names, rng):
        inputs = problem.inputs(name, values)
        if inputs is not None:
            sources = [values[source] for source in inputs]
        else:
            separated = problem.separated(name) if obeys else ()
            few = min(len(unused), rng.integers(1, 3))
            pool = [unused.pop() for _ in range(few)] if name in concerned else list(tosses)
            pool += [values[parent] for parent in values if parent not in separated]
            sources = [pool[i] for i in rng.permutation(len(pool))[: rng.integers(1, 4)]]
        values[name] = _function(rng, sources, models, 1 << bits)
    return {name: values[name] for name in names}


def outcome_probabilities(bias: Iterable[float]) -> np.ndarray:
    """The probabilities of the 2^bits outcomes of independent bits; bit k of the index is bit k."""
    p = np.ones(1)
    for b in bias:
        p = np.concatenate([p * (1 - b), p * b])
    return p


def function_entropies(
    p: np.ndarray, values: Mapping[str, np.ndarray], sets: Iterable[frozenset[str]]
) -> dict[frozenset[str], np.ndarray]:
    """Joint entropies in nats, one per model, of functions of outcomes of probability p; also of the empty set."""
    same = {name: x[:, :, None] == x[:, None, :] for name, x in values.items()}
    n = len(next(iter(values.values())))
    entropies = {frozenset(): np.zeros(n)}
    for s in sets:
        if any(map(is_constant, s)):
            (name,) = s
            sizes = entropies[frozenset()] + [
                constant_size(name, lambda x, i=i: values[x][i].max() + 1) for i in range(n)
            ]
            entropies[s] = np.log(sizes)
            continue
        mass = np.logical_and.reduce([same[name] for name in s]) @ p
        entropies[s] = -np.log(np.where(mass > 0, mass, 1)) @ p  # outcomes of no mass weigh nothing
    return entropies


def _order(problem: Problem, names: Sequence[str], rng: Generator, attempts: int = 1) -> list[str]:
    """A random order: inputs of functions before outputs, and no middle of a chain after both of its ends.

    Where a random order ends in one that must break this, another is tried, some times.
    """
    for _ in range(attempts):
        order: list[str] = []
        stuck = False
        while rest := [name for name in names if name not in order]:
            known = {*order}
            early = {x for inputs, outputs in problem.functions if not inputs <= known for x in outputs}
            late = {x for a, b, middle in problem.independences if a & known and b & known for x in middle}
            ready = [name for name in rest if name not in early | late]
            stuck |= not ready
            pool = ready or rest
            order.append(pool[rng.integers(len(pool))])
        if not stuck:
            break
    return order


def _function(rng: Generator, sources: list[np.ndarray], models: int, outcomes: int) -> np.ndarray:
    """A random function of the sources, another one in each model: table, sum, all of them, or constant."""
    code, total = np.zeros((2, models, outcomes), dtype=int)
    for source in sources:
        code, total = code * outcomes + source, total + source
    code = _relabel(code)
    table = rng.integers(0, rng.integers(2, 5), (models, outcomes))
    values = [table[np.arange(models)[:, None], code], total % 2, total, code, np.zeros_like(code)]
    kind = rng.choice(len(values), p=[0.35, 0.2, 0.1, 0.25, 0.1], size=(models, 1))
    return _relabel(np.choose(kind, values))


def _relabel(x: np.ndarray) -> np.ndarray:
    """Each value, along the last axis, replaced by the number of values that came before it first did."""
    first = (x[:, :, None] == x[:, None, :]).argmax(axis=2)
    new = first == np.arange(x.shape[1])
    return (new.cumsum(axis=1) - 1)[np.arange(len(x))[:, None], first]
