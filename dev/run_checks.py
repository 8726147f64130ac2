# SPDX-License-Identifier: Apache-2.0
"""Runs the checks of ./check (which sets up first) and prints what failed and the sum.

    run_checks.py [--all] [--seconds N]

After N seconds nothing further is begun, and a build that still runs is ended: what is left out is named and counts
as skipped.

Tests are counted from the JUnit files that GoogleTest and pytest write; a build or a lint is one check. A test run
that crashes, hangs, or finds no tests is a failure, never silence.
"""

import argparse
import concurrent.futures
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = 77  # exit code of a check that cannot run here
TOO_LONG = 124  # instead of that of a command that was ended
TEST_RUN_SECONDS = 2700
GRACE_SECONDS = 600  # for what was begun before it was late
# A process for each test would spend more time on starting than on testing, under sanitizers most of all; where one
# crashes, the tests of its shard are not counted.
TEST_PROGRAMS, SHARDS = ("adiabat_tests", "adiabat_anneal_tests"), 16
# Without intercept_tls_get_addr=0 the leak search crashes in the thread-local storage of LibTorch.
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:intercept_tls_get_addr=0",
                     "UBSAN_OPTIONS": "print_stacktrace=1"}
# Of the files of end-to-end tests: much of a run keeps one core busy.
TWO_AT_ONCE = ("-n", "2", "--dist", "loadfile")


class Tally:
    """What passed, what failed, what was skipped; until when checks begin."""

    def __init__(self, seconds):
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.start = time.monotonic()
        self.seconds = seconds

    def left(self):
        """Seconds in which checks may still begin; below 0 when it is too late."""
        return self.seconds - (time.monotonic() - self.start)

    def is_late(self, name):
        """Whether it is too late for a check, which is then skipped."""
        if self.left() <= 0:
            self.skipped.append(f"{name}: not begun within {self.seconds:.0f} s")
        return self.left() <= 0

    def last_line(self):
        line = f"{self.passed} passed, {len(self.failed)} failed"
        return line + (f", {len(self.skipped)} skipped" if self.skipped else "")


def read_junit(path):
    """Yields (name, outcome, text) for each test case of a JUnit file of GoogleTest or pytest."""
    for case in ET.parse(path).getroot().iter("testcase"):
        name = case.get("name", "?")
        if case.get("classname") not in (None, "", name):
            name = f"{case.get('classname')}.{name}"
        text = "\n".join(part.text or "" for part in case.iter() if part.tag in
                         ("failure", "error", "system-out", "system-err"))
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed", text
        elif case.find("skipped") is not None or case.get("status") in ("disabled", "notrun"):
            yield name, "skipped", text
        else:
            yield name, "passed", text


def run(command, log=None, seconds=None, environment=None):
    """Exit code of a command, run from the root; its output goes to the file log, if one is named.

    After so many seconds it is ended, with all that it has started.
    """
    out = open(log, "wb") if log else None
    child = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT if out else None,
                             env={**os.environ, **(environment or {})}, start_new_session=True)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return TOO_LONG
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if out:
            out.close()


def step(tally, name, command):
    """One check: the command passes, fails, or skips itself. Returns whether what follows it can run."""
    if tally.is_late(name):
        return False
    print(f"== {name}")
    code = run(command, seconds=tally.left() if tally.seconds < math.inf else None)
    if code == TOO_LONG:
        tally.skipped.append(f"{name}: not done within {tally.seconds:.0f} s")
    elif code == SKIPPED:
        tally.skipped.append(name)
    elif code:
        tally.failed.append(name)
    else:
        tally.passed += 1
    return code in (0, SKIPPED)


def collect(tally, suite, junit, log, code):
    """Adds the outcomes in a JUnit file to the tally; the exit code guards against missing ones."""
    outcomes = []
    try:
        outcomes = list(read_junit(junit))
        trouble = None if outcomes else "found no tests"
    except (OSError, ET.ParseError):
        trouble = f"ended with exit code {code} and without results"
    failed = [name for name, outcome, _ in outcomes if outcome == "failed"]
    if code and not failed and not trouble:
        trouble = f"ended with exit code {code} though no test failed"
    for name, outcome, text in outcomes:
        if outcome == "failed":
            print(f"-- FAILED {suite}: {name}")
            print("\n".join(text.strip().splitlines()[-60:]))
            tally.failed.append(f"{suite}: {name}")
        elif outcome == "skipped":
            tally.skipped.append(f"{suite}: {name}")
        else:
            tally.passed += 1
    if trouble:
        print(f"-- FAILED {suite} {trouble}; the end of {log}:")
        lines = pathlib.Path(log).read_text(errors="replace").splitlines() if os.path.exists(log) else []
        print("\n".join(lines[-40:]))
        tally.failed.append(f"{suite} ({trouble})")
    return len(outcomes)


