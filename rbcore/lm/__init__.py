"""Language models whose task distribution is known exactly: the experiments of the transformer chapters.

    from rbcore import lm

    world = lm.build(seed=9)  # a language of ciphers, a base model and a generator, some 15 s of one core
    task = world.topics[0]
    pool = world.language.draw_each(rng, task, 32)  # anchors
    prompt = lm.Prompt(anchors=2)  # the map phi_T: two anchors in the context; tags=task makes it strict
    contexts = prompt.contexts(pool, rng, 64)
    data = lm.generate(world.generator, world.language, prompt, contexts, 2048, rng, lm.Curation(verify=True))
    models = lm.students(world, [pool, data.tokens], seeds=[1, 1])
    lm.kl(models, world.language, task)  # KL(D || model), exact, in its parts: tag, input, answer

One module per idea: :mod:`rbcore.lm.language` (sequences, tasks, noise, KL in parts), :mod:`rbcore.lm.verifier`
(verdicts that may err), :mod:`rbcore.lm.models` (GPT-2 models side by side, sampling), :mod:`rbcore.lm.training`
(stacks, checkpoints), :mod:`rbcore.lm.prompt` (prompts, laws of answers, divergences, information gain),
:mod:`rbcore.lm.world` (base, generator, students, mixtures, rules), :mod:`rbcore.lm.study` (students of different
data, in pairs), :mod:`rbcore.lm.gap` (the KL gap), :mod:`rbcore.lm.loop` (training on its own output),
:mod:`rbcore.lm.bound` (the post-training bound), :mod:`rbcore.lm.prediction` (what predicts the gain),
:mod:`rbcore.lm.arithmetic` (sums that people write with mistakes), :mod:`rbcore.lm.self_training` (practice on
one's own answers), :mod:`rbcore.lm.tries` (tries with a verifier), :mod:`rbcore.lm.worlds` (records of many
worlds) and :mod:`rbcore.lm.hub` (the same with any model and data set of the Hugging Face hub, where nothing is
known exactly).
"""

from __future__ import annotations

from rbcore.lm.bound import (
    Difference,
    Estimated,
    LogTerms,
    Terms,
    gaussian_information,
    log_losses,
    log_terms,
    loss_difference,
    losses,
    own_losses,
    perturb,
    terms,
)
from rbcore.lm.gap import gap_table, gaps, pools
from rbcore.lm.language import (
    Language,
    Parts,
    corrupt,
    documents,
    kl_parts,
    posterior,
    smooth,
    task_entropy,
    task_law,
    windows,
)
from rbcore.lm.loop import Arm, iterate
from rbcore.lm.models import Ensemble, Sampled, Size, join, kl, log_probs, next_law, sample
from rbcore.lm.prompt import (
    Answers,
    Curation,
    Divergences,
    Gain,
    Generated,
    Prompt,
    answers,
    ask,
    divergences,
    generate,
    ideal_gain,
    information_gain,
    passed_entropy,
    prompt_information,
    tag_law,
    verified,
)
from rbcore.lm.training import Job, Recipe, Trained, checkpoints, train
from rbcore.lm.verifier import Verifier
from rbcore.lm.world import Setup, World, build, duplicate, mix, rule_based, rule_law, students

__all__ = [
    "Answers",
    "Arm",
    "Curation",
    "Difference",
    "Divergences",
    "Ensemble",
    "Estimated",
    "Gain",
    "Generated",
    "Job",
    "Language",
    "LogTerms",
    "Parts",
    "Prompt",
    "Recipe",
    "Sampled",
    "Setup",
    "Size",
    "Terms",
    "Trained",
    "Verifier",
    "World",
    "answers",
    "ask",
    "build",
    "checkpoints",
    "corrupt",
    "divergences",
    "documents",
    "duplicate",
    "gap_table",
    "gaps",
    "gaussian_information",
    "generate",
    "ideal_gain",
    "information_gain",
    "iterate",
    "join",
    "kl",
    "kl_parts",
    "log_probs",
    "log_losses",
    "log_terms",
    "loss_difference",
    "losses",
    "mix",
    "next_law",
    "own_losses",
    "passed_entropy",
    "perturb",
    "pools",
    "posterior",
    "prompt_information",
    "rule_based",
    "rule_law",
    "sample",
    "smooth",
    "students",
    "tag_law",
    "task_entropy",
    "task_law",
    "terms",
    "train",
    "verified",
    "windows",
]
