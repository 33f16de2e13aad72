"""Statements as displayed mathematics, broken into lines where they are long."""

from __future__ import annotations

import re

from rbcore.information.expr import latex as expression
from rbcore.information.expr import parse

RELATION = {"<=": r"\le", ">=": r"\ge", "=": "=", "==": "="}
WIDTH = 34  # characters of a line on a page


def display(statement: str, width: int = WIDTH) -> str:
    """The LaTeX of a statement; a long one takes a line per relation, and a side longer than `width` several."""
    parts = re.split(r"(<=|>=|==|=|->)", statement)
    if len(parts) < 3 or len(statement) <= width + 1 or "->" in parts:
        return parse(statement).latex()
    signs = [RELATION[part] for part in parts[1::2]]
    (first, *more), *sides = (lines(part, width) for part in parts[::2])
    if len(signs) == 1:
        (second, *rest), sign = sides[0], signs[0]
        rows = [f"& {first}", *(f"&\\quad {line}" for line in more), f"&\\quad {sign} {second}"]
        rows += [f"&\\qquad {line}" for line in rest]
    else:
        rows = [f"& {first}", *(f"&\\quad {line}" for line in more)]
        for sign, (second, *rest) in zip(signs, sides, strict=True):
            rows += [f"&\\quad {sign} {second}", *(f"&\\qquad {line}" for line in rest)]
        if all(len(side) == 1 for side in (*sides, [first, *more])):
            rows = [f"{first} &{signs[0]} {sides[0][0]}"]
            rows += [f"&{sign} {side[0]}" for sign, side in zip(signs[1:], sides[1:], strict=True)]
    return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"


def lines(side: str, width: int = WIDTH) -> list[str]:
    """One side in LaTeX, broken before top-level plus and minus signs into lines of some `width` characters."""
    pieces, depth = [""], 0
    for piece in re.split(r"(?<=\s)(?=[+-]\s)", side.strip()):
        if pieces[-1] and depth == 0 and len(pieces[-1]) + len(piece) > width:
            pieces.append("")
        pieces[-1] += piece
        depth += piece.count("(") - piece.count(")")
    latex = [expression(pieces[0])]
    return latex + [rf"{{}} {piece[0]} {expression(piece[2:])}" for piece in pieces[1:]]
