"""A language of ciphers: sequences whose distribution is known exactly, for models that have to learn it.

A sequence is `BOS tag x_1 .. x_l = y_1 .. y_l EOS`.  The tag names a skill, and each skill is a cipher: a
permutation of the letters, so that the right answer is `y_i = cipher(x_i)`.  The letters of the input are
i.i.d. from a skewed law.  A task is a set of skills: its distribution `D` draws one of them uniformly, then the
input.

Every string of `T - 1 = 2 l + 3` tokens after BOS is an outcome, well-formed or not, so that the laws of models
are laws on the same finite set as `D`.  `D` lives on `|skills| letters^l` outcomes, each with probability
`D(tag) p(x_1) .. p(x_l)`: few enough to enumerate, which makes KL(D || model) exact.

Arrays of tokens are integers of shape (N, T), one sequence in a row.  Information is in nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import xlogy


@dataclass(frozen=True, eq=False)
class Language:
    """Ciphers and the law of the letters.

    ciphers: `ciphers[s, a]` is what skill s makes of letter a, shape (skills, letters), rows are permutations.
    law: the law of an input letter, shape (letters,).  length: letters of an input, `l`.

    The vocabulary holds the letters first, then the tags, BOS, the equals sign and EOS.
    """

    ciphers: np.ndarray
    law: np.ndarray
    length: int = 3

    def __post_init__(self) -> None:
        ciphers, law = np.asarray(self.ciphers), np.asarray(self.law, dtype=float)
        if ciphers.ndim != 2 or not (np.sort(ciphers, axis=1) == np.arange(ciphers.shape[1])).all():
            raise ValueError("ciphers: each row is a permutation of the letters 0, 1, ..")
        if law.shape != ciphers.shape[1:] or (law <= 0).any() or abs(law.sum() - 1) > 1e-9:
            raise ValueError(f"law: a positive probability for each of the {ciphers.shape[1]} letters, got {law}")
        if self.length < 1:
            raise ValueError(f"length is the number of letters of an input, at least 1, got {self.length}")
        object.__setattr__(self, "ciphers", ciphers)
        object.__setattr__(self, "law", law)

    @property
    def skills(self) -> int:
        """The number of skills."""
        return self.ciphers.shape[0]

    @property
    def letters(self) -> int:
        """The size of the alphabet."""
        return self.ciphers.shape[1]

    @property
    def bos(self) -> int:
        """The token that begins a sequence."""
        return self.letters + self.skills

    @property
    def equals(self) -> int:
        """The token between input and answer."""
        return self.bos + 1

    @property
    def eos(self) -> int:
        """The token that ends a sequence."""
        return self.bos + 2

    @property
    def vocabulary(self) -> int:
        """The number of tokens."""
        return self.bos + 3

    @property
    def tokens(self) -> int:
        """`T`: the tokens of a sequence."""
        return 2 * self.length + 4

    @property
    def input_law(self) -> np.ndarray:
        """The law of the input, in the order of :meth:`inputs`, shape (letters^length,)."""
        return self.law[self.inputs()].prod(axis=1)

    def inputs(self) -> np.ndarray:
        """All inputs in lexicographic order, shape (letters^length, length)."""
        return np.indices((self.letters,) * self.length).reshape(self.length, -1).T

    def encode(self, skills: ArrayLike, inputs: ArrayLike) -> np.ndarray:
        """The sequences with these skills (N,) and inputs (N, length), rightly answered, shape (N, T)."""
        skills, inputs = np.asarray(skills, dtype=np.int64), np.asarray(inputs, dtype=np.int64)
        if len(skills):
            self.check_skills(skills)
        if inputs.shape != (len(skills), self.length):
            raise ValueError(f"inputs: {self.length} letters for each of {len(skills)} skills, got {inputs.shape}")
        return self.assemble(skills, inputs, self.ciphers[skills[:, None], inputs])

    def assemble(self, skills: np.ndarray, inputs: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The sequences with these parts, shape (N, T)."""
        n = len(skills)
        parts = [np.full(n, self.bos), skills + self.letters, inputs, np.full(n, self.equals), answers]
        return np.column_stack([*parts, np.full(n, self.eos)]).astype(np.int64)

    def support(self, skills: ArrayLike) -> np.ndarray:
        """All right sequences of these skills, skill by skill, shape (|skills| letters^length, T)."""
        inputs, skills = self.inputs(), np.asarray(skills)
        return self.encode(np.repeat(skills, len(inputs)), np.tile(inputs, (len(skills), 1)))

    def draw(self, rng: Generator, skills: ArrayLike, n: int, weights: ArrayLike | None = None) -> np.ndarray:
        """`n` draws from the task with these skills, uniform or with these `weights`, shape (n, T)."""
        skills = np.asarray(skills)
        self.check_skills(skills)
        chosen = rng.choice(skills, size=n, p=None if weights is None else np.asarray(weights, dtype=float))
        return self.encode(chosen, rng.choice(self.letters, size=(n, self.length), p=self.law))

    def draw_each(self, rng: Generator, skills: ArrayLike, n: int) -> np.ndarray:
        """`n` draws for each of these skills, shape (n |skills|, T): an anchor set with `n` anchors per skill."""
        repeated = np.repeat(np.asarray(skills), n)
        return self.encode(repeated, rng.choice(self.letters, size=(len(repeated), self.length), p=self.law))

    def tags(self, tokens: np.ndarray) -> np.ndarray:
        """The skill that each sequence names, -1 where the second token is no tag, shape (N,)."""
        skill = tokens[:, 1] - self.letters
        return np.where((skill >= 0) & (skill < self.skills), skill, -1)

    def well_formed(self, tokens: np.ndarray) -> np.ndarray:
        """Which rows have every kind of token in its place, shape (N,)."""
        l = self.length
        letters = np.concatenate([tokens[:, 2 : 2 + l], tokens[:, 3 + l : -1]], axis=1) < self.letters
        marks = (tokens[:, 0] == self.bos) & (tokens[:, 2 + l] == self.equals) & (tokens[:, -1] == self.eos)
        return marks & letters.all(axis=1) & (self.tags(tokens) >= 0)

    def correct(self, tokens: np.ndarray) -> np.ndarray:
        """The verifier: which rows are well-formed with the right answer, shape (N,)."""
        if tokens.ndim != 2 or tokens.shape[1] != self.tokens:
            raise ValueError(f"tokens: sequences of {self.tokens} tokens, got shape {tokens.shape}")
        fine, l = self.well_formed(tokens), self.length
        safe = np.where(fine[:, None], tokens, 0)
        skills = np.where(fine, self.tags(tokens), 0)
        right = self.ciphers[skills[:, None], safe[:, 2 : 2 + l]] == safe[:, 3 + l : -1]
        return fine & right.all(axis=1)

    def check_skills(self, skills: np.ndarray) -> None:
        """Refuse skills that the language does not have."""
        if skills.ndim != 1 or skills.size < 1 or skills.min() < 0 or skills.max() >= self.skills:
            raise ValueError(f"skills: a list of numbers in 0..{self.skills - 1}, got {skills}")


