# SPDX-License-Identifier: Apache-2.0
"""Runs the checks of ./check (which sets up first) and prints what failed and the sum.

Tests are counted from the JUnit files that ctest and pytest write; a build or a lint is one check. A test run
that crashes, hangs, or finds no tests is a failure, never silence.
"""

import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = 77  # exit code of a check that cannot run here
TEST_RUN_SECONDS = 1800
# Without intercept_tls_get_addr=0 the leak search crashes in the thread-local storage of LibTorch.
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:intercept_tls_get_addr=0",
                     "UBSAN_OPTIONS": "print_stacktrace=1"}


class Tally:
    """What passed, what failed, what was skipped."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def last_line(self):
        line = f"{self.passed} passed, {len(self.failed)} failed"
        return line + (f", {len(self.skipped)} skipped" if self.skipped else "")


def read_junit(path):
    """Yields (name, outcome, text) for each test case of a JUnit file of ctest or pytest."""
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
    """Exit code of a command, run from the root; its output goes to the file log, if one is named."""
    out = open(log, "wb") if log else None
    try:
        return subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT if out else None,
                              timeout=seconds, env={**os.environ, **(environment or {})}).returncode
    except subprocess.TimeoutExpired:
        return 124
    finally:
        if out:
            out.close()


def step(tally, name, command):
    """One check: the command passes, fails, or skips itself. Returns whether it did not fail."""
    print(f"== {name}")
    code = run(command)
    if code == SKIPPED:
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
    print(f"== {name}")
    junit, log = folder / f"{stem}.xml", folder / f"{stem}.log"
    junit.unlink(missing_ok=True)
    start = time.monotonic()
    code = run(command + [junit], log, TEST_RUN_SECONDS, environment)
    count = collect(tally, name, junit, log, code)
    print(f"{count} tests in {time.monotonic() - start:.0f} s")


def suite(tally, preset, environment=None, which=()):
    """Builds a preset, then runs the unit tests and the end-to-end tests on it; of these, `which` (for pytest)."""
    if not step(tally, f"build ({preset})", ["dev/build.sh", preset]):
        return
    folder = ROOT / "build" / preset / "results"
    folder.mkdir(parents=True, exist_ok=True)
    tests(tally, f"unit tests ({preset})", folder, "unit",
          ["ctest", "--test-dir", f"build/{preset}", "-j", str(os.cpu_count()), "--output-on-failure",
           "--output-junit"], environment)
    tests(tally, f"end-to-end tests ({preset})", folder, "end-to-end",
          [".venv/bin/python", "-m", "pytest", "tests", *which, "--junitxml"],
          {**(environment or {}), "ADIABAT_TOOL": str(ROOT / "build" / preset / "adiabat")})


def main():
    everything = "--all" in sys.argv[1:]
    tally = Tally()
    start = time.monotonic()
    try:
        if everything:
            step(tally, "who includes whom", ["python3", "dev/check_includes.py"])
            step(tally, "formatting", ["dev/format.sh", "--check"])
        suite(tally, "release")
        if everything:
            step(tally, "clang-tidy", ["python3", "dev/tidy.py"])
            suite(tally, "asan", SANITIZER_OPTIONS, ("-m", "not long"))
    except KeyboardInterrupt:
        tally.failed.append("interrupted")
    except Exception as error:  # The sum is printed whatever happens.
        tally.failed.append(f"the checks themselves: {error}")
    print(f"\nran for {time.monotonic() - start:.0f} s")
    for name in tally.skipped:
        print(f"skipped: {name}")
    for name in tally.failed:
        print(f"FAILED: {name}")
    print(tally.last_line())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
