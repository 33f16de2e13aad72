"""Classifiers that tell two samples apart: the built-in ones, their scores, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from threadpoolctl import threadpool_limits

SMALL = 20_000  # rows up to which one thread is faster, and much faster where others wait for the processor
FOLDS = 5  # of cross-validation on the training half
QUADRATIC = 30  # columns up to which "auto" tries squares and products


def built_in(seed: int) -> Mapping[str, BaseEstimator]:
    """The classifiers by name: linear, with squares and products of the columns, and boosted trees."""
    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "quadratic": make_pipeline(
            StandardScaler(),
            PolynomialFeatures(2, include_bias=False),
            StandardScaler(),
            LogisticRegression(max_iter=500),
        ),
        "boosted": HistGradientBoostingClassifier(
            learning_rate=0.1, max_iter=100, max_leaf_nodes=15, min_samples_leaf=10, random_state=seed
        ),
    }


def _threads(rows: np.ndarray) -> threadpool_limits:
    """One thread for the trees of a small sample."""
    return threadpool_limits(1 if len(rows) <= SMALL else None, user_api="openmp")


def _odds(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 1e-12, 1 - 1e-12)
    return np.log(share) - np.log1p(-share)


def log_odds(model: Any, rows: np.ndarray) -> np.ndarray:
    """The fitted classifier's log odds of the second class, or its scores where it has no probabilities."""
    with _threads(rows):
        if hasattr(model, "predict_proba"):
            return _odds(model.predict_proba(rows)[:, 1])
        return np.asarray(model.decision_function(rows), dtype=float)


def _held_out_scores(
    model: BaseEstimator, rows: np.ndarray, labels: np.ndarray, folds: StratifiedKFold
) -> np.ndarray:
    """The scores of each row by the classifier fitted without its fold."""
    if not hasattr(model, "predict_proba"):
        return cross_val_predict(model, rows, labels, cv=folds, method="decision_function")
    return _odds(cross_val_predict(model, rows, labels, cv=folds, method="predict_proba")[:, 1])


def _named(classifier: str | BaseEstimator, seed: int, columns: int) -> dict[str, BaseEstimator]:
    """The classifiers to choose from, by name."""
    if isinstance(classifier, str):
        models = built_in(seed)
        if classifier == "auto":
            return {name: model for name, model in models.items() if name != "quadratic" or columns <= QUADRATIC}
        if classifier not in models:
            known = ", ".join(map(repr, ["auto", *models]))
            raise ValueError(f"classifier must be one of {known} or a scikit-learn classifier, got {classifier!r}")
        return {classifier: models[classifier]}
    if not hasattr(classifier, "fit") or not (
        hasattr(classifier, "predict_proba") or hasattr(classifier, "decision_function")
    ):
        raise ValueError(f"a classifier needs fit and predict_proba or decision_function, got {classifier!r}")
    return {type(classifier).__name__: clone(classifier)}


def choose(
    classifier: str | BaseEstimator,
    rows: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    scored: bool = True,
) -> tuple[str, Any, np.ndarray]:
    """The classifier's name, itself fitted to `rows`, and its cross-validated scores of `rows`.

    ``"auto"`` takes the built-in one with the least cross-validated log loss.  Without `scored` a single
    classifier is not cross-validated, and the scores are empty.

    Raises:
        ValueError: for an unknown name, something that is no classifier, or fewer than FOLDS rows of a class.
    """
    smallest = int(np.bincount(labels, minlength=2).min())
    if smallest < FOLDS:
        raise ValueError(f"each sample needs at least {2 * FOLDS} rows for two halves, one has half of {smallest}")
    seed = int(rng.integers(2**31))
    models = _named(classifier, seed, rows.shape[1])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with _threads(rows):
        if len(models) == 1:
            ((name, model),) = models.items()
            scores = _held_out_scores(model, rows, labels, folds) if scored else np.empty(0)
        else:
            all_scores = {one: _held_out_scores(model, rows, labels, folds) for one, model in models.items()}
            name = min(models, key=lambda one: log_loss(labels, special.expit(all_scores[one])))
            scores = all_scores[name]
        rule = models[name].fit(rows, labels)  # ty: ignore[missing-attribute]  # of all estimators but their base
        return name, rule, scores
