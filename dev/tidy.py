# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy (.clang-tidy) on the changed C++ files, or on all with --all.

    python3 dev/tidy.py [--all] [--seconds N] [FILE...]

Changed is what differs from the point where the branch left origin's main, from the previous commit where the
branch has not left it, and everything where there is no git history. A changed header is seen through the
source beside it, else through one that includes it. Needs the configured preset release.

Versions of clang-tidy disagree: that of Debian 12 decides, with another one there is nothing to do (exit
code 77). Tests come last, and after N seconds (default 600) no further file is started; what is left out is
named.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
OUT = ROOT / "build" / "tidy"
VERSION = 14
SKIPPED = 77


def git(*arguments):
    """Output of a git command in lines, or None where it fails."""
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
    return done.stdout.splitlines() if done.returncode == 0 else None


def changed_files():
    """Paths that changed since the base, uncommitted ones included; None for all."""
    try:
        head = git("rev-parse", "--verify", "-q", "HEAD")
    except FileNotFoundError:
        head = None
    if not head:
        return None
    for branch in ("origin/HEAD", "origin/main", "origin/master"):
        base = git("merge-base", "HEAD", branch)
        if base:
            break
    if not base or base == head:
        base = git("rev-parse", "--verify", "-q", "HEAD~")
    if not base:
        return None
    names = git("diff", "--name-only", "--diff-filter=d", base[0]) or []
    names += git("ls-files", "--others", "--exclude-standard") or []
    return {ROOT / name for name in names}


def compile_commands():
    """The compile commands of our sources, by source, in a form that clang understands; and which use LibTorch.

    A precompiled header is the compiler's own and useless to clang. LibTorch's is included as text instead; tests
    include what they use themselves.
    """
    commands, with_torch = {}, set()
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if ROOT / "src" not in source.parents:
            continue
        words, precompiled = [], False
        arguments = iter(shlex.split(entry["command"]))
        for word in arguments:
            if word == "-include":
                precompiled |= next(arguments).endswith("cmake_pch.hxx")
            elif word not in ("-Winvalid-pch", "-fpch-preprocess", "-Werror"):
                words.append(word)
        if precompiled and (source.parent / "pch.h").exists() and ".test." not in source.name:
            with_torch.add(source)
            words[1:1] = ["-include", str(source.parent / "pch.h")]
        commands[source] = {"directory": entry["directory"], "file": str(source),
                            "arguments": [*words, "-Wno-everything", "-ferror-limit=0"]}
    return commands, with_torch


def units_to_check(changed, commands):
    """The sources to run clang-tidy on so that every changed file is seen."""
    if changed is None:
        return sorted(commands)
    units = {path for path in changed if path in commands}
    for header in (path for path in changed if path.suffix == ".h" and ROOT / "src" in path.parents):
        if header.with_suffix(".cpp") in commands:
            units.add(header.with_suffix(".cpp"))
            continue
        include = f'#include "{header.relative_to(ROOT / "src")}"'
        users = [path for path in sorted(commands) if include in path.read_text(errors="replace")]
        if users and not units.intersection(users):
            units.add(users[0])
    return sorted(units)


def tidy(unit, with_torch):
    """Findings of clang-tidy in one source and its headers, as text; empty where there are none.

    clang 14 rejects some of LibTorch's headers as C++20 (gcc does not): errors of the compiler do not count there.
    """
    done = subprocess.run(["clang-tidy", "--quiet", "-p", OUT, unit], capture_output=True, text=True)
    findings = re.split(r"^(?=\S+:\d+:\d+: (?:error|warning): )", done.stdout, flags=re.MULTILINE)
    if with_torch:
        findings = [text for text in findings if "[clang-diagnostic-error]" not in text]
    findings = "".join(findings).strip()
    return findings or (done.stderr.strip() if done.returncode and not with_torch else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every file, not only changed ones")
    parser.add_argument("--seconds", type=float, default=600, help="start no further file after this time")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()

    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True).stdout
    version = int(re.search(r"version (\d+)", version).group(1))
    if version != VERSION:
        print(f"skipped: clang-tidy {VERSION} (Debian 12) decides; here is {version}")
        return SKIPPED

    if not (BUILD / "compile_commands.json").exists():
        print("build/release is not configured: run dev/build.sh release first")
        return 1
    commands, with_torch = compile_commands()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "compile_commands.json").write_text(json.dumps(list(commands.values())))
    changed = None if options.all else {path.resolve() for path in options.files} or changed_files()
    units = sorted(units_to_check(changed, commands), key=lambda path: (".test." in path.name, path))

    start = time.monotonic()
    late, bad, seen = [], 0, set()

    def work(unit):
        return None if time.monotonic() - start > options.seconds else tidy(unit, unit in with_torch)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for unit, findings in zip(units, pool.map(work, units)):
            if findings is None:
                late.append(str(unit.relative_to(ROOT)))
            elif findings:
                bad += 1
                if findings not in seen:
                    print(findings.replace(f"{ROOT}/", ""))
                seen.add(findings)
    if late:
        print(f"no time left for {len(late)} files: {' '.join(late)}")
    print(f"{len(units) - len(late)} sources looked at in {time.monotonic() - start:.0f} s, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
