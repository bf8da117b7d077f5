#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check.py SKEP KERNEL SOURCE=OBJECT...: are mistakes explained at the lines that make them?

Every program of an object must be rejected. Of each, one line of the source is marked
with "// blame: words | more words": the explanation must blame that line, and say the
words in what it tells. And it must fit on a screen.
"""
import json
import re
import subprocess
import sys

LINES_MAX, COLUMNS_MAX = 30, 100


def markers(path):
    """The functions of a source, and the marked lines in them: {function: (line, words)}."""
    found, function = {}, None
    for number, line in enumerate(open(path), 1):
        match = re.match(r"^(?:static |__attribute__\(\(noinline\)\) )*(?:int|long) (\w+)\(", line)
        if match:
            function = match.group(1)
        match = re.search(r"// blame: (.*)", line)
        if match:
            found[function] = (number, [w.strip() for w in match.group(1).split(" | ")])
    return found


def told(verdict):
    texts = [verdict.get("message"), verdict.get("cause"), verdict.get("fix")]
    return " ".join(t for t in texts + [e["text"] for e in verdict.get("path", [])] if t)


def judge(verdict, expected, where):
    wrong = []
    blamed = verdict.get("blame", {}).get("source", {}).get("line")
    if verdict["verdict"] == "accepted":
        return ["is accepted"]
    if blamed != expected[0]:
        wrong.append(f"blames line {blamed}, not {expected[0]}")
    wrong += [f"does not say '{w}'" for w in expected[1] if w.lower() not in told(verdict).lower()]
    if not verdict.get("fix"):
        wrong.append("says no fix")
    if verdict["verdict"] == "rejected" and not verdict.get("cause"):
        wrong.append("says no cause")
    return wrong


def main():
    skep, kernel = sys.argv[1:3]
    count = failed = 0
    for pair in sys.argv[3:]:
        source, object_file = pair.split("=")
        expected = markers(source)
        options = ["--btf", kernel] + (["--unprivileged"] if "unprivileged" in source else [])
        run = subprocess.run([skep, "check", "-j", *options, object_file], capture_output=True,
                             text=True, timeout=120)
        for line in run.stdout.splitlines():
            verdict = json.loads(line)
            program = verdict["program"]
            # The line may be in a function that the program calls.
            calls = {"deep_stack": "big", "untagged_argument": "total", "callback_result": "each",
                     "null_passed_on": "first_byte"}
            name = calls.get(program, program)
            screen = subprocess.run([skep, "check", *options, f"{object_file}:{program}"],
                                    capture_output=True, text=True, timeout=120).stdout
            wrong = judge(verdict, expected[name], source) if name in expected else ["is not marked"]
            lines = screen.splitlines()
            if len(lines) > LINES_MAX:
                wrong.append(f"takes {len(lines)} lines")
            wrong += [f"has a line of {len(l)} columns: {l}" for l in lines
                      if len(l.expandtabs()) > COLUMNS_MAX and "|" in l]
            count += 1
            if wrong:
                failed += 1
                print(f"{source}: {program}: " + "; ".join(wrong))
                print("    " + screen.replace("\n", "\n    "))
    print(f"{count} mistakes, {failed} explained wrongly")
    return 1 if failed or not count else 0


sys.exit(main())
