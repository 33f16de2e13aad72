"""The small model, generator and data set: the grammar of their texts, and that the hub's code loads them."""

from __future__ import annotations

import datasets
import numpy as np
import pytest

from rbcore.lm import small
from rbcore.lm.hub import experiment as hub

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("place", [*small.PLACES, None])
def test_sentences_have_the_grammar_and_the_words_of_their_place(place):
    places = [place] if place else list(small.PLACES)
    nouns, adjectives, verbs = (
        {word for p in places for word in small.PLACES[p][kind].split()} for kind in range(3)
    )
    for row in small.sentences(np.random.default_rng(0), place, 50):
        a, first, noun, verb, b, second, other = row.split()
        assert a == b == small.ARTICLE and {noun, other} <= nouns
        assert {first, second} <= adjectives and verb in verbs


def test_no_word_belongs_to_two_places():
    words = [w for place in small.PLACES.values() for kind in place for w in kind.split()]
    assert len(words) == len(set(words))


def test_an_unknown_place_is_refused():
    with pytest.raises(ValueError, match="farm, sea"):
        small.sentences(np.random.default_rng(0), "moon", 1)


@pytest.mark.slow
def test_what_is_saved_loads_as_the_hubs_do_and_is_made_of_its_seed(tmp_path):
    made = [small.save(tmp_path / name, 4, texts=60, steps=40) for name in ("one", "two")]
    assert small.sentences(np.random.default_rng(4), "sea", 3)
    rows = datasets.load_from_disk(made[0].data)
    assert len(rows) == 60 and set(rows["place"]) == {"sea"}
    experiment = hub.Experiment(
        made[0].model, made[0].data, made[0].generator, anchors=8, held_out=20, validation=0, synthetic=6, shown=2,
        separator=" ; ", tokens=8, least=1, steps=5,
    )  # fmt: skip
    own = hub.texts(experiment, 1)
    assert len(hub.synthesize(experiment, own.anchors, 1)[0]) == 6
    losses = []
    for one in made:
        _, model = hub.load(one.model)
        losses.append(hub.log_losses(experiment, model, own.held_out))
    np.testing.assert_array_equal(losses[0], losses[1])
    assert losses[0].mean() < 7 * np.log(len(small.tokenizer()))  # it has learned some grammar
