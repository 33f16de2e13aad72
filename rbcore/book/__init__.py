"""The machinery of the book: record values and claims, execute notebooks, hold text and pins against the runs.

Notebooks use :mod:`rbcore.book.ledger`; everything else serves the build.  Nothing else in the core imports this.
"""
