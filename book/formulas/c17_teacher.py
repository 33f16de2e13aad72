"""Chapter 17: when does a student beat its teacher?"""

from rbcore.book.formulas import tie
from rbcore.book.tex import Function
from rbcore.information.finite import kl, random_pmf
from rbcore.theory.teacher import tilted


@tie("misfit", sharp=1e-6)
def misfit(rng):
    """KL, and a class that asks for a mean; on its edge the theorem of Pythagoras holds."""
    teacher, truth = random_pmf(rng, 4, (2,)).T
    feature = teacher - truth
    inside = truth @ feature + (0.0 if rng.random() < 0.6 else 0.5) * (teacher - truth) @ feature
    student = tilted(teacher, feature, inside)
    return {"D": Function(kl), "g": truth, "s": student, "w": teacher}
