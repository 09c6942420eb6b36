# References and memory stay flat over very many codec calls, successful and failing; each case in its own process.
import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = [Path(__file__).with_name(name) for name in ("bson_leak_cases.py", "pg_leak_cases.py")]
COUNT = 1_000_000 if os.environ.get("BAREWIRE_LONG") == "1" else 100_000
# These walk a document of every type, or build options: some ten microseconds per call.
SLOW = {
    "decode_raw", "decode_registry", "decode_mapped", "options", "encode_many", "encode_many_refused", "rows_there_and_back", "values_cut",
    "dicts_there_and_back", "records_there_and_back", "records_pickled", "columns", "add_types",
}


def case_names(program):
    """The keys of CASES, read from the source: importing it here would load the codec into this process."""
    for node in ast.parse(program.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CASES":
            return [key.value for key in node.value.keys]
    raise AssertionError("no CASES")


@pytest.mark.parametrize(
    ("program", "name"), [pytest.param(program, name, id=f"{program.stem[:-11]}-{name}") for program in PROGRAMS for name in case_names(program)]
)
def test_flat(program, name):
    count = COUNT // 5 if name in SLOW else COUNT
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDEVMODE"}
    run = subprocess.run(
        [sys.executable, str(program), name, str(count)], capture_output=True, text=True, timeout=1800, env=environment,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    # A leak shows as `count` or a good part of it; small numbers are the interpreter's own caches (None above all).
    leaked = {what: change for what, change in result["references"].items() if abs(change) > count // 100}
    assert not leaked, f"references after {count} calls of {name}: {leaked}"
    assert result["blocks"] < 500, f"{result['blocks']} blocks after {count} calls of {name}"
    assert result["kilobytes"] < 4096, f"{result['kilobytes']} kB after {count} calls of {name}"