class Parts(NamedTuple):
    """KL(D || model) by the chain rule, in nats; what is asked (tag), of what (input), and what is answered.

    `answer` has the equals sign and EOS as well; given tag and input, `D` is certain of all of them.
    """

    tag: np.ndarray
    input: np.ndarray
    answer: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """KL(D || model), nats."""
        return self.tag + self.input + self.answer


def create(rng: Generator, skills: int = 28, letters: int = 8, length: int = 3, skew: float = 0.8) -> Language:
    """Random ciphers; letter i has a probability in proportion to `skew`^i."""
    if not 0 < skew <= 1:
        raise ValueError(f"skew is the ratio of the probabilities of neighbouring letters, in (0, 1], got {skew}")
    law = skew ** np.arange(letters)
    return Language(np.array([rng.permutation(letters) for _ in range(skills)]), law / law.sum(), length)


def task_law(
    language: Language, skills: Sequence[int] | np.ndarray, weights: ArrayLike | None = None
) -> np.ndarray:
    """`D` on `language.support(skills)`, shape (|skills| letters^length,); uniform over skills without weights."""
    weights = np.full(len(skills), 1 / len(skills)) if weights is None else np.asarray(weights, dtype=float)
    if weights.shape != (len(skills),) or (weights < 0).any() or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(f"weights: a probability for each of {len(skills)} skills, got {weights}")
    return np.outer(weights, language.input_law).ravel()


def task_entropy(language: Language, skills: int) -> float:
    """`H(D) = log(skills) + l H(letter)` of a task with so many skills, nats."""
    return float(np.log(skills) - language.length * xlogy(language.law, language.law).sum())


