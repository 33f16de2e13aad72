"""One table of symbols: the names used in expressions, code and tests, and how the book prints them."""

import re
from typing import NamedTuple


class Symbol(NamedTuple):
    """A random variable: its plain name in expressions and code, its LaTeX form, and what it stands for."""

    name: str
    latex: str
    meaning: str


NOTATION: dict[str, Symbol] = {
    symbol.name: symbol
    for symbol in (
        Symbol("S", r"S_{\mathrm{anchor}}", "the anchor data: the few real samples one starts from"),
        Symbol("P", "p", "the prompt built from the anchor data"),
        Symbol("X", "X", "the generative model's answer $M(p)$"),
        Symbol("eps", r"\varepsilon", "the curation that turns the model's answer into synthetic data"),
        Symbol("G", r"S_{\mathrm{gen}}", "the synthetic data"),
        Symbol("W", "W", "the parameters after post-training on the synthetic data"),
        Symbol("W'", "W'", "the parameters after training on the anchor data alone"),
        Symbol("e_p", "e_p", "the part of the synthetic data that comes from the prompt"),
        Symbol("e_M", "e_M", "the part of the synthetic data that comes from the generative model"),
        Symbol("hp", "h(e_p)", "what the answer uses of the prompt's part"),
        Symbol("gM", "g(e_M)", "what the answer uses of the generative model's part"),
    )
}

_GREEK = {
    **{
        name: "\\" + name
        for name in (
            "alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
            "chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
        ).split()
    },
    "eps": r"\varepsilon",
    "epsilon": r"\varepsilon",
    "phi": r"\varphi",
}


def latex_name(name: str) -> str:
    r"""The LaTeX form of a variable's name, without dollar signs.

    A name in :data:`NOTATION` is printed as the table says, with any further primes kept (``G'`` is
    ``S_{\mathrm{gen}}'``).  Other names follow a generic rule: single letters are italic, longer words
    upright, Greek names Greek; trailing digits and whatever follows an underscore become the subscript.

    >>> latex_name("G"), latex_name("x1"), latex_name("foo_bar"), latex_name("alpha'")
    ('S_{\\mathrm{gen}}', 'x_{1}', '\\mathrm{foo}_{\\mathrm{bar}}', "\\alpha'")
    """
    if name in NOTATION:
        return NOTATION[name].latex
    base = name.rstrip("'")
    primes = name[len(base) :]
    if base in NOTATION:
        return NOTATION[base].latex + primes
    head, *subscripts = [part for part in base.split("_") if part] or [r"\_"]
    if numbered := re.fullmatch(r"([A-Za-z]+)([0-9]+)", head):
        head, number = numbered.groups()
        subscripts.insert(0, number)
    subscript = ",".join(_word(part) for part in subscripts)
    return _word(head) + (f"_{{{subscript}}}" if subscript else "") + primes


def _word(word: str) -> str:
    """One word: Greek by name, a single character or a number as it is, anything longer upright."""
    if word in _GREEK:
        return _GREEK[word]
    return word if len(word) == 1 or word.isdigit() or word == r"\_" else rf"\mathrm{{{word}}}"