def tests(tally, name, folder, stem, command, environment=None):
    """Runs a test command that leaves folder/stem.xml."""
    if tally.is_late(name):
        return
    print(f"== {name}")
    junit, log = folder / f"{stem}.xml", folder / f"{stem}.log"
    junit.unlink(missing_ok=True)
    start = time.monotonic()
    seconds = min(TEST_RUN_SECONDS, tally.left() + GRACE_SECONDS)
    code = run(command + [junit], log, seconds, environment)
    if code == TOO_LONG and seconds < TEST_RUN_SECONDS:
        tally.skipped.append(f"{name}: not done within {tally.seconds:.0f} s")
        return
    count = collect(tally, name, junit, log, code)
    print(f"{count} tests in {time.monotonic() - start:.0f} s")


def unit_tests(tally, preset, environment=None):
    """Runs the test programs of a preset in shards, one a core at a time; each leaves results/PROGRAM-SHARD.xml."""
    name, folder = f"unit tests ({preset})", ROOT / "build" / preset
    print(f"== {name}")
    start, threads = time.monotonic(), os.cpu_count() or 1
    shards = [(program, k) for k in range(SHARDS) for program in TEST_PROGRAMS]

    def run_shard(shard):
        program, k = shard
        if tally.is_late(f"{name}: {program}, shard {k} of {SHARDS}"):
            return None
        stem = folder / "results" / f"{program}-{k}"
        stem.with_suffix(".xml").unlink(missing_ok=True)
        seconds = max(1.0, TEST_RUN_SECONDS - (time.monotonic() - start))
        code = run([folder / program, f"--gtest_output=xml:{stem}.xml"], f"{stem}.log", seconds,
                   {**(environment or {}), "GTEST_TOTAL_SHARDS": str(SHARDS), "GTEST_SHARD_INDEX": str(k)})
        return stem, code

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        done = [shard for shard in pool.map(run_shard, shards) if shard]
    count = sum(collect(tally, name, stem.with_suffix(".xml"), stem.with_suffix(".log"), code) for stem, code in done)
    print(f"{count} tests in {time.monotonic() - start:.0f} s")


def suite(tally, preset, environment=None, which=()):
    """Builds a preset, then runs the unit tests and the end-to-end tests on it; of these, `which` (for pytest)."""
    if not step(tally, f"build ({preset})", ["dev/build.sh", preset]):
        return
    folder = ROOT / "build" / preset / "results"
    folder.mkdir(parents=True, exist_ok=True)
    unit_tests(tally, preset, environment)
    tests(tally, f"end-to-end tests ({preset})", folder, "end-to-end",
          [".venv/bin/python", "-m", "pytest", "tests", *which, "--junitxml"],
          {**(environment or {}), "ADIABAT_TOOL": str(ROOT / "build" / preset / "adiabat")})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seconds", type=float, default=math.inf)
    options = parser.parse_args()
    tally = Tally(options.seconds)
    try:
        if options.all:
            step(tally, "who includes whom", ["python3", "dev/check_includes.py"])
            step(tally, "formatting", ["dev/format.sh", "--check"])
        suite(tally, "release", which=TWO_AT_ONCE)
        if options.all:
            step(tally, "clang-tidy", ["python3", "dev/tidy.py", "--seconds", f"{min(600, tally.left()):.0f}"])
            suite(tally, "asan", SANITIZER_OPTIONS, ("-m", "not long"))
    except KeyboardInterrupt:
        tally.failed.append("interrupted")
    except Exception as error:  # The sum is printed whatever happens.
        tally.failed.append(f"the checks themselves: {error}")
    print(f"\nran for {time.monotonic() - tally.start:.0f} s")
    for name in tally.skipped:
        print(f"skipped: {name}")
    for name in tally.failed:
        print(f"FAILED: {name}")
    print(tally.last_line())
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
