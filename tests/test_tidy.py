"""The house rules that no linter knows, held against the text of every file of the repository.

Rule 4 of the house (clock, topics, fsync each in one place), the size of files, what must never be
written into a file (addresses of package registries, paths of somebody's machine), and that every
link in the documentation leads somewhere.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = (
    "agent",
    "authority",
    "doctor",
    "firmware_bridge",
    "manager",
    "matcher",
    "protocol",
    "runtime",
)
MAKERS_OF_TOPICS = (*PRODUCT, "hil")
LINES_MAX = 300
TEST_LINES_MAX = 400
SKIPPED_FOLDERS = {".git", ".venv", "build", "__pycache__"}
CLOCK_READS = {
    "time.time", "time.time_ns", "time.clock_gettime", "time.clock_gettime_ns", "time.monotonic",
    "time.monotonic_ns", "time.gmtime", "time.localtime", "datetime.now", "datetime.utcnow",
    "datetime.today", "date.today", "datetime.datetime.now", "datetime.datetime.utcnow",
    "datetime.date.today",
}  # fmt: skip


def tracked_files() -> list[Path]:
    """Every file that git tracks or would track; without git, every file outside made folders."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    listing = subprocess.run(command, capture_output=True, check=False)
    if listing.returncode == 0:
        files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        files = [path for path in ROOT.rglob("*") if not SKIPPED_FOLDERS & set(path.parts)]
    return sorted(path for path in files if path.is_file())


FILES = tracked_files()
SOURCES = [path for path in FILES if path.suffix == ".py"]
TREES = {path: ast.parse(path.read_bytes(), str(path)) for path in SOURCES}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources_of(*packages: str) -> list[Path]:
    return [path for path in SOURCES if path.relative_to(ROOT).parts[0] in packages]


def calls(path: Path) -> list[tuple[str, int]]:
    """Dotted names called in a file, with their lines."""
    found = (node for node in ast.walk(TREES[path]) if isinstance(node, ast.Call))
    return [(ast.unparse(node.func), node.lineno) for node in found]


def places(found: list[tuple[Path, int]]) -> str:
    return ", ".join(f"{name(path)}:{line}" for path, line in found)


def test_the_lists_below_are_not_empty() -> None:
    assert len(SOURCES) > 20
    assert sources_of("protocol")


def test_system_clock_is_read_in_one_place() -> None:
    found = [
        (path, line)
        for path in (*sources_of(*PRODUCT), ROOT / "outrider.py")
        if name(path) != "runtime/clock.py"
        for called, line in calls(path)
        if called in CLOCK_READS or called.endswith(".time.time")
    ]
    assert not found, f"read the clock through runtime/clock.py: {places(found)}"


def test_no_clock_function_is_imported_bare() -> None:
    banned = {"time", "time_ns", "monotonic", "monotonic_ns", "clock_gettime"}
    found = [
        (path, node.lineno)
        for path in sources_of(*PRODUCT)
        if name(path) != "runtime/clock.py"
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        if banned & {alias.name for alias in node.names}
    ]
    assert not found, f"read the clock through runtime/clock.py: {places(found)}"


def test_topics_are_spelt_in_one_place() -> None:
    found = [
        (path, node.lineno)
        for path in sources_of(*MAKERS_OF_TOPICS)
        if name(path) != "protocol/topics.py"
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith("outrider/v1")
    ]
    assert not found, f"topics are made by protocol/topics.py: {places(found)}"


def test_files_are_synced_in_one_place() -> None:
    found = [
        (path, line)
        for path in (*sources_of(*PRODUCT), ROOT / "outrider.py")
        if name(path) != "runtime/store.py"
        for called, line in calls(path)
        if called.split(".")[-1] in {"fsync", "fdatasync", "sync"}
    ]
    assert not found, f"what must last goes through runtime/store.py: {places(found)}"


def test_no_error_is_swallowed() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(TREES[path]):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = "" if node.type is None else ast.unparse(node.type)
            silent = all(isinstance(step, ast.Pass) for step in node.body)
            if not caught or (silent and caught in {"Exception", "BaseException"}):
                found.append((path, node.lineno))
    assert not found, f"name the error, and do something about it: {places(found)}"


def test_every_module_says_what_it_is() -> None:
    found = [name(path) for path in SOURCES if not ast.get_docstring(TREES[path])]
    assert not [path for path in found if not path.startswith("tests/")], found


def test_files_are_short() -> None:
    long = []
    for path in [*SOURCES, ROOT / "run"]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > (TEST_LINES_MAX if name(path).startswith("tests/") else LINES_MAX):
            long.append(f"{name(path)} has {lines}")
    assert not long, f"one idea each, please: {'; '.join(long)}"


# Written in pieces, so that this file passes its own rule.
FORBIDDEN_TEXTS = [
    "pypi" + r"\.org",
    "pythonhosted" + r"\.org",
    "npmjs" + r"\.org",
    "piwheels" + r"\.org",
    "deb" + r"\.debian\.org",
    "snapshot" + r"\.debian",
    "index" + "-url[ =]+[a-z]+:",
    "find" + "-links[ =]+[a-z/]",
    "/wo" + "rk/(main|shared)",
    "/tmp/br" + "ief",
    "/home" + "/[a-z]+/",
    "/Us" + "ers/[a-z]+/",
    "/root/" + r"\.",
    "file:" + "///[a-z]",
]


@pytest.mark.parametrize("pattern", FORBIDDEN_TEXTS)
def test_no_address_of_a_registry_and_no_path_of_a_machine(pattern: str) -> None:
    looked_for = re.compile(pattern)
    found = []
    for path in FILES:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            (path, n) for n, line in enumerate(text.splitlines(), 1) if looked_for.search(line)
        ]
    assert not found, places(found)


def test_no_lock_file_with_addresses() -> None:
    locks = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"}
    assert not [name(path) for path in FILES if path.name in locks]


@pytest.mark.parametrize(
    "pins", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.stem
)
def test_every_requirement_is_pinned_with_hashes(pins: Path) -> None:
    text = pins.read_text(encoding="utf-8")
    assert "://" not in text
    requirements = re.findall(r"^[a-z].*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert requirements
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_one_version_of_a_library_everywhere() -> None:
    pinned: dict[str, set[str]] = {}
    for pins in (ROOT / "requirements").glob("*.txt"):
        for library, version in re.findall(r"^([a-z0-9-]+)==(\S+)", pins.read_text(), re.MULTILINE):
            pinned.setdefault(library, set()).add(version)
    assert not {library: found for library, found in pinned.items() if len(found) > 1}


def test_documents_link_to_what_exists() -> None:
    broken = []
    for path in FILES:
        if path.suffix != ".md":
            continue
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file = target.partition("#")[0]
            if not file or re.match(r"[a-z]+:", file):
                continue
            if not (path.parent / file).exists():
                broken.append(f"{name(path)} -> {target}")
    assert not broken, broken


def test_import_contracts_cover_every_package_without_exceptions() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {
        path.parent.name
        for path in SOURCES
        if path.name == "__init__.py" and path.parent.parent == ROOT
    }
    assert set(settings["root_packages"]) == packages - {"tests"}
    assert not [c["name"] for c in settings["contracts"] if c.get("ignore_imports")]
    pure = next(c for c in settings["contracts"] if "protocol" in c.get("source_modules", [])[:1])
    cores = {
        name(path.parent).replace("/", ".")
        for path in SOURCES
        if path.parts[-2:] == ("core", "__init__.py")
    }
    assert cores <= set(pure["source_modules"])


def test_version_is_said_once_the_same() -> None:
    import outrider

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == outrider.VERSION
