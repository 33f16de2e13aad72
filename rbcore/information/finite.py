"""Finite joint distributions: named variables, float64 tables, many models at once.

A :class:`Joint` holds the joint pmf of named finite variables for a whole *batch* of models.  The batch is
the last axis of every array, so that sums over outcomes run along contiguous memory.  Channels are arrays
of shape (k_given1, .., k_new) or (.., k_new, B) whose rows, along the axis of the new variable, sum to one.
Entropies are in nats unless asked otherwise (Cover & Thomas, Elements of Information Theory, ch. 2).

    joint = Joint.chain([("X", [0.5, 0.5]), ("Y", [[0.9, 0.1], [0.1, 0.9]])])
    joint.evaluate("H(X) - H(X|Y)") == joint.I("X", "Y")
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from rbcore.information.expr import NAME, Statement, parse_form, require_variables
from rbcore.information.forms import LinearForm, Value, constant_size, is_constant

_UNITS = {"nats": 1.0, "bits": math.log(2)}
_TOLERANCE = 1e-9  # how far from one the sum of a given distribution may be
_TINY = np.finfo(np.float64).tiny
_BLOCK = 1 << 16  # table cells worked on at a time: near the cache's size, and a bound on memory

Names = str | Iterable[str]  # "A", "A,B", or an iterable of names
KINDS = ("dirichlet", "sparse", "deterministic")  # of random channels
Batch = int | tuple[int, ...] | None  # None: no batch axis


class PmfError(ValueError):
    """An array that is not a distribution or a channel, or variables that do not fit a joint."""


class Joint:
    """The joint pmf of named finite variables, for one model or a batch of models; immutable.

    Args:
        names: the variables, ``"A,B"`` or a sequence; identifiers that may end in primes (``"W'"``).
        p: shape (k_1, .., k_n), or (k_1, .., k_n, B) for B models; non-negative, each model sums to one.

    Attributes:
        names: tuple of the variables.
        sizes: dict from each variable to the size of its alphabet.
        batch: the number of models B, or None: then all results are plain numbers instead of (B,) arrays.
        p: read-only float64 array (k_1, .., k_n, B), with B = 1 for an unbatched joint.

    Raises PmfError for a bad name or a bad array; the message points at the model and the cell.

    >>> copy = Joint("X,Y", [[0.5, 0], [0, 0.5]])
    >>> copy.I("X", "Y", units="bits"), copy.evaluate("H(X|Y)")
    (1.0, 0.0)
    """

    def __init__(self, names: Names, p: ArrayLike):
        names, p = _check_names(_split(names)), _numbers(p, "the joint")
        n = len(names)
        if n == 0 or p.ndim not in (n, n + 1):
            raise PmfError(f"{n} variables need {n} axes, or {n + 1} with the batch last, not {p.shape}")
        _check_sums(p, tuple(range(n)), p.ndim - n, "the joint")
        self._fill(names, p.reshape(*p.shape[:n], -1), p.shape[-1] if p.ndim > n else None)

    def _fill(self, names: tuple[str, ...], p: np.ndarray, batch: int | None) -> "Joint":
        """Set the attributes, without checks: p is (k_1, .., k_n, B) and already known to be a pmf."""
        p.flags.writeable = False
        self.names, self.p, self.batch = names, p, batch
        self.sizes = dict(zip(names, p.shape, strict=False))
        return self

    def _derive(self, names: tuple[str, ...], p: np.ndarray, batch: int | None) -> "Joint":
        return object.__new__(Joint)._fill(names, p, batch)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {size}" for name, size in self.sizes.items())
        return f"Joint({sizes})" if self.batch is None else f"Joint({sizes}; {self.batch} models)"

    @classmethod
    def chain(cls, links: Sequence[tuple[str, ArrayLike]]) -> "Joint":
        """A Markov chain: the pmf of the first variable, then a channel (k_previous, k_next) for each other.

        Each array may have the batch as a further, last axis; those without it are the same in all models.
        """
        (first, pmf), *rest = links
        joint = cls([first], pmf)
        for (previous, _), (name, channel) in zip(links, rest, strict=False):
            joint = joint.extend(name, channel, given=[previous])
        return joint

    def extend(
        self, name: str, channel: ArrayLike | Callable[..., ArrayLike], given: Names = (), size: int | None = None
    ) -> "Joint":
        """Add a variable that depends on the ``given`` ones alone: one node of a Bayesian network.

        Args:
            channel: p(new | given), of shape (k_given1, .., k_new[, B]), or a function of the given
                variables, called once with integer index arrays and returning the new variable's indices:
                ``lambda x, e: (x + e) % 8``.  With no ``given``, the pmf of an independent variable.
            given: the variables it depends on, in the order of the channel's axes or of the arguments.
            size: the new variable's alphabet, for a function; by default its largest value plus one.

        Raises PmfError for a name already there, unknown given variables, a bad channel, another batch size.
        """
        names, given = _check_names((*self.names, name)), self._known(given)
        inputs = tuple(self.sizes[g] for g in given)
        if callable(channel):
            channel = _table(channel, inputs, size)
        channel = check_channel(channel, inputs, f"the channel to {name}")
        batch = channel.shape[-1] if channel.ndim > len(given) + 1 else None
        if None not in (batch, self.batch) and batch != self.batch:
            raise PmfError(f"the channel to {name} has {batch} models, the joint {self.batch}")
        n = len(self.names)  # axes: the old variables 0..n-1, the new one n, the batch n + 1
        channel_axes = [*map(self.names.index, given), n, n + 1]
        channel = channel.reshape(*inputs, channel.shape[len(given)], -1)
        p = np.einsum(self.p, [*range(n), n + 1], channel, channel_axes, [*range(n + 2)])
        return self._derive(names, p, batch if self.batch is None else self.batch)

    def take(self, models: int | slice | np.ndarray) -> "Joint":
        """Some models of the batch, chosen as an axis of an array is; one, by its number, is without a batch."""
        p = np.ascontiguousarray(self.p[..., models])
        batch = p.shape[-1] if p.ndim > len(self.names) else None
        return self._derive(self.names, p.reshape(*self.sizes.values(), -1), batch)

    def marginal(self, *names: str) -> "Joint":
        """The joint of the named variables, in this order (``marginal("A", "B")`` or ``marginal("A,B")``)."""
        names = self._known([part for name in names for part in _split(name)])
        if not names:
            raise PmfError("a marginal needs at least one variable")
        axes = [*map(self.names.index, names), len(self.names)]
        return self._derive(names, np.einsum(self.p, [*range(self.p.ndim)], axes), self.batch)

    def H(self, a: Names, given: Names = (), units: str = "nats") -> Value:
        """Entropy H(a | given); shape (B,), or a float for an unbatched joint."""
        return self._information([a], given, units)

    def I(self, a: Names, b: Names, given: Names = (), units: str = "nats") -> Value:  # noqa: E743
        """Mutual information I(a; b | given); shape (B,), or a float for an unbatched joint."""
        return self._information([a, b], given, units)

    def _information(self, groups: Sequence[Names], given: Names, units: str) -> Value:
        if units not in _UNITS:
            raise PmfError(f"units are 'nats' or 'bits', not {units!r}")
        form = LinearForm.information([self._known(group) for group in groups], self._known(given))
        return self.evaluate(form) / _UNITS[units]

    def evaluate(self, expression: str | LinearForm | Statement) -> Value:
        """The value in nats of an expression such as ``"I(A;B|C) - 1/2 H(A)"``, or a statement's slack.

        Shape (B,), or a float for an unbatched joint.  Raises ExpressionError for a bad text.
        """
        if isinstance(expression, Statement):
            return expression.slack(self)
        form = expression if isinstance(expression, LinearForm) else parse_form(expression)
        if isinstance(expression, str):
            require_variables(expression, self.names)
        return form.value(self.entropies(form.coefficients))

    def entropies(self, subsets: Iterable[Names]) -> Mapping[frozenset[str], Value]:
        """The joint entropies of many sets of variables, in nats, by set; the empty set is always included.

        Each marginal is summed down from the smallest one already there that contains it, block of models
        by block of models.  Each entry has shape (B,), or is a float for an unbatched joint.
        """
        subsets = [frozenset(_split(subset)) for subset in subsets]
        constants = {s for s in subsets if any(map(is_constant, s))}
        wanted = {frozenset(self._known(subset)) for subset in subsets if subset not in constants} - {frozenset()}
        whole = frozenset(self.names)
        parents: dict[frozenset[str], frozenset[str]] = {}
        for subset in sorted(wanted - {whole}, key=len, reverse=True):
            supersets = (s for s in (whole, *parents) if subset < s)
            parents[subset] = min(supersets, key=lambda s: math.prod(self.sizes[name] for name in s))
        models = self.p.shape[-1]
        result: dict[frozenset[str], np.ndarray] = {s: np.zeros(models) for s in (frozenset(), *wanted)}
        step = max(1, _BLOCK * models // self.p.size)
        for block in (slice(start, start + step) for start in range(0, models, step)):
            tables = {whole: self.p[..., block]}
            for subset, parent in parents.items():
                summed_out = tuple(map(self.names.index, parent - subset))
                tables[subset] = tables[parent].sum(axis=summed_out, keepdims=True)
            for subset in wanted:
                table = tables[subset]
                result[subset][block] = _entropy(table.reshape(-1, table.shape[-1]))
        for (name,) in constants:
            result[frozenset([name])] = np.full(models, math.log(constant_size(name, self.sizes.__getitem__)))
        return result if self.batch is not None else {s: float(h[0]) for s, h in result.items()}

    def _known(self, names: Names) -> tuple[str, ...]:
        """The names as a tuple; PmfError if one is not a variable of this joint."""
        names = _split(names)
        for name in names:
            if name not in self.sizes:
                raise PmfError(f"no variable {name!r}: this joint has {', '.join(self.names)}")
        return names


def entropy(p: ArrayLike) -> Value:
    """Entropy in nats of pmfs with outcomes along axis 0; shape: the remaining axes."""
    return _plain(_entropy(*_pmfs(p)))


def tv(p: ArrayLike, q: ArrayLike) -> Value:
    """Total variation distance, half the L1 distance, of pmfs along axis 0; the other axes broadcast."""
    p, q = _pmfs(p, q)
    return _plain(0.5 * np.abs(p - q).sum(axis=0))


def kl(p: ArrayLike, q: ArrayLike) -> Value:
    """Kullback-Leibler divergence KL(p || q) in nats of pmfs along axis 0; the other axes broadcast.

    Infinite where p has mass that q lacks; 0 log 0 = 0.
    """
    return _plain(rel_entr(*_pmfs(p, q)).sum(axis=0))


def check_channel(p: ArrayLike, inputs: Sequence[int] | None = None, what: str = "channel") -> np.ndarray:
    """The channel p of shape (inputs.., k_out[, B]) as float64; its rows must be distributions.

    ``inputs`` are the sizes of the input variables, None for one input of any size; ``what`` is the
    channel's name in the message of the PmfError raised if its shape or a row is wrong.
    """
    p = _numbers(p, what)
    inputs = p.shape[:1] if inputs is None else tuple(inputs)
    n = len(inputs)
    if p.ndim - n not in (1, 2) or p.shape[:n] != inputs:
        shape = ", ".join([*map(str, inputs), "outputs"])
        raise PmfError(f"{what} needs shape ({shape}) or ({shape}, batch), not {p.shape}")
    _check_sums(p, (n,), p.ndim - n - 1, what)
    return p


def random_pmf(
    rng: Generator, size: int, batch: Batch = None, concentration: ArrayLike = 1, support: ArrayLike | None = None
) -> np.ndarray:
    """Symmetric Dirichlet pmfs of shape (size,), (size, B) or (size, *batch).

    A small ``concentration`` gives peaked pmfs, 1 the uniform law on the simplex.  With ``support`` at most
    so many cells, chosen at random, are non-zero.  Both may be arrays that broadcast over the batch.  The
    gamma variates are drawn as logarithms, since small ones underflow: gamma(a) = gamma(a + 1) U^(1/a)
    (Marsaglia & Tsang 2000).
    """
    shape = (size, *_shape(batch))
    a = np.asarray(concentration, dtype=float)
    logits = np.log(rng.standard_gamma(a + 1, shape)) - rng.standard_exponential(shape) / a
    if support is not None:
        if np.any(np.less(support, 1) | np.greater(support, size)):
            raise PmfError(f"the support must be between 1 and {size} cells")
        ranks = np.arange(size).reshape(-1, *[1] * (len(shape) - 1))
        logits[rng.permuted(np.broadcast_to(ranks, shape), axis=0) >= support] = -np.inf
    weights = np.exp(logits - logits.max(axis=0))
    return weights / weights.sum(axis=0)


def random_channel(
    rng: Generator,
    n_in: int,
    n_out: int,
    batch: Batch = None,
    kind: Names = "dirichlet",
    concentration: ArrayLike = 1,
) -> np.ndarray:
    """Channels of shape (n_in, n_out[, B]) with independent rows.

    Args:
        kind: "dirichlet" (see :func:`random_pmf`), "sparse" (each row misses a random number of outputs),
            "deterministic" (each row has one output), or several of these: each model draws one of them.
        concentration: of the Dirichlet law of a row's non-zero entries; a number or one per model.
    """
    rows = (n_in, *_shape(batch))
    kinds = _split(kind)
    if not kinds or not set(kinds) <= set(KINDS):
        raise PmfError(f"a channel's kind is one of {', '.join(KINDS)}, not {kind!r}")
    supports = dict(zip(KINDS, (n_out, rng.integers(1, max(n_out, 2), rows), 1), strict=True))
    drawn = rng.integers(len(kinds), size=rows[1:])
    support = np.choose(drawn, [np.broadcast_to(supports[kind], rows) for kind in kinds])
    return np.ascontiguousarray(random_pmf(rng, n_out, rows, concentration, support).swapaxes(0, 1))


def random_chain(
    rng: Generator, names: Names, sizes: Sequence[int], batch: Batch = None, kinds: Names = KINDS
) -> Joint:
    """A batch of random Markov chains along ``names``, from an ensemble with many corners: each link of each
    model draws its kind from ``kinds`` and its concentration log-uniformly from 0.1 to 10.
    """
    a = 10.0 ** rng.uniform(-1, 1, (len(sizes), *_shape(batch)))
    links = [random_pmf(rng, sizes[0], batch, a[0])]
    for i in range(1, len(sizes)):
        links.append(random_channel(rng, sizes[i - 1], sizes[i], batch, kinds, a[i]))
    return Joint.chain(list(zip(_split(names), links, strict=True)))


def random_joint(
    rng: Generator,
    names: Names,
    sizes: Sequence[int],
    batch: Batch = None,
    concentration: ArrayLike = 1.0,
    support: ArrayLike | None = None,
) -> Joint:
    """A batch of joints whose cells together follow one symmetric Dirichlet law (see :func:`random_pmf`)."""
    cells = random_pmf(rng, math.prod(sizes), batch, concentration, support)
    return Joint(names, cells.reshape(*sizes, *_shape(batch)))


def _split(names: Names) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)


def _check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for i, name in enumerate(names):
        if not re.fullmatch(NAME, name):
            raise PmfError(f"{name!r} is no name for a variable: it must be an identifier, such as W or W'")
        if name in names[:i]:
            raise PmfError(f"two variables are named {name}")
    return names


def _shape(batch: Batch) -> tuple[int, ...]:
    return () if batch is None else tuple(np.atleast_1d(batch))


def _plain(value: np.ndarray) -> Value:
    return value if np.ndim(value) else float(value)


def _entropy(p: np.ndarray) -> np.ndarray:
    """-sum p log p along axis 0, where 0 log 0 = 0 as the logarithm is kept finite."""
    total, step = np.zeros(p.shape[1:]), max(1, _BLOCK * len(p) // max(p.size, 1))
    for block in (p[start : start + step] for start in range(0, len(p), step)):
        total = total - np.einsum("c...,c...->...", block, np.log(np.maximum(block, _TINY)))
    return total


def _numbers(values: ArrayLike, what: str) -> np.ndarray:
    """A float64 copy; PmfError if the values are not real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.size == 0:
        raise PmfError(f"{what} needs real numbers, not an array of {array.dtype} and shape {array.shape}")
    return array.astype(np.float64)


