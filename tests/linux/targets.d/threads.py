# SPDX-License-Identifier: BSD-2-Clause
"""Threads that open files, wait for each other and start a process."""
import subprocess
import threading

lock = threading.Lock()
total = 0


def work(n):
    global total
    for _ in range(20):
        with open('/proc/self/status') as f:
            lines = len(f.readlines())
        with lock:
            total += lines > 0


threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(total, subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout.strip())
