"""Reading records: files, folders and hub data sets become texts, vectors, labels and prompts."""

from rbcore.audit.read.writing import rewrite

__all__ = ["rewrite"]
