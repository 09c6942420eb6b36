#!/usr/bin/env python3
"""Checks the rules of the C++ tree and the file sizes of the whole project; prints the worst offenders in size.

Exit code 1 and one line per violation when a rule is broken:
layers (who may include whom), siblings, foreign headers, PY_VERSION_HEX only in py/, no included .cpp files,
csrc/sources.txt against the disk, 500 lines at most per source file, a first line that says what lives in the file,
no bare reference counting outside py/ref.h.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
MOST_LINES = 500

# Layer -> layers it may include besides itself. Arrows point down only.
MAY_INCLUDE = {
    "base": set(),
    "lockfree": {"base"},
    "wire": {"base"},
    "py": {"base"},
    "pool": {"lockfree", "base"},
    "walk": {"py", "wire", "base"},
    "net": {"pool", "lockfree", "wire", "base"},
    "bind": {"walk", "net", "py", "base"},
}
# Inside these layers the sub-folders are siblings: they must not include each other.
SIBLINGS = {"net": {"mongo", "pg"}, "wire": {"bson", "pg"}}
WITH_PYTHON = {"py", "walk", "bind"}
# Foreign header (regular expression) -> where it may be included.
FOREIGN = [
    (re.compile(r"^(Python|structmember|datetime|frameobject)\.h$|^internal/pycore"), ("py/",)),
    (re.compile(r"^(mongoc|bson)(/|\.h$|-)"), ("net/mongo/",)),
    (re.compile(r"^libpq"), ("net/pg/",)),
    (re.compile(r"^xxhash\.h$"), ("base/hash.cpp",)),
    (re.compile(r"^catch2/"), ("tests/cpp/support/",)),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)
CONDITION = re.compile(r"^\s*#\s*(?:el)?if.*\bPY_VERSION_HEX\b", re.M)
REFERENCE_COUNT = re.compile(r"\bPy_X?(?:INCREF|DECREF)\b|\bPy_(?:SETREF|XSETREF|NewRef|XNewRef)\b")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)


def tracked(*patterns: str) -> list[Path]:
    """Files that git tracks or would track (so that a file about to be committed is checked too)."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def check_includes(path: Path, text: str) -> list[str]:
    """Layer, sibling and foreign-header rules for one file below csrc/."""
    inside = path.relative_to(CSRC).as_posix()
    layer = inside.split("/")[0]
    folder = inside.split("/")[1] if inside.count("/") > 1 else ""
    problems = []
    for kind, name in INCLUDE.findall(text):
        if name.endswith((".cpp", ".cc", ".c")):
            problems.append(f"includes a source file: {name}")
        for pattern, allowed in FOREIGN:
            if pattern.match(name) and not inside.startswith(allowed):
                problems.append(f"{name} may only be included in {', '.join(allowed)}")
        if kind != '"':
            continue
        if not (CSRC / name).is_file():
            problems.append(f'"{name}" is not a file of csrc/ (include paths start there)')
            continue
        target = name.split("/")[0]
        if target != layer and target not in MAY_INCLUDE[layer]:
            problems.append(f"layer {layer} may not include {name}")
        siblings = SIBLINGS.get(layer, set())
        other = name.split("/")[1] if name.count("/") > 1 else ""
        if target == layer and folder in siblings and other in siblings and other != folder:
            problems.append(f"siblings: {layer}/{folder} may not include {name}")
        if target == layer and folder == "" and other in siblings:
            problems.append(f"{layer}/ is shared ground and may not include {name}")
    return problems


def check_source(path: Path) -> list[str]:
    """All rules for one C++ file of csrc/."""
    text = path.read_text(encoding="utf-8")
    inside = path.relative_to(CSRC).as_posix()
    layer = inside.split("/")[0]
    if layer not in MAY_INCLUDE:
        return [f"{inside}: unknown layer"]
    problems = check_includes(path, text)
    code = COMMENT.sub("", text)
    if CONDITION.search(code) and layer != "py":
        problems.append("PY_VERSION_HEX outside py/")
    if REFERENCE_COUNT.search(code) and layer in WITH_PYTHON and layer != "py":
        allowed = "// reference counting:"  # a type slot or an API that steals says why on the line itself
        for number, line in enumerate(text.splitlines(), 1):
            if REFERENCE_COUNT.search(COMMENT.sub("", line)) and allowed not in line:
                problems.append(f"line {number}: bare reference counting outside py/ (say why with `{allowed} ...`)")
    if re.search(r"^\s*goto\b", code, re.M):
        problems.append("goto")
    return [f"csrc/{inside}: {problem}" for problem in problems]


def check_sources_list() -> list[str]:
    """csrc/sources.txt names every .cpp on disk once and nothing else."""
    listed: list[str] = []
    for line in (CSRC / "sources.txt").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line:
            listed.append("/".join(line.split()))
    on_disk = {path.relative_to(CSRC).as_posix() for path in CSRC.rglob("*.cpp")}
    problems = [f"csrc/sources.txt: {name} is not on disk" for name in sorted(set(listed) - on_disk)]
    problems += [f"csrc/sources.txt: {name} is missing" for name in sorted(on_disk - set(listed))]
    problems += [f"csrc/sources.txt: {name} stands twice" for name in sorted({n for n in listed if listed.count(n) > 1})]
    return problems


def check_file(path: Path) -> list[str]:
    """Size and first line, for every source file of the project."""
    text = path.read_text(encoding="utf-8", errors="replace")
    name = path.relative_to(ROOT).as_posix()
    problems = []
    lines = text.count("\n")
    if lines > MOST_LINES:
        problems.append(f"{name}: {lines} lines (at most {MOST_LINES})")
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#!")), "")
    if text.strip() and not first.lstrip().startswith(("//", "#", '"""', "'''", 'r"""')):
        problems.append(f"{name}: the first line must say what lives here")
    return problems


def main() -> int:
    problems = check_sources_list()
    for path in sorted([*CSRC.rglob("*.h"), *CSRC.rglob("*.cpp")]):
        problems += check_source(path)
    files = tracked("*.py", "*.pyi", "*.h", "*.cpp")
    for path in files:
        problems += check_file(path)
    for problem in problems:
        print(problem)
    sizes = sorted(((p.read_bytes().count(b"\n"), p.relative_to(ROOT).as_posix()) for p in files), reverse=True)
    if sizes:
        middle = sorted(size for size, _ in sizes)[len(sizes) // 2]
        print(f"{len(sizes)} source files, median {middle} lines; longest:")
        for size, name in sizes[:5]:
            print(f"  {size:5d} {name}")
    print("layers: " + (f"{len(problems)} violations" if problems else "ok"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
