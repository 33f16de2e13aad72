"""Ask every address that the book's sources name whether it is still there: python tests/check_links.py

Broken is what answers 404 or 410, or whose host is not known; the exit status is 1 then.  Hosts that refuse
programs, errors of a server and timeouts are printed, and decide nothing.  Only the standard library.
"""

from __future__ import annotations

import re
import socket
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("notebooks/*.md", "book/*.md", "book/**/*.md", "book/*.yaml", "book/*.bib", "*.md", "CITATION.cff")
ADDRESS = re.compile(r"https?://[^\s<>\"'`{}|\\^]+")
ARXIV = re.compile(r"\barXiv[: ]\s?(\d{4}\.\d{4,5})")
EPRINT, DOI = (re.compile(rf"(?mi)^\s*{field}\s*=\s*\{{(.+?)\}}") for field in ("eprint", "doi"))
GONE, TRIES, PAUSE, PATIENCE = (
    (404, 410),
    2,
    1.0,
    20,
)  # codes; tries; seconds between requests to a host, of waiting
OURS = ("127.0.0.1", "localhost", "example.com", "example.org")
AGENT = {"User-Agent": "Mozilla/5.0 (compatible; link check of a book)"}


def addresses(text: str) -> set[str]:
    """The addresses in a text, without the punctuation that follows them, and without their fragments."""
    found = set()
    for one in ADDRESS.findall(text):
        one = one.rstrip(".,;:!?*_")
        while one.endswith((")", "]")) and one.count(")") + one.count("]") > one.count("(") + one.count("["):
            one = one[:-1].rstrip(".,;:!?*_")
        found.add(one.split("#")[0])
    found |= {f"https://arxiv.org/abs/{number}" for number in ARXIV.findall(text) + EPRINT.findall(text)}
    found |= {f"https://doi.org/{name}" for name in DOI.findall(text)}
    return {one for one in found if (urlsplit(one).hostname or "localhost") not in OURS}


def named(root: Path) -> dict[str, list[str]]:
    """Each address with the files that name it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted({path for place in PLACES for path in root.glob(place) if "_build" not in path.parts}):
        for one in addresses(path.read_text(encoding="utf8")):
            found[one].append(path.relative_to(root).as_posix())
    return dict(found)


def ask(address: str) -> str:
    """``""`` where it is there, ``gone: ...`` where it is not, else what keeps us from knowing."""
    said = ""
    for method in ("HEAD", *["GET"] * TRIES):
        request = urllib.request.Request(address, headers=AGENT, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):
                return ""
        except urllib.error.HTTPError as error:
            said = f"{'gone: ' if error.code in GONE else ''}{error.code} {error.reason}"
        except urllib.error.URLError as error:
            unknown = isinstance(error.reason, socket.gaierror) and error.reason.errno == socket.EAI_NONAME
            said = f"{'gone: ' if unknown else ''}{error.reason}"
        except (OSError, ValueError) as error:
            said = f"{error or type(error).__name__}"
        time.sleep(PAUSE)
    return said


def check(links: Iterable[str], asked: Callable[[str], str] = ask, pause: float = PAUSE) -> dict[str, str]:
    """What each address answers; hosts at the same time, addresses of one host one after the other."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for link in sorted(links):
        hosts[urlsplit(link).netloc].append(link)

    def host(links: list[str]) -> list[tuple[str, str]]:
        found = []
        for link in links:
            found.append((link, asked(link)))
            time.sleep(pause)
        return found

    with ThreadPoolExecutor(8) as pool:
        return {link: said for found in pool.map(host, hosts.values()) for link, said in found}


def main(root: Path = ROOT) -> int:
    """Print what is gone and what is not known; the exit status."""
    links = named(root)
    said = {link: words for link, words in check(links).items() if words}
    for link, words in sorted(said.items(), key=lambda one: not one[1].startswith("gone")):
        print(f"{link}\n  {words}\n  in {', '.join(links[link])}")
    gone = sum(words.startswith("gone") for words in said.values())
    print(f"{len(links)} addresses: {gone} gone, {len(said) - gone} not known")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
