# SPDX-License-Identifier: BSD-2-Clause
"""patched.py PID FILE: how many of the file's bytes begin a jump, or are a trap, in a process's memory only."""
import os
import sys

JUMP, TRAP, JUMP_SIZE = 0xE9, 0xCC, 5


def changed(pid, name):
    """The bytes of the file's code as a process has it, and as they are in the file."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            words = line.split()
            if len(words) < 6 or "x" not in words[1] or os.path.basename(words[5]) != name:
                continue
            start, end = (int(word, 16) for word in words[0].split("-"))
            memory.seek(start)
            with open(words[5], "rb") as file:
                file.seek(int(words[2], 16))
                original = file.read(end - start)
            yield memory.read(len(original)), original


def count(pid, name):
    jumps = traps = 0
    for here, original in changed(pid, name):
        at = 0
        while at < len(here):
            if here[at] != original[at]:
                jumps += here[at] == JUMP
                traps += here[at] == TRAP
                at += JUMP_SIZE if here[at] == JUMP else 1
            else:
                at += 1
    return jumps, traps


print(*count(sys.argv[1], sys.argv[2]))
