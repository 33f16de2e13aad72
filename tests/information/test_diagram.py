"""Information diagrams: the regions add up, and the drawing shows them."""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.information.diagram import atoms, information_diagram
from rbcore.information.finite import Joint, random_joint

FAIR = [0.5, 0.5]
XOR = Joint("A", FAIR).extend("B", FAIR).extend("C", np.bitwise_xor, given="A,B")


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_the_regions_of_any_circles_add_up_to_the_entropy_of_their_union(seed, n):
    names = "ABCD"[:n]
    joint = random_joint(np.random.default_rng(seed), list(names), (2,) * n, concentration=0.3)
    worth = atoms(joint, names)
    assert len(worth) == 2**n - 1
    for size in range(1, n + 1):
        for chosen in itertools.combinations(names, size):
            total = sum(bits for inside, bits in worth.items() if inside & set(chosen))
            assert math.isclose(total, joint.H(chosen, units="bits"), abs_tol=1e-9)


def test_two_independent_bits_and_their_parity_have_a_negative_centre():
    worth = atoms(XOR, "ABC")
    assert math.isclose(worth[frozenset("ABC")], -1)
    assert all(math.isclose(worth[frozenset(pair)], 1) for pair in ("AB", "AC", "BC"))
    assert all(math.isclose(worth[frozenset(single)], 0, abs_tol=1e-12) for single in "ABC")


@pytest.mark.parametrize("names", ["AB", "ABC"])
def test_each_region_shows_its_worth_and_each_circle_its_name(names):
    figure, ax = plt.subplots()
    information_diagram(ax, XOR, names)
    shown = sorted(text.get_text() for text in ax.texts)
    numbers = [f"{bits + 0.0:.2f}".replace("-0.00", "0.00") for bits in atoms(XOR, names).values()]
    assert shown == sorted([*(n.replace("-", "\u2212") for n in numbers), *(f"${name}$" for name in names)])
    plt.close(figure)


def test_a_number_stands_inside_its_own_region():
    figure, ax = plt.subplots()
    information_diagram(ax, XOR, "ABC")
    centres = {patch.center for patch in ax.patches}
    memberships = [
        frozenset(c for c in centres if math.dist(c, text.get_position()) < 1)
        for text in ax.texts
        if "$" not in text.get_text()
    ]
    assert len(set(memberships)) == 7 and frozenset() not in memberships
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused():
    figure, ax = plt.subplots()
    with pytest.raises(ValueError, match="not 1"):
        information_diagram(ax, XOR, "A")
    batch = random_joint(np.random.default_rng(0), ["A", "B"], (2, 2), 5)
    with pytest.raises(ValueError, match="batch of 5"):
        atoms(batch, "AB")
    plt.close(figure)
