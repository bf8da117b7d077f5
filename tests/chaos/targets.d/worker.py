# SPDX-License-Identifier: BSD-2-Clause
"""worker.py KIND NUMBER FILE, as worker.c; KIND is of no account."""
import ctypes
import mmap
import sys

GETPRIORITY, CALL, WORDS = 140, 0x5eed, 65536

number = int(sys.argv[2])
with open(sys.argv[3], 'r+b') as file:
    memory = mmap.mmap(file.fileno(), WORDS * 8)
word = (ctypes.c_uint64 * WORDS).from_buffer(memory)
syscall = ctypes.CDLL(None).syscall
while True:
    syscall(GETPRIORITY, CALL, number)
    word[number] += 1
