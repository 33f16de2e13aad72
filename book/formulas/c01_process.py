"""Chapter 1: the generation process."""

from rbcore.book.formulas import proved

proved("anchors-told")  # what the prompt tells of the anchors
