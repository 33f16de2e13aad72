"""Exercises with code: their one source in the notebooks, what grades them, and the editions made of them."""

from rbcore.course.grading import expect, trial

__all__ = ["expect", "trial"]