def kl_parts(language: Language, law: ArrayLike, log_probs: ArrayLike) -> Parts:
    """KL(D || model) from `law` = D (N,) and the model's `log_probs` (..., N, T - 1) of every token on its
    support.

    `law` and `log_probs` are in the order of `language.support`, with as many skills as the length says.
    """
    law, log_probs = np.asarray(law, dtype=float), np.asarray(log_probs, dtype=float)
    inputs = language.letters**language.length
    if log_probs.shape[-2:] != (len(law), language.tokens - 1) or len(law) % inputs:
        raise ValueError(f"log_probs: (.., {len(law)}, {language.tokens - 1}), got {log_probs.shape}")
    tags = law.reshape(-1, inputs).sum(axis=1)
    entropy = -xlogy(tags, tags).sum()
    whole = -xlogy(law, law).sum()
    cross = -np.einsum("n,...nt->...t", law, np.where(law[:, None] > 0, log_probs, 0.0))
    l = language.length
    return Parts(
        tag=cross[..., 0] - entropy,
        input=cross[..., 1 : 1 + l].sum(axis=-1) - (whole - entropy),
        answer=cross[..., 1 + l :].sum(axis=-1),
    )


def smooth(log_probs: np.ndarray, base: np.ndarray, share: float) -> np.ndarray:
    """The log-probabilities of `(1 - share) model + share base`, a mixture of whole sequences, token by token.

    Both have shape (..., N, T - 1) with the conditional log-probabilities of each token; so has the result, whose
    sum over tokens is `log((1 - share) exp(sum) + share exp(sum))`.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is the weight of the base, strictly between 0 and 1, got {share}")
    first = np.cumsum(log_probs, axis=-1, dtype=float) + np.log1p(-share)
    second = np.cumsum(base, axis=-1, dtype=float) + np.log(share)
    return np.diff(np.logaddexp(first, second), axis=-1, prepend=0.0)


def corrupt(language: Language, tokens: np.ndarray, rate: float, rng: Generator) -> np.ndarray:
    """The noise eps: each letter of an answer becomes another one, drawn uniformly, with probability `rate`.

    A right answer stays right with probability `(1 - rate)^length`, and wrong letters do not cancel, so from right
    data eps moves exactly `TV = 1 - (1 - rate)^length`; from any data at most that, P(eps != 0).
    Rows whose answer holds other tokens keep these.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is a probability, got {rate}")
    found, answers = tokens.copy(), slice(3 + language.length, -1)
    letters = found[:, answers]
    hit = (rng.random(letters.shape) < rate) & (letters < language.letters)
    shift = rng.integers(1, language.letters, size=letters.shape)
    found[:, answers] = np.where(hit, (letters + shift) % language.letters, letters)
    return found


def documents(
    language: Language,
    rng: Generator,
    topics: Sequence[Sequence[int]],
    n: int,
    sequences: int = 3,
    typos: float = 0.0,
) -> np.ndarray:
    """What a generator reads: `n` documents of so many sequences from one topic, shape (n, sequences T).

    A document has a topic, uniformly; each of its sequences a skill, uniformly from the topic's; and each letter
    of an answer is another one with probability `typos`.
    """
    if not topics or n < 1 or sequences < 1:
        raise ValueError("documents: at least one topic, one document and one sequence")
    chosen = rng.integers(len(topics), size=n)
    sizes = np.array([len(topic) for topic in topics])[chosen]
    padded = np.zeros((len(topics), max(map(len, topics))), dtype=np.int64)
    for row, topic in zip(padded, topics, strict=True):
        row[: len(topic)] = topic
    place = (rng.random((n, sequences)) * sizes[:, None]).astype(np.int64)
    skills = padded[chosen[:, None], place].ravel()
    inputs = rng.choice(language.letters, size=(len(skills), language.length), p=language.law)
    rows = language.encode(skills, inputs)
    return corrupt(language, rows, typos, rng).reshape(n, -1)


def posterior(topics: Sequence[Sequence[int]], skills: int, seen: ArrayLike) -> np.ndarray:
    """The exact law of the next skill in a document that has named the skills `seen` (N, n), shape (N, skills).

    Bayes' rule over topics: each is a uniform law over its skills, and all are equally likely beforehand.

    Raises:
        ValueError: when no topic has all the skills that a row names.
    """
    seen = np.asarray(seen, dtype=np.int64)
    law = np.zeros((len(topics), skills))
    for row, topic in zip(law, topics, strict=True):
        row[list(topic)] = 1 / len(topic)
    weights = law[:, seen].prod(axis=2)  # (topics, N)
    if (weights.sum(axis=0) <= 0).any():
        raise ValueError("seen: no topic has all the skills that a document names")
    return (weights / weights.sum(axis=0)).T @ law


def windows(skills: Sequence[int], size: int) -> tuple[tuple[int, ...], ...]:
    """Topics of `size` skills that overlap by half, around the circle of `skills`."""
    skills = [int(s) for s in skills]
    if size % 2 or not 2 <= size <= len(skills) or len(skills) % (size // 2):
        raise ValueError(f"size: an even number whose half divides {len(skills)}, got {size}")
    twice = skills + skills
    return tuple(tuple(twice[i : i + size]) for i in range(0, len(skills), size // 2))
