"""Where the book lives: its repository, its site, its version and its commit, each known in one place.

The repository is `sphinx.config.repository` in `book/_config.yml`, or that of git's remote where it is public.
The address of the site is `html.baseurl` there.  Whatever is not known is an empty string.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rbcore.book.execute import ROOT

PUBLIC = re.compile(
    r"(?:https://|git@|ssh://git@)((?:www\.)?(?:github|gitlab)\.com)[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$"
)


class Address(NamedTuple):
    """Of a public repository: its host and its path, ``owner/name``; both empty where none is known."""

    host: str = ""
    path: str = ""

    @property
    def url(self) -> str:
        """The page of the repository, which git clones from, too."""
        return f"https://{self.host}/{self.path}" if self.host else ""

    @property
    def issues(self) -> str:
        """Where a new issue is written."""
        return f"{self.url}/{'-/' if 'gitlab' in self.host else ''}issues/new" if self.host else ""

    @property
    def on_github(self) -> bool:
        """Colab opens notebooks of GitHub only."""
        return self.host.endswith("github.com")


def address(text: str) -> Address:
    """The public repository that an address names, as git or a browser writes it."""
    found = PUBLIC.match(text.strip())
    return Address(found[1].removeprefix("www."), found[2]) if found else Address()


def repository(configured: str = "", root: Path = ROOT) -> Address:
    """The book's repository: the one that is configured, or that of the clone's origin where it is public."""
    return address(configured) if configured else address(_git(root, "remote", "get-url", "origin"))


def configured(root: Path = ROOT) -> tuple[str, str]:
    """What `book/_config.yml` says of the repository and of the site's address, without a final slash."""
    path = root / "book" / "_config.yml"
    said: dict[str, Any] = (yaml.safe_load(path.read_text(encoding="utf8")) if path.exists() else None) or {}
    place = (said.get("sphinx") or {}).get("config") or {}
    return str(place.get("repository") or ""), str((said.get("html") or {}).get("baseurl") or "").rstrip("/")


def version(root: Path = ROOT) -> str:
    """The version that `pyproject.toml` states."""
    path = root / "pyproject.toml"
    return tomllib.loads(path.read_text(encoding="utf8"))["project"]["version"] if path.exists() else ""


def commit(root: Path = ROOT) -> str:
    """The commit that is checked out."""
    return _git(root, "rev-parse", "HEAD")


def changed(root: Path = ROOT) -> list[str]:
    """Files that differ from the commit, or that git does not know and does not ignore."""
    return [line[3:] for line in _git(root, "status", "--porcelain").splitlines()]


@functools.cache
def _git(root: Path, *what: str) -> str:
    """What git answers; nothing where it, or the repository, is missing."""
    try:
        done = subprocess.run(["git", "-C", str(root), *what], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.rstrip() if done.returncode == 0 else ""
