"""The rules of the house, proved from the source: who imports whom, which module wraps which library, no surprises."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("livevlm", "memory", "streams")

MAY_IMPORT = {
    "run_daemon": {"livevlm"},
    "livevlm": {"livevlm", "memory", "streams"},
    "memory": {"memory"},
    "streams": {"streams"},
}

# Who may import which library: patterns of modules. A library that is not here may not be imported at all.
WRAPPED_BY = {
    "av": ["streams.*"],
    "cv2": ["streams.opencv"],
    "faiss": ["memory.index", "memory.archive.index", "livevlm.bench.index"],
    "huggingface_hub": ["livevlm.models", "livevlm.models.*"],
    "matplotlib": ["livevlm.bench.*", "livevlm.training.curves"],
    "mcp": ["livevlm.gateway.mcpserver"],
    "numpy": ["*"],
    "prometheus_client": ["livevlm.metrics", "livevlm.streammetrics"],
    "pydantic": ["livevlm.config", "livevlm.configfile", "livevlm.section", "livevlm.watchconfig"],
    "rich": ["livevlm.cli.*", "livevlm.training.*"],
    "safetensors": ["livevlm.hf", "livevlm.models.*", "livevlm.training.*", "memory.*"],
    "starlette": ["livevlm.gateway.*"],
    "tokenizers": ["livevlm.models.*", "livevlm.training.*"],
    "tomllib": ["livevlm.configfile"],
    "torch": ["memory.*", "livevlm.*"],
    "transformers": ["livevlm.hf", "livevlm.models", "livevlm.models.*", "livevlm.training.*"],
    "urllib3": ["livevlm.watching.webhook"],
    "uvicorn": ["livevlm.gateway.serving"],
    "websockets": [
        "livevlm.service.server",
        "livevlm.service.link",
        "livevlm.service.responses",
        "livevlm.client",
        "livevlm.dial",
        "livevlm.bench.loadclients",
    ],
}

FORBIDDEN = {
    "memory": {"asyncio", "threading", "multiprocessing", "socket"},
    "streams": {"asyncio"},
}

# Where a connection ends and where a stream ends.
BROAD_EXCEPT = {"livevlm.service.server", "streams.reader"}

Imports = dict[str, set[str]]


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the product, parsed."""
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    files.append(ROOT / "run_daemon.py")
    return {module_name(file): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def imported(node: ast.AST) -> list[str]:
    """The modules that an import statement names; `from a import b` may mean the module a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The modules imported anywhere below a node."""
    for node in ast.walk(tree):
        yield from imported(node)


def first_party(name: str) -> bool:
    """Whether a module is one of ours."""
    return name.split(".")[0] in MAY_IMPORT


def test_the_rooms_import_in_one_direction() -> None:
    """run_daemon sees livevlm, livevlm sees the other rooms, and these two see nobody."""
    for module, tree in sources().items():
        ours = {name.split(".")[0] for name in imports_of(tree) if first_party(name)}
        assert ours <= MAY_IMPORT[module.split(".")[0]], module


def test_each_library_is_imported_only_by_the_modules_that_wrap_it() -> None:
    """A library is reached through few modules, so that changing one is no hunt."""
    for module, tree in sources().items():
        for library in {name.split(".")[0] for name in imports_of(tree)}:
            if library in WRAPPED_BY:
                allowed = any(fnmatch(module, pattern) for pattern in WRAPPED_BY[library])
                assert allowed, f"{module} imports {library}"
            else:
                known = library in sys.stdlib_module_names or first_party(library)
                assert known, f"{module} imports {library}, which the table does not know"


def test_memory_and_streams_stay_out_of_what_is_not_theirs() -> None:
    """memory needs no lock because it knows no threads; streams work with threads alone."""
    for module, tree in sources().items():
        room = module.split(".")[0]
        libraries = {name.split(".")[0] for name in imports_of(tree)}
        assert not libraries & FORBIDDEN.get(room, set()), module


def test_no_first_party_import_inside_a_function() -> None:
    """An import inside a function hides a cycle."""
    for module, tree in sources().items():
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                hidden = [name for name in imports_of(function) if first_party(name)]
                assert not hidden, f"{module}.{function.name} imports {hidden}"


def test_only_doors_import_dynamically() -> None:
    """The verb table and the doors of livevlm and streams load what is asked for when it is asked for; nothing else imports
    by name.
    """
    for module, tree in sources().items():
        named = {name for name in imports_of(tree) if name.split(".")[0] in ("importlib", "runpy")}
        named -= {"importlib.metadata", "importlib.resources"}
        if module not in ("livevlm", "livevlm.cli", "streams"):
            assert not named & {"importlib", "importlib.import_module", "importlib.util"}, module
        calls = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert "__import__" not in calls, module


def test_the_import_graph_has_no_cycle() -> None:
    """Modules can be read, tested and moved one after the other."""
    graph = {
        module: {name for name in imports_of(tree) if name in sources() and name != module}
        for module, tree in sources().items()
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for name in graph[module]:
                visit(name, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def swallows_everything(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches any error; cleaning up and raising it again is fine."""
    caught = ast.walk(handler.type) if handler.type else [ast.Name("BaseException")]
    broad = {"Exception", "BaseException"} & {n.id for n in caught if isinstance(n, ast.Name)}
    last = handler.body[-1]
    return bool(broad) and not (isinstance(last, ast.Raise) and last.exc is None)


def test_broad_excepts_stand_only_at_the_borders() -> None:
    """A bug is seen where it happens; only the end of a connection or of a stream may catch everything."""
    for module, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and module not in BROAD_EXCEPT:
                assert not swallows_everything(node), f"{module}:{node.lineno}"


def test_the_door_of_the_project_is_small() -> None:
    """run_daemon.py only hands over to the command."""
    assert len((ROOT / "run_daemon.py").read_text(encoding="utf-8").splitlines()) <= 30


def test_modules_and_functions_fit_their_frames() -> None:
    """A module is at most 250 lines, blank ones not counted, a function 50: what is longer is two things."""
    for module, tree in sources().items():
        lines = ast.unparse(tree).splitlines()
        assert sum(bool(line.strip()) for line in lines) <= 250, module
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 50, f"{module}.{node.name} has {length} lines"


IMPORT_EVERYTHING = """
import importlib, logging, os, signal, sys, threading, warnings
import numpy, torch
exec(sys.stdin.read())  # the libraries' own imports first: what they do is not our doing
def state():
    return (
        dict(os.environ), torch.get_num_threads(), torch.get_num_interop_threads(), torch.is_grad_enabled(),
        torch.get_default_dtype(), threading.active_count(), list(logging.root.handlers), logging.root.level,
        signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), os.getcwd(),
        torch.initial_seed(), numpy.random.get_state()[1].tolist(),
    )
before = state()
for name in sys.argv[1:]:
    importlib.import_module(name)
    after = state()
    assert after == before, (name, [(a, b) for a, b in zip(before, after) if a != b])
"""


def library_imports() -> str:
    """Every import of another's library in the product, as statements."""
    nodes = [node for tree in sources().values() for node in ast.walk(tree)]
    foreign = [
        ast.unparse(node)
        for node in nodes
        if imported(node) and imported(node)[0].split(".")[0] in WRAPPED_BY
    ]
    return "\n".join(sorted(set(foreign)))


def run_python(code: str, *words: str, given: str = "") -> str:
    """Run code in a fresh interpreter in the repository's root; gives back its standard output."""
    result = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_changes_nothing() -> None:
    """No module touches threads, the environment, random states, signals or logging when it is imported."""
    library = [name for name in sources() if not name.endswith("__main__")]
    run_python(IMPORT_EVERYTHING, *library, given=library_imports())


def test_words_are_understood_without_the_heavy_libraries() -> None:
    """Asking for help and a wrong word are answered at once, by every verb: the model's libraries are not imported for it."""
    code = """
import sys
from livevlm.cli import VERBS, main
lines = [(verb, word) for verb in VERBS for word in ("--help", "--nonsense")]
lines += [("replay", "none.mp4"), ("replay", "rtsp://a/b"), ("replay", "test:", "--questions", "none.jsonl")]
lines += [("eval", "--types", "none"), ("models", "synth", "none", "--out", "none"), ("serve", "--stream", "a=none.mp4")]
for words in lines:
    try:
        main(words)
    except SystemExit:
        pass
    heavy = {"torch", "transformers", "faiss", "cv2", "av"} & set(sys.modules)
    if heavy:
        sys.exit(f"{words} load {sorted(heavy)}")
print("heavy: none")
"""
    assert "heavy: none" in run_python(code)
