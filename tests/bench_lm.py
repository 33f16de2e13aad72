"""Transformer students: stacks against one at a time, and exact KL against a sampled estimate.

python tests/bench_lm.py [students]

Training: the same jobs (start, data, order of batches, recipe) as a stack, and in a plain loop over
`transformers.GPT2LMHeadModel`, one student after another, as one would write it first.  Their losses must agree to
TOLERANCE at every step; checked in double precision, since training can blow up the rounding of single precision,
whose differences are printed.  KL(D || student): by enumeration, and from draws of D.  The sampled estimates
must cover the exact value as often as their intervals say.  One thread; times are processor times.  The exit
status is 1 if losses or coverage differ.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy import stats

from rbcore import lm
from rbcore.lm import language as lm_language
from rbcore.lm import models as lm_models
from rbcore.lm.training import Job, Recipe, batches, train

SEED = 20250424
STUDENTS = 16
STEPS = 150
CHECKED = 4  # students whose losses are compared in double precision
DRAWS = (256, 1024, 4096)
REPEATS = 200  # estimates of each size
TOLERANCE = 1e-4  # nats per token, for the losses


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds, and what the work returns."""
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def plain(jobs: list[Job], recipe: Recipe) -> np.ndarray:
    """The losses (steps, students) of ordinary models, trained one after another."""
    losses = np.zeros((recipe.steps, len(jobs)))
    for i, job in enumerate(jobs):
        model = job.start.model(0).train()
        model.set_attn_implementation("sdpa")  # transformers' default
        model.to(job.start.parameters[lm_models.EMBEDDING].dtype)
        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.rate, betas=(0.9, 0.98))
        data = torch.as_tensor(job.data)
        for step, rows in enumerate(batches(job.data, job.seed, recipe)):
            optimizer.param_groups[0]["lr"] = recipe.rate_at(step)
            tokens = data[rows]
            loss = model(tokens, labels=tokens, use_cache=False).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[step, i] = loss.item()
    return losses


def training(students: int) -> tuple[bool, lm.Ensemble, lm.Language]:
    """Print the speeds; whether the losses agree, and the students."""
    rng = np.random.default_rng(SEED)
    language = lm_language.create(rng)
    start = lm_models.create(language.vocabulary, lm.Size(), [rng])
    jobs = [Job(start, language.draw(rng, range(12, 20), 2048), i) for i in range(students)]
    recipe = Recipe(STEPS)
    train(jobs[:2], Recipe(5))
    plain(jobs[:1], Recipe(5))
    print(f"{students} students of {start.size:,} parameters, {STEPS} steps of {recipe.batch} sequences each")
    seconds, reference = timed(lambda: plain(jobs, recipe))
    model_steps = students * STEPS
    print(f"  plain loop, one at a time    {model_steps / seconds:7.0f} model-steps a second of processor time")
    for stack in sorted({1, 4, students}):
        mine, found = timed(lambda stack=stack: train(jobs, recipe, stack=stack))
        worst = float(np.abs(found.losses - reference).max())
        ratio = f"{seconds / mine:.1f} times; losses differ by {worst:.0e} at most"
        print(f"  stacks of {stack:3d}               {model_steps / mine:7.0f} ({ratio})")
    double = {name: value.double() for name, value in start.parameters.items()}
    jobs = [job._replace(start=lm.Ensemble(start.module, double)) for job in jobs[:CHECKED]]
    worst = float(np.abs(train(jobs, recipe).losses - plain(jobs, recipe)).max())
    print(f"  in double precision the losses of {CHECKED} students differ by {worst:.0e} at most")
    return worst <= TOLERANCE, found.models, language


def divergence(models: lm.Ensemble, language: lm.Language) -> bool:
    """Print exact and sampled KL; whether the intervals cover."""
    skills, fine = range(12, 20), True
    model = models[0]
    seconds, parts = timed(lambda: lm.kl(model, language, skills))
    exact = parts.total[0]
    print(f"KL(D || student) by enumeration: {exact:.4f} nats in {seconds:.3f} s, without error")
    rng = np.random.default_rng(SEED)
    own = lm.task_entropy(language, len(skills))
    for n in DRAWS:
        took, rows = timed(lambda n=n: lm.log_probs(model, language.draw(rng, skills, n))[0].sum(1))
        support = np.asarray(lm.log_probs(model, language.support(skills))[0].sum(1), dtype=float)
        law = lm.task_law(language, skills)
        draws = -own - support[rng.choice(len(law), size=(REPEATS, n), p=law)]
        half = stats.t.ppf(0.975, n - 1) * draws.std(axis=1, ddof=1) / np.sqrt(n)
        means = draws.mean(axis=1)
        covered = int((np.abs(means - exact) <= half).sum())
        fine &= stats.binomtest(covered, REPEATS, 0.95, alternative="less").pvalue > 1e-6
        error = means.std(ddof=1) / np.sqrt(REPEATS)
        print(
            f"  from {n:5d} draws: bias {means.mean() - exact:+.4f} +- {1.96 * error:.4f},"
            f" interval +- {half.mean():.4f}, covers in {covered} of {REPEATS}, {took:.3f} s"
        )
    return bool(fine)


def main() -> int:
    """Run both contests."""
    torch.set_num_threads(1)
    students = int(sys.argv[1]) if len(sys.argv) > 1 else STUDENTS
    agree, models, language = training(students)
    covers = divergence(models, language)
    if not agree:
        print("the losses differ")
    if not covers:
        print("the intervals do not cover")
    return 0 if agree and covers else 1


if __name__ == "__main__":
    sys.exit(main())
