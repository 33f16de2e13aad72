"""What GitHub, Colab and Binder read: workflows pinned and with few rights, forms, the environment of Binder."""

import http.server
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import check_links
import pytest
import yaml

from rbcore.book.address import address
from rbcore.book.execute import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import launch  # an extension of the pages

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))


class Strict(yaml.SafeLoader):
    """YAML in which `on` is a word, as GitHub reads it."""


Strict.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for key, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    found = yaml.load(request.param.read_text(), Strict)
    found["text"] = request.param.read_text()
    return found


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_there_is_a_workflow_for_each_task() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "publish", "release", "weekly"]


def test_actions_are_pinned_by_commit_with_their_version(workflow: dict[str, Any]) -> None:
    used = re.findall(r"(?m)^\s*- uses: (.*)$|^\s*uses: (.*)$", workflow["text"])
    assert len(used) == sum("uses" in step for step in steps(workflow))
    for one in ("".join(found) for found in used):
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one), one


def test_one_action_has_one_version_everywhere() -> None:
    used = {tuple(one.split("@")) for path in WORKFLOWS for one in re.findall(r"uses: (\S+)", path.read_text())}
    assert len(used) == len({name for name, _ in used}) == 5


def test_rights_are_few_and_given_to_jobs_that_run_nothing_of_the_repository(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        rights = job.get("permissions", {})
        assert "write-all" not in rights
        if "write" in rights.values():
            assert not any("checkout" in step.get("uses", "") for step in job["steps"]), name
    assert "pull_request_target" not in workflow["on"] and "workflow_run" not in workflow["on"]


def test_jobs_end_and_do_not_pile_up(workflow: dict[str, Any]) -> None:
    assert all(0 < job["timeout-minutes"] <= 120 for job in workflow["jobs"].values())
    assert "concurrency" in workflow


def test_no_checkout_keeps_the_token_and_no_secret_is_needed(workflow: dict[str, Any]) -> None:
    for step in steps(workflow):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] == "false"
    assert "secrets." not in workflow["text"]


def test_nothing_that_others_write_is_pasted_into_a_script(workflow: dict[str, Any]) -> None:
    """It comes through the environment; `${{ }}` in a script would run it."""
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_the_scripts_are_bash(workflow: dict[str, Any]) -> None:
    for step in steps(workflow):
        if "run" in step:
            done = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr


def test_the_quick_tests_run_on_every_python_that_is_allowed_and_two_systems() -> None:
    matrix = yaml.load(WORKFLOWS[0].read_text(), Strict)["jobs"]["quick"]["strategy"]["matrix"]
    assert matrix == {"os": ["ubuntu-latest", "macos-latest"], "python": ["3.11", "3.12", "3.13"]}


def test_what_the_workflows_call_is_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for path in WORKFLOWS:
        text = path.read_text()
        assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets, path.name
        assert all((ROOT / name).exists() for name in re.findall(r"tests/\w+\.py|\.ci/run", text)), path.name


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(["actionlint"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one_that_github_takes(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert set(form) <= {"name", "description", "title", "labels", "body"} and form["name"] and form["description"]
    ids = [part["id"] for part in form["body"]]
    assert len(ids) == len(set(ids))
    for part in form["body"]:
        assert part["type"] in ("input", "textarea", "checkboxes", "dropdown")
        assert part["attributes"]["label"]
    assert any(part.get("validations", {}).get("required") for part in form["body"])
    assert len(FORMS) == 4


# ---------------------------------------------------------------------------------------------------------------
# Binder and Colab
# ---------------------------------------------------------------------------------------------------------------


def test_binder_gets_the_python_of_the_lock_and_torch_without_cuda_first() -> None:
    ours, theirs = (yaml.safe_load((ROOT / name / "environment.yml").read_text()) for name in ("", ".binder"))
    assert theirs["dependencies"] == [entry for entry in ours["dependencies"] if isinstance(entry, str)]
    assert theirs["channels"] == ours["channels"]
    script = ROOT / ".binder" / "postBuild"
    assert script.stat().st_mode & stat.S_IXUSR
    commands = [line for line in script.read_text().splitlines() if line.startswith("python -m pip")]
    torch, lock, book = commands
    assert "$(grep '^torch==' requirements.lock)" in torch and torch.endswith("/whl/cpu")
    assert len(re.findall(r"(?m)^torch==[\d.]+$", (ROOT / "requirements.lock").read_text())) == 1
    assert lock.endswith("-r requirements.lock") and book.endswith("--no-deps -e .")
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0


@pytest.mark.parametrize("text", ["", "/srv/book", "https://gitlab.com/a/b", "https://example.org/a/b"])
def test_no_button_leads_anywhere_where_no_address_is_known(text: str) -> None:
    assert launch.buttons(address(text), "01-generation-process") == []


def test_the_buttons_are_links_to_the_notebooks_branch_and_to_binder() -> None:
    colab, binder = launch.buttons(address("git@github.com:a/b.git"), "01-x")
    assert colab["url"] == "https://colab.research.google.com/github/a/b/blob/notebooks/01-x.ipynb"
    assert binder["url"] == "https://mybinder.org/v2/gh/a/b/HEAD?urlpath=lab/tree/notebooks/01-x.md"
    publish = (ROOT / ".github" / "workflows" / "publish.yml").read_text()
    assert f"--initial-branch {launch.BRANCH}" in publish


# ---------------------------------------------------------------------------------------------------------------
# Links
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See [it](https://a.io/b_(c)#d).", {"https://a.io/b_(c)"}),
        ("<https://a.io/>, (https://b.io/c); `https://c.io`", {"https://a.io/", "https://b.io/c", "https://c.io"}),
        ("arXiv:2410.01720 and arXiv 2001.1", {"https://arxiv.org/abs/2410.01720"}),
        ("http://127.0.0.1:8000 https://example.org/x", set()),
        ("  eprint  = {1.2},\n  doi = {10.1/X.y},", {"https://arxiv.org/abs/1.2", "https://doi.org/10.1/X.y"}),
        ("url = {https://a.io/b},", {"https://a.io/b"}),
    ],
)
def test_addresses_are_found_without_what_surrounds_them(text: str, found: set[str]) -> None:
    assert check_links.addresses(text) == found


def test_the_book_names_addresses() -> None:
    links = check_links.named(ROOT)
    assert "https://arxiv.org/abs/2410.01720" in links and len(links) > 10
    assert not any("_build" in file for files in links.values() for file in files)


@pytest.fixture
def server() -> Iterator[str]:
    """Answers with the code that the path asks for; one place knows no HEAD."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path.rsplit("/", 1)[1]))
            self.end_headers()

        def do_HEAD(self) -> None:
            self.send_response(405) if "no-head" in self.path else self.do_GET()
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_address[1]}"
        found.shutdown()


def test_what_is_gone_is_told_from_what_refuses(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_links, "PAUSE", 0)
    asked = {code: f"{server}/{code}" for code in (200, 404, 410, 403, 429, 503)}
    said = check_links.check([*asked.values(), f"{server}/no-head/200"], pause=0)
    assert said[asked[200]] == said[f"{server}/no-head/200"] == ""
    assert all(said[asked[code]].startswith("gone: ") for code in (404, 410))
    assert all(said[asked[code]].startswith(str(code)) for code in (403, 429, 503))
    assert not check_links.ask("http://127.0.0.1:1/").startswith("gone") and check_links.ask("http://127.0.0.1:1/")
