"""DuckDB's library for tests: where it is, and Parquet files read through it."""
import ctypes.util
import json
import os
import pathlib
import platform
import subprocess
import sys

from tests.lib import cache

MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
PACKAGE = f"@duckdb/node-bindings-linux-{MACHINES.get(platform.machine(), 'x64')}"
VERSION = "1.5.6-r.1"
TIMEOUT_S = 120

# argv: library, statements, each alone; a crash of the library is then one failed test.
RUN = """
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
lib.duckdb_result_error.restype = ctypes.c_char_p
db, connection = ctypes.c_void_p(), ctypes.c_void_p()
assert lib.duckdb_open(None, ctypes.byref(db)) == 0 and lib.duckdb_connect(db, ctypes.byref(connection)) == 0
for sql in sys.argv[2:]:
    result = (ctypes.c_uint64 * 8)()
    if lib.duckdb_query(connection, sql.encode(), ctypes.byref(result)):
        sys.exit(lib.duckdb_result_error(ctypes.byref(result)).decode())
    lib.duckdb_destroy_result(ctypes.byref(result))
"""


def cached():
    """What the interop tests have fetched."""
    return cache.base() / f"{PACKAGE.replace('/', '-').lstrip('@')}-{VERSION}" / "node_modules" / PACKAGE / "libduckdb.so"


def found():
    """The library: $STREAMSTEAM_DUCKDB, the system's, or the one that the interop tests use; None where there is none."""
    named = os.environ.get("STREAMSTEAM_DUCKDB")
    if named:
        return named
    return ctypes.util.find_library("duckdb") or (str(cached()) if cached().is_file() else None)


def library(t):
    path = found()
    if not path:
        t.skip("no libduckdb.so (STREAMSTEAM_DUCKDB names one; make interop fetches one)")
    return path


def run(path, *statements):
    result = subprocess.run([sys.executable, "-c", RUN, path, *statements], capture_output=True, text=True, timeout=TIMEOUT_S)
    if result.returncode != 0:
        raise AssertionError(f"DuckDB: {result.stderr.strip() or result.returncode}")


def rows(path, file, scratch):
    """The rows of a Parquet file as dictionaries without nulls, ss_extra parsed; times are texts."""
    out = pathlib.Path(scratch) / "rows.ndjson"
    run(path, "SET TimeZone='UTC'", f"COPY (SELECT * FROM read_parquet('{file}', hive_partitioning = false)) TO '{out}' (FORMAT json)")
    return [without_nulls(json.loads(line)) for line in out.read_text().splitlines()]


def without_nulls(value):
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}


def fetched(t):
    """For interop: the library that npm ships, whatever the system has."""
    from tests.interop.peers import npm_package
    return npm_package(t, PACKAGE, VERSION) / PACKAGE / "libduckdb.so"
