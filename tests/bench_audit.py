"""Parts of the audit and their peers: near-copies against datasketch and rensa, the n-gram student and loops.

python tests/bench_audit.py [texts of each side]

Near-copies: texts of 40 words against as many others, of which one in twenty is a near-copy.  datasketch
sketches each text (MinHash, 21 bands of 6 rows: a pair of similarity 0.8 is missed with probability 0.2 %), and
what its index returns is compared exactly, as ours is; rensa does the same in compiled code.  The words are drawn
from a Zipf law; then all texts share a template (about two thirds of their words), with far fewer texts, because
many of their pairs are candidates of such a banding.  Third, the n-gram student against the same model by
dictionaries of counts.

Each contestant runs in a process of its own, on one thread; times are processor times without imports.  The exit
status is 1 if contestants that miss nothing disagree, or a peer misses more than one near-copy in a hundred.
"""

import importlib.util
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict

import numpy as np

from rbcore.audit.copies import between
from rbcore.estimate.ngram import END, Ngram, tokenize

SEED = 20261125
TEXTS, TEMPLATED, MODELLED = 100_000, 1_000, 20_000
BANDS, ROWS = 21, 6
THRESHOLD = 0.8
TEMPLATE = (
    "once upon a time there was {} and they all lived happily ever after in the big house by the sea until {} came"
)


def zipf(rng: np.random.Generator, n: int, vocabulary: int = 20_000, length: int = 40) -> list[str]:
    """Texts of words with Zipf frequencies."""
    law = 1 / np.arange(1, vocabulary + 1)
    names = np.array([f"w{i}" for i in range(vocabulary)])
    return [" ".join(row) for row in names[rng.choice(vocabulary, size=(n, length), p=law / law.sum())]]


def sides(kind: str, n: int) -> tuple[list[str], list[str]]:
    """Records and others; every twentieth record is another's copy with one word changed."""
    rng = np.random.default_rng(SEED)
    if kind == "zipf":
        records, others = zipf(rng, n), zipf(rng, n)
    else:
        records, others = (
            [TEMPLATE.format(" ".join(f"w{j}" for j in rng.integers(2000, size=8)), "she") for _ in range(n)]
            for _ in range(2)
        )
    for i in range(0, n, 20):
        words = others[i].split()
        records[i] = " ".join([*words[:7], "changed", *words[8:]])
    return records, others


def ours(kind: str, n: int) -> dict[str, object]:
    """Near-copies by rbcore."""
    records, others = sides(kind, n)
    start = time.process_time()
    found = between(records, others, THRESHOLD)
    return {"seconds": time.process_time() - start, "hits": np.flatnonzero(found.of >= 0).tolist()}


def datasketch(kind: str, n: int) -> dict[str, object]:
    """Near-copies by datasketch, compared exactly."""
    from datasketch import MinHash, MinHashLSH

    def shingles(text: str) -> set[bytes]:
        words = ["", *text.split(), ""]
        return {" ".join(pair).encode() for pair in zip(words[:-1], words[1:], strict=True)}

    def sketches(texts: list[str]):
        return MinHash.generator(map(shingles, texts), num_perm=BANDS * ROWS, seed=1, scheme="affine64")

    records, others = sides(kind, n)
    start = time.process_time()
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    for i, sketch in enumerate(sketches(others)):
        index.insert(i, sketch, check_duplication=False)
    hits = []
    for i, sketch in enumerate(sketches(records)):
        mine = shingles(records[i])
        for j in index.query(sketch):
            theirs = shingles(others[j])
            if len(mine & theirs) >= THRESHOLD * len(mine | theirs):
                hits.append(i)
                break
    return {"seconds": time.process_time() - start, "hits": hits}


def rensa(kind: str, n: int) -> dict[str, object]:
    """Near-copies by rensa, compared exactly."""
    from rensa import RMinHash, RMinHashLSH

    def shingles(text: str) -> list[str]:
        words = ["", *text.split(), ""]
        return [f"{a} {b}" for a, b in zip(words[:-1], words[1:], strict=True)]

    records, others = sides(kind, n)
    start = time.process_time()
    theirs = [shingles(text) for text in others]
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=BANDS * ROWS, num_bands=BANDS)
    index.insert_many(RMinHash.from_token_sets(theirs, num_perm=BANDS * ROWS, seed=1), 0)
    mine = [shingles(text) for text in records]
    found = index.query_all(RMinHash.from_token_sets(mine, num_perm=BANDS * ROWS, seed=1))
    hits = []
    for i, candidates in enumerate(found):
        if candidates:
            own = set(mine[i])
            if any(len(own & (other := set(theirs[j]))) >= THRESHOLD * len(own | other) for j in candidates):
                hits.append(i)
    return {"seconds": time.process_time() - start, "hits": hits}