def _check_sums(p: np.ndarray, axes: tuple[int, ...], batch_axes: int, what: str) -> None:
    """PmfError unless p is finite, non-negative and sums to one along the axes; the batch is last."""
    bad = ~(np.isfinite(p) & (p >= 0))
    if bad.any():
        raise PmfError(f"{what} has the entry {p[bad][0]}{_place(bad, batch_axes, 'cell')}")
    sums = p.sum(axis=axes)
    bad = np.abs(sums - 1) > _TOLERANCE
    if bad.any():
        raise PmfError(f"{what} sums to {sums[bad][0]:.12g}, not 1{_place(bad, batch_axes, 'row')}")


def _place(bad: np.ndarray, batch_axes: int, kind: str) -> str:
    """The first bad entry in words, such as " in cell 0,1, model 3"."""
    index = [str(i) for i in np.argwhere(bad)[0]]
    split = len(index) - batch_axes
    parts = [f"{what} {','.join(i)}" for what, i in ((kind, index[:split]), ("model", index[split:])) if i]
    return " in " * bool(parts) + ", ".join(parts)


def _pmfs(*arrays: ArrayLike) -> list[np.ndarray]:
    """Checked pmfs with equal outcomes along axis 0; axes of length one are put in to broadcast the rest."""
    pmfs = [np.atleast_1d(_numbers(p, "the pmf")) for p in arrays]
    for p in pmfs:
        _check_sums(p, (0,), p.ndim - 1, "the pmf")
        if len(p) != len(pmfs[0]):
            raise PmfError(f"two pmfs with different numbers of outcomes, {len(pmfs[0])} and {len(p)}")
    ndim = max(p.ndim for p in pmfs)
    return [p.reshape(len(p), *[1] * (ndim - p.ndim), *p.shape[1:]) for p in pmfs]


def _table(function: Callable[..., Any], inputs: tuple[int, ...], size: int | None) -> np.ndarray:
    """The channel (inputs.., size) of zeros and ones of a deterministic function of index arrays."""
    values = np.broadcast_to(function(*np.indices(inputs)), inputs)
    indices = values.astype(int)
    size = int(indices.max()) + 1 if size is None else size
    if np.any((indices != values) | (indices < 0) | (indices >= size)):
        raise PmfError(f"a function must return integers from 0 to {size - 1}, not {values.tolist()}")
    return np.eye(size)[indices]
