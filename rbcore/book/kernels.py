"""The environment of kernels: a lock on the cache, variables, and folders for sockets and the state of training.

Training keeps its state in a folder beside the cache, `checkpoints/<name of the cache>/<digest>`.  The digest is
over the whole core, the lock file and the Python version, so that other code never meets an old state.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

PREFIX, SHORT = "rbcore-", 60  # of kernels' folders; bytes of a path that leave room for a socket's name
BOUND = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Lock `folder` for this process: another call waits here until this one has ended, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another call that works in {folder}", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def checkpoints(cache: Path, root: Path, fresh: bool = False) -> Generator[Path]:
    """The folder where kernels keep the state of training, for the next call if this one does not end well.

    It goes when the block ends without error, and when the core or the lock file changed meanwhile.  Folders of
    other digests go at once, and with `fresh` this one too, so that training begins anew.  The caller has
    locked `cache`.
    """
    digest = _digest(root)
    every = cache.parent / "checkpoints" / cache.name
    for old in every.glob("*"):
        if fresh or old.name != digest:
            shutil.rmtree(old, ignore_errors=True)
    folder = every / digest
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        if _digest(root) != digest:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(every, ignore_errors=True)
    with suppress(OSError):  # another cache has a state there
        every.parent.rmdir()


def _digest(root: Path) -> str:
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    inside = sorted(p for p in (root / "rbcore").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    for path in [*inside, root / "requirements.lock"]:
        with suppress(FileNotFoundError):
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def inherited(root: Path, threads: int) -> dict[str, str]:
    """What kernels inherit: bounded threads, this rbcore, and nothing of the user's own Jupyter settings."""
    return {name: str(threads) for name in BOUND} | {
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait do not spin: on shared cores that is many times slower
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONFAULTHANDLER": "1",  # a crash in compiled code says where
        "PYTHONHASHSEED": "0",  # sets of words come in the same order on every run
        "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm's, with a path of this machine
        "TQDM_DISABLE": "1",  # bars of the notebooks' own loops would change from run to run
        "JUPYTER_PATH": "",
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel `python3` is this Python, whatever the user installed
    }


@contextmanager
def environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set environment variables, and put them back as they were."""
    saved = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in saved.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def kernel_folder() -> Generator[Path]:
    """A folder for the sockets of kernels; those of calls that were killed are removed.

    The path is short, since a socket's may have some hundred bytes only (103 on macOS), and what users set as
    TMPDIR can be longer than that.
    """
    place = Path(tempfile.gettempdir())
    if len(os.fsencode(place)) > SHORT and os.access("/tmp", os.W_OK):
        place = Path("/tmp")
    for old in place.glob(f"{PREFIX}*"):
        pid = old.name.removeprefix(PREFIX).split("-")[0]
        with suppress(OSError):
            if pid.isdigit() and not psutil.pid_exists(int(pid)) and old.stat().st_uid == os.getuid():
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quiet_manager() -> type[Any]:
    """A manager whose kernels write what no cell says, such as the end of a process, beside their connection file.

    On the terminal it would stand between the lines of the call: a kernel that is asked to end may print a
    traceback about its own sockets.
    """
    from jupyter_client.manager import AsyncKernelManager

    class Quiet(AsyncKernelManager):
        async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
            with Path(self.connection_file).with_suffix(".log").open("wb") as log:
                await super()._async_launch_kernel(kernel_cmd, stderr=log, **kw)

    return Quiet


def said(connection: Path, lines: int = 12) -> list[str]:
    """What the kernel with this connection file wrote outside its cells; a crash says in its first lines where."""
    with suppress(FileNotFoundError):
        return connection.with_suffix(".log").read_text(errors="replace").splitlines()[:lines]
    return []


def processor(connection: str) -> float:
    """Processor seconds so far of the kernel with this connection file, and of the processes that it has ended."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if connection in child.cmdline():
                spent = child.cpu_times()
                return spent.user + spent.system + spent.children_user + spent.children_system
    return 0.0


def kill_kernels(kernels: str) -> None:
    """End the kernels whose connection file lies in `kernels`, each with the processes that it started."""
    for child in psutil.Process().children():
        with suppress(psutil.Error, ProcessLookupError):
            if any(word.startswith(kernels) for word in child.cmdline()):
                os.killpg(child.pid, signal.SIGKILL)
