"""A pretrained model as the generator: what it writes when asked for sums, recorded once and read at each build.

    from rbcore.lm import pretrained

    record = pretrained.read()  # what the model wrote, with provenance; needs no model
    table = pretrained.table(record)  # a row for each answer: text, gain, right or not
    laws = pretrained.laws(record)  # the model's exact law on all right sums, for some of the prompts

:mod:`rbcore.lm.pretrained.sums` is the task, :mod:`rbcore.lm.pretrained.writer` asks the model,
:mod:`rbcore.lm.pretrained.store` is the record, :mod:`rbcore.lm.pretrained.students` are small transformers that
learn from what was written.  `make real` installs the model's package and makes the record anew.
"""

from rbcore.lm.pretrained.store import RECORD, Record, laws, read, table
from rbcore.lm.pretrained.sums import HIGHEST, SUMS, Cell, cells, parse, prompt

__all__ = ["HIGHEST", "RECORD", "SUMS", "Cell", "Record", "cells", "laws", "parse", "prompt", "read", "table"]
