"""Chapter 9: language models."""

import numpy as np

from rbcore.book.formulas import tie
from rbcore.book.tex import At, Operator
from rbcore.information.finite import Joint, kl, random_pmf


@tie("parts")
def parts(rng):
    """Two tags, three inputs, two answers, of which the task has one for each tag and input."""
    tag, inputs = random_pmf(rng, 2), random_pmf(rng, 3)
    model = random_pmf(rng, 12).reshape(2, 3, 2)
    right = rng.integers(2, size=(2, 3))
    task = (tag[:, None] * inputs)[..., None] * np.eye(2)[right]
    tags, both = model.sum(axis=(1, 2)), model.sum(axis=2)
    answer = np.take_along_axis(model, right[..., None], axis=2)[..., 0] / both
    return {
        r"\KL(D \,\|\, \pi)": kl(task.ravel(), model.ravel()),
        "D(t)": tag,
        r"\pi(t)": tags,
        "D(x)": np.tile(inputs[:, None], 2),
        r"\pi(x \mid t)": (both / tags[:, None]).T,
        r"\pi(y \mid t, x)": answer,
        r"\E_D": Operator(lambda f: tag @ (f if f.ndim == 1 else f @ inputs)),
    }


@tie("token-gain")
def tokens(rng):
    """Two prompts, two tokens of three kinds."""
    prompt, first, second = random_pmf(rng, 2), random_pmf(rng, 3, (2,)), random_pmf(rng, 3, (2, 3))
    joint = Joint(["P"], prompt).extend("X_1", first.T, ["P"])
    joint = joint.extend("X_2", np.moveaxis(second, 0, -1), ["P", "X_1"])
    seen = prompt[:, None] * first.T

    def entropy(t: int) -> np.ndarray:
        law = np.repeat(first[..., None], 3, axis=-1) if t == 1 else second
        return -(law * np.log(law)).sum(axis=0)

    return {
        r"\Delta I": joint.evaluate("H(X_1,X_2|P)"),
        r"H(X \mid p)": joint.evaluate("H(P,X_1,X_2) - H(P)"),
        r"\E": Operator(lambda f: (seen * f).sum()),
        "T": 2,
        r"H\bigl(M(\cdot \mid p, X_{<t})\bigr)": At(entropy),
    }
