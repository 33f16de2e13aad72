"""Classifiers that tell two samples apart: the built-in ones, their scores, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

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


def log_odds(model: Any, rows: np.ndarray) -> np.ndarray:
    """The fitted classifier's log odds of the second class, or its scores where it has no probabilities."""
    if hasattr(model, "predict_proba"):
        share = np.clip(model.predict_proba(rows)[:, 1], 1e-12, 1 - 1e-12)
        return np.log(share) - np.log1p(-share)
    return np.asarray(model.decision_function(rows), dtype=float)


def _held_out_scores(
    model: BaseEstimator, rows: np.ndarray, labels: np.ndarray, folds: StratifiedKFold
) -> np.ndarray:
    if not hasattr(model, "predict_proba"):
        return cross_val_predict(model, rows, labels, cv=folds, method="decision_function")
    share = cross_val_predict(model, rows, labels, cv=folds, method="predict_proba")[:, 1].clip(1e-12, 1 - 1e-12)
    return np.log(share) - np.log1p(-share)


def choose(
    classifier: str | BaseEstimator, rows: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[str, Any, np.ndarray]:
    """The classifier's name, itself fitted to `rows`, and its cross-validated scores of `rows`.

    ``"auto"`` takes the built-in one with the least cross-validated log loss.

    Raises:
        ValueError: for an unknown name, something that is no classifier, or fewer than FOLDS rows of a class.
    """
    smallest = int(np.bincount(labels, minlength=2).min())
    if smallest < FOLDS:
        raise ValueError(f"each sample needs at least {2 * FOLDS} rows for two halves, one has half of {smallest}")
    seed = int(rng.integers(2**31))
    models = built_in(seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    if isinstance(classifier, str):
        if classifier != "auto" and classifier not in models:
            known = ", ".join(map(repr, ["auto", *models]))
            raise ValueError(f"classifier must be one of {known} or a scikit-learn classifier, got {classifier!r}")
        names = [classifier] if classifier != "auto" else ["linear", "quadratic", "boosted"]
        if classifier == "auto" and rows.shape[1] > QUADRATIC:
            names.remove("quadratic")
        scores = {name: _held_out_scores(models[name], rows, labels, folds) for name in names}
        name = min(
            names, key=lambda one: log_loss(labels, 1 / (1 + np.exp(-scores[one]))) if len(names) > 1 else 0
        )
        return name, models[name].fit(rows, labels), scores[name]
    if not (
        hasattr(classifier, "fit")
        and (hasattr(classifier, "predict_proba") or hasattr(classifier, "decision_function"))
    ):
        raise ValueError(f"a classifier needs fit and predict_proba or decision_function, got {classifier!r}")
    model = clone(classifier)
    scores = _held_out_scores(model, rows, labels, folds)
    return type(classifier).__name__, model.fit(rows, labels), scores
