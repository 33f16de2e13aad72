"""Are labels right, and their shares those of the task?"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from sklearn.linear_model import LogisticRegression

from rbcore.audit.prepared import Prepared, some
from rbcore.audit.questions.law import MOST, out_of_fold, threshold
from rbcore.audit.questions.verdict import (
    SHOWN,
    TOO_FEW,
    Named,
    Outcome,
    compare,
    outcome,
    percent,
    share_number,
    shares,
    shown,
    unchecked,
)

WRONG = 0.03  # share of labels beyond the usual disagreement that is worth a word
SHIFT = 0.03  # of a label's share
MATTERS = 0.15  # a share that a clear answer would have found


def wrong_labels(data: Prepared, rng: Generator) -> Outcome:
    """Do labels disagree with what the anchors teach more often in the synthetic data than among the anchors?"""
    labels = data.records["ANCHOR"].labels
    if labels is None or data.records["SYNTH"].labels is None:
        return unchecked("wrong-labels", "The records have no labels (LABEL=field names them).")
    labels, given = np.array(labels), np.array(data.records["SYNTH"].labels)
    own = data.own("ANCHOR")
    known = [label for label, k in zip(*np.unique(labels[own], return_counts=True), strict=True) if k >= 5]
    usable = own & np.isin(labels, known)
    if len(known) < 2 or usable.sum() < 50:
        return unchecked("wrong-labels", "It takes two labels with five anchors each, and 50 anchors.")
    model = LogisticRegression(C=10.0, max_iter=1000)
    rows = some(np.flatnonzero(usable), MOST, rng)
    x, y = data.points["ANCHOR"][rows].astype(float), labels[rows]
    usual = out_of_fold(model, model.predict, x, y, rng) != y
    found = threshold(data)
    calm = data.surprise["SYNTH"] <= (found[0] if found else np.inf)
    asked = data.own("SYNTH") & calm & np.isin(given, known)
    if asked.sum() < 20:
        return unchecked("wrong-labels", "Fewer than 20 synthetic records are on the task and no copies.")
    predicted = model.fit(x, y).predict(data.points["SYNTH"])
    wrong = asked & (predicted != given)
    meaning = "synthetic labels that an anchors' classifier contradicts"
    numbers = [
        share_number("label-disagreement", meaning, wrong[asked]),
        share_number("label-usual", "anchors' labels that it contradicts, out of fold", usual),
    ]
    sentence = (
        f"A classifier of the anchors contradicts {percent(wrong[asked])} of the synthetic labels, and "
        f"{percent(usual)} of the labels of anchors that it was not fitted on."
    )
    margin = model.predict_proba(data.points["SYNTH"]).max(axis=1)
    order = np.flatnonzero(wrong)[np.argsort(-margin[wrong])][:SHOWN]
    worst = tuple((shown(data, "SYNTH", i), f"labelled {given[i]}, looks like {predicted[i]}") for i in order)
    answer = compare(wrong[asked], usual, WRONG, MATTERS)
    return outcome("wrong-labels", answer, sentence, numbers, worst, Named(wrong, margin))


def label_shares(data: Prepared, rng: Generator) -> Outcome:
    """Does a label have another share among the synthetic records than among the anchors?"""
    labels = {name: data.records[name].labels for name in ("ANCHOR", "SYNTH")}
    if None in labels.values():
        return unchecked("label-shares", "The records have no labels (LABEL=field names them).")
    task, synth = (np.array(one)[data.own(name)] for name, one in labels.items())
    if min(task.size, synth.size) < 20:
        return unchecked("label-shares", TOO_FEW)
    names = np.union1d(task, synth)
    answer = shares(task, synth, SHIFT, MATTERS)
    differences = [(synth == name).mean() - (task == name).mean() for name in names]
    worst = names[int(np.argmax(np.abs(differences)))]
    numbers = [
        share_number("label-share-task", "anchors with the label whose share differs most", task == worst),
        share_number("label-share-synth", "synthetic records with that label", synth == worst),
    ]
    sentence = (
        f"The label whose share differs most, {str(worst)!r}, has {percent(task == worst)} of the "
        f"anchors and {percent(synth == worst)} of the synthetic records."
    )
    return outcome(
        "label-shares", answer, sentence, numbers, size=lambda x: f"a share that differs by {percent(x)}"
    )
