# SPDX-License-Identifier: BSD-2-Clause
"""A process with all kinds of relatives: a thread, a fork, a spawned program; and signals."""
import os
import signal
import subprocess
import threading

signal.signal(signal.SIGUSR1, lambda *_: None)
os.getpid()
done = threading.Event()


def thread():
    os.getpid()
    done.wait()


helper = threading.Thread(target=thread)
helper.start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
child = os.fork()
if child == 0:
    os.getpid()
    signal.sigwait({signal.SIGUSR2})
    os._exit(3)
os.kill(os.getpid(), signal.SIGUSR1)
os.kill(child, signal.SIGUSR1)
os.kill(child, signal.SIGUSR2)
os.waitpid(child, 0)
subprocess.run(['/bin/sh', '-c', ': </dev/null'], check=True)
signal.signal(signal.SIGCHLD, lambda *_: None)
subprocess.run(['/bin/sh', '-c', 'exit 0'], check=True)
done.set()
helper.join()
