"""Mutants of the book: does anything notice when one small thing is changed?

Every mutant is one change of one file, chosen by a seed from all changes that its class can make.  A mutant is
killed when one of the judges of its class (:mod:`mutants.classes`) finds something; what survives is listed with
its reason.  Verdicts are kept under a digest of the change and of all that judged it, so that another call judges
only what is new.

Text, pins, records and notebooks need an engine of their own, and the Python mutants come out of the same one.
cosmic-ray changes modules in place and its sessions do not see that a test changed; mutmut runs the whole suite
to map tests to functions, which here takes as long as all mutants.  Neither reads anything but Python.
"""