def modelled() -> tuple[list[str], list[str]]:
    """Training texts and others."""
    rng = np.random.default_rng(SEED)
    return zipf(rng, MODELLED), zipf(rng, MODELLED)


def ngram(kind: str, n: int) -> dict[str, object]:
    """The n-gram student by rbcore."""
    train, test = modelled()
    start = time.process_time()
    model = Ngram.fit(train)
    middle = time.process_time()
    losses = model.losses(test)
    end = time.process_time()
    return {"seconds": end - start, "fit": middle - start, "losses": losses[:2000].tolist()}


def loops(kind: str, n: int) -> dict[str, object]:
    """The same by dictionaries, a token at a time; the law of spellings is rbcore's."""
    train, test = modelled()
    start = time.process_time()
    counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for text in train:
        words = ["<", "<", *tokenize(text), "end"]
        for i in range(2, len(words)):
            for k in range(3):
                counts[tuple(words[i - k : i])][words[i]] += 1
    size = {context: (len(seen), seen.total()) for context, seen in counts.items()}
    middle = time.process_time()
    spelling = Ngram.fit(train, order=1).spelling
    split = [tokenize(text) for text in test]
    kinds = sorted({word for words in split for word in words})
    law = dict(zip(kinds, (1 - END) * np.exp(spelling.log_prob(kinds)), strict=True)) | {"end": END}
    begun = time.process_time()
    losses = []
    for tokens in split:
        words, loss = ["<", "<", *tokens, "end"], 0.0
        for i in range(2, len(words)):
            prob = law[words[i]]
            for k in range(3):
                context = tuple(words[i - k : i])
                if context in size:
                    novel, total = size[context]
                    prob = (counts[context][words[i]] + novel * prob) / (total + novel)
            loss -= math.log(prob)
        losses.append(loss)
    seconds = middle - start + time.process_time() - begun
    return {"seconds": seconds, "fit": middle - start, "losses": losses[:2000]}


CONTESTANTS = {"ours": ours, "datasketch": datasketch, "rensa": rensa, "ngram": ngram, "loops": loops}


def contestant(name: str, kind: str = "", n: int = 0) -> dict[str, object]:
    """Run one contestant in a process of its own, on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, name, kind, str(n)]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(shown)


def main(texts: int) -> int:
    """Print the tables; the exit status."""
    agree = True
    peers = [name for name in ("datasketch", "rensa") if importlib.util.find_spec(name) is not None]
    for name in {"datasketch", "rensa"} - set(peers):
        print(f"{name} is not installed (pip install {name}): it has no rows")
    table = "{:<12}{:>10}  {:<12}{:>10}{:>10}{:>10}{:>10}"
    print("near-copies among texts of about 40 words (processor time over that of rbcore, peak memory)")
    print(table.format("words", "texts", "", "s", "ratio", "MB", "missed"))
    for kind, n in (("zipf", texts), ("template", TEMPLATED), ("template", texts)):
        mine = contestant("ours", kind, n)
        planted = np.arange(0, n, 20)
        agree &= bool(np.isin(planted, mine["hits"]).all())
        print(table.format(kind, f"{n:,}", "rbcore", f"{mine['seconds']:.1f}", "1.0", f"{mine['peak']:.0f}", "0"))
        for name in peers if not (kind == "template" and n > TEMPLATED) else []:
            theirs = contestant(name, kind, n)
            extra, missed = set(theirs["hits"]) - set(mine["hits"]), set(mine["hits"]) - set(theirs["hits"])
            agree &= not extra and len(missed) <= 0.01 * len(mine["hits"])
            ratio = theirs["seconds"] / mine["seconds"]
            print(
                table.format(
                    "", "", name, f"{theirs['seconds']:.1f}", f"{ratio:.2f}", f"{theirs['peak']:.0f}", len(missed)
                )
            )
    slow, fast = contestant("loops"), contestant("ngram")
    off = float(np.max(np.abs(np.array(slow["losses"]) / np.array(fast["losses"]) - 1)))
    agree &= off < 1e-9
    print(f"\nn-gram student of order 3, {MODELLED:,} texts of 40 words fitted, as many scored (processor time)")
    table = "{:<14}{:>10}{:>10}{:>10}"
    print(table.format("", "fit s", "score s", "MB"))
    for name, one in (("dictionaries", slow), ("rbcore", fast)):
        print(
            table.format(
                name, *(f"{x:.1f}" for x in (one["fit"], one["seconds"] - one["fit"])), f"{one['peak']:.0f}"
            )
        )
    print(f"ratio {slow['seconds'] / fast['seconds']:.1f}, largest relative difference of a loss {off:.1e}")
    print(f"agreement: {'yes' if agree else 'NO'}")
    return 0 if agree else 1


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in CONTESTANTS:
        result = CONTESTANTS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
        print(json.dumps(result | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else TEXTS))
