"""Exercises with code: their one source in the notebooks, what grades them, and the editions made of them."""

from rbcore.course.grading import expect

__all__ = ["expect"]
