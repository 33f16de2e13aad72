"""Other arithmetic: the book on the instruction sets, kernels and threads that other machines have.

Processors differ in rounding, and iteration, search and training multiply it.  So each chapter is executed again
with numpy without vector instructions, with other kernels of OpenBLAS, with torch and numba for a generic
processor, with two threads, and with the generic ones at once.  Nothing may drift from the pins, and no claim may
fail.
"""

from __future__ import annotations

import ast
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rbcore.book.agree import Problem, disagreements, drift, gather, pins_for
from rbcore.book.execute import Job, attempt, imported_modules, read
from rbcore.book.kernels import environment


class Arithmetic(NamedTuple):
    """One way to round: the environment variables that ask for it, the threads of a kernel, who is affected.

    packages: chapters that import none of these are not executed; empty: all are.
    """

    name: str
    variables: dict[str, str]
    threads: int = 1
    packages: tuple[str, ...] = ()


def arithmetics() -> list[Arithmetic]:
    """What this processor can do: its own best, others, and at last all of the generic ones at once."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    plain = {"NPY_DISABLE_CPU_FEATURES": " ".join(found)} if found else {}
    torch = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    numba = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    wide = any("AVX512" in name or name == "X86_V4" for name in found)
    kernels = ["Nehalem", "Haswell", *(["SkylakeX"] if wide else [])]
    if platform.machine() not in ("x86_64", "AMD64"):
        kernels = ["ARMV8"] if platform.machine() in ("arm64", "aarch64") else []
    return [
        Arithmetic("its own", {}),
        *([Arithmetic("numpy without vector instructions", plain)] if plain else []),
        *(Arithmetic(f"OpenBLAS for {kernel}", {"OPENBLAS_CORETYPE": kernel}) for kernel in kernels),
        Arithmetic("torch without vector instructions", torch, packages=("torch",)),
        Arithmetic("numba for a generic processor", numba, packages=("numba",)),
        Arithmetic("two threads", {}, threads=2),
        Arithmetic("all generic", plain | torch | numba | ({"OPENBLAS_CORETYPE": kernels[0]} if kernels else {})),
    ]


def packages(job: Job) -> set[str]:
    """The names of all packages that a notebook and its modules of rbcore import."""
    modules = [p for p in imported_modules(job.source, job.root) if p.suffix == ".py"]
    cells = [cell.source for cell in read(job.source).cells if cell.cell_type == "code"]
    found: set[str] = set()
    for code in [*cells, *(path.read_text(encoding="utf8") for path in modules)]:
        for node in ast.walk(
            ast.parse("\n".join(row for row in code.split("\n") if row.lstrip()[:1] not in "%!"))
        ):
            if isinstance(node, ast.Import):
                found |= {a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found


def run(
    jobs: Sequence[Job], cache: Path, pins: dict, ways: Sequence[Arithmetic]
) -> Iterator[tuple[Arithmetic, int, list[Problem]]]:
    """Execute the chapters in each of these ways; yields each with its chapters and what is not as pinned.

    Finished notebooks stay in `cache`, a folder for each way, so that a call that is interrupted goes on.
    """
    for way in ways:
        chosen = [job for job in jobs if not way.packages or packages(job) & set(way.packages)]
        if not chosen:
            continue
        print(f"{way.name}: {len(chosen)} chapters", flush=True)
        folder = cache / "".join(c if c.isalnum() else "-" for c in way.name)
        with environment(way.variables):
            done = attempt(chosen, folder, threads=way.threads)
        chapters = gather(done.paths)
        missing = [
            Problem("claim", name, name, reason, "-", "did not run", "-", "")
            for name, reason in done.failed.items()
        ]
        failing = [p for p in disagreements(chapters, []) if p.found_by == "claim"]
        yield way, len(chosen), [*missing, *failing, *drift(chapters, pins_for(pins, done.paths))]
