"""Records as points: TF-IDF and a truncated SVD fitted on the spot, a sentence encoder, or given vectors.

All inputs of an audit are embedded by one map, so that their points can be compared.  The default needs no
download: words are hashed, weighted by TF-IDF (Salton and Buckley 1988), and projected onto the
leading singular directions of a sample.  It sees words, not meaning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.random import Generator
from scipy.sparse import vstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import Normalizer

from rbcore.audit.copies import Progress, silent
from rbcore.audit.options import DEFAULT
from rbcore.audit.prepared import some

Code = Callable[[str, slice], np.ndarray]
"""Points of some rows of the input with that name."""
DIMENSION = 64  # of the default embedding
FITTED_ON = 20_000  # records, at most
BLOCK = 4096  # records embedded at once


class EmbedError(ValueError):
    """The embedding cannot be made; the message says what to do."""


def embed(
    inputs: Mapping[str, Sequence[str] | np.ndarray],
    rng: Generator,
    encoder: str = DEFAULT,
    dimension: int = DIMENSION,
    progress: Progress = silent,
) -> dict[str, np.ndarray]:
    """Points of shape (n, d), float32, for each input.

    Args:
        inputs: texts, or vectors of shape (n, d), by name; all of one kind.
        encoder: ``"tfidf"``, or the name or local path of a sentence-transformers model (for texts only).
        dimension: of the TF-IDF embedding, at most.
        progress: called with the records embedded and their total.

    Vectors are standardized with the mean and deviation of the first input, so that no unit counts more than
    another.

    Raises:
        EmbedError: when the encoder cannot be loaded, or there is nothing to fit the default on.
    """
    vectors = {name: one for name, one in inputs.items() if isinstance(one, np.ndarray)}
    if vectors:
        if encoder != DEFAULT:
            raise EmbedError(f"EMBED={encoder}: the data are vectors already; leave EMBED out")
        return _standardized(vectors)
    texts = {name: one for name, one in inputs.items() if not isinstance(one, np.ndarray)}
    code = _tfidf(texts, rng, dimension) if encoder == DEFAULT else _sentence_encoder(texts, encoder)
    total, done = sum(map(len, texts.values())), 0
    points: dict[str, np.ndarray] = {}
    for name, one in texts.items():
        blocks = []
        for start in range(0, len(one), BLOCK):
            blocks.append(np.asarray(code(name, slice(start, start + BLOCK)), dtype=np.float32))
            done += len(blocks[-1])
            progress(done, total)
        points[name] = np.concatenate(blocks)
        if not np.isfinite(points[name]).all():
            raise EmbedError(f"EMBED={encoder}: it gave NaN or infinity in {name}; use another encoder")
    return points


def _tfidf(inputs: Mapping[str, Sequence[str]], rng: Generator, dimension: int) -> Code:
    hashing = HashingVectorizer(
        n_features=2**18, alternate_sign=False, norm=None, token_pattern=r"(?u)\w+|[^\w\s]"
    )
    each = max(1, FITTED_ON // len(inputs))
    fitted = {
        name: hashing.transform([texts[i] for i in some(np.arange(len(texts)), each, rng)])
        for name, texts in inputs.items()
    }
    counts = vstack(list(fitted.values()), format="csr")
    rank = min(dimension, counts.shape[0] - 1, np.unique(counts.indices).size - 1)
    if rank < 1:
        raise EmbedError("the texts hold fewer than two different words: there is nothing to compare")
    weights = TfidfTransformer(sublinear_tf=True).fit(counts)
    used = np.unique(counts.indices)  # hashed columns that occur: the SVD needs no others
    svd = TruncatedSVD(rank, n_iter=3, random_state=int(rng.integers(2**31)))
    svd.fit(weights.transform(counts)[:, used])
    unit = Normalizer()

    def code(name: str, rows: slice) -> np.ndarray:
        texts = inputs[name]
        whole = len(texts) <= each  # then its words are hashed already
        hashed = fitted[name][rows] if whole else hashing.transform(list(texts[rows]))
        return unit.transform(svd.transform(weights.transform(hashed)[:, used]))

    return code


def _sentence_encoder(inputs: Mapping[str, Sequence[str]], name: str) -> Code:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EmbedError(
            f"EMBED={name} needs the extra package: .venv/bin/python -m pip install '.[embeddings]'"
        ) from error
    try:
        model = SentenceTransformer(name, trust_remote_code=False)
    except Exception as error:  # the libraries raise whatever their readers do
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise EmbedError(f"EMBED={name}: no sentence-transformers model can be read there ({reason})") from error
    return lambda one, rows: model.encode(
        list(inputs[one][rows]), batch_size=64, show_progress_bar=False, convert_to_numpy=True
    )


def _standardized(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(x, dtype=float) for name, x in inputs.items()}
    first = next(iter(arrays.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale = first.std(axis=0)
        constant = scale <= 1e-12 * np.maximum(1.0, np.abs(first).max(axis=0))
        whole = np.concatenate(list(arrays.values()))
        spread = whole.std(axis=0)  # a column that only the others vary in keeps their unit
        scale = np.where(constant, np.where(spread > 0, spread, 1.0), scale)
    return {name: ((x - first.mean(axis=0)) / scale).astype(np.float32) for name, x in arrays.items()}
