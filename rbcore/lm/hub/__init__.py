"""The experiment of the language-model chapters with any causal model and data set of the Hugging Face hub.

.venv/bin/python -m rbcore.lm.hub --model distilgpt2 --dataset ag_news --seeds 1 2 3 --folder runs/hub
"""

from rbcore.lm.hub.experiment import Experiment, check, compare, run

__all__ = ["Experiment", "check", "compare", "run"]
