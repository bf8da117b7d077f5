# SPDX-License-Identifier: BSD-2-Clause
"""Reads events of spaces.bpf.c and prints each thread's, with places in the tree for ids.

A place is the parent's and the number of the child there, so that two runs print the same.
What a call returned is printed as it is: that is not for the machine to change.
"""
import json
import sys

FORK, EXEC, EXIT, SIGNAL, GETPID, OPEN = range(6)
WORDS = 'fork exec exit signal getpid open'.split()

events = []
for line in open(sys.argv[1]):
    row = json.loads(line)
    if row.get('event') == 'ringbuf':
        events.append(row['data'])

children = {}
for event in events:
    if event['kind'] == FORK:
        children.setdefault(event['tid'], []).append(event['value'])
born = {child for of in children.values() for child in of}
places = {}


def place(tid, name):
    places[tid] = name
    for n, child in enumerate(children.get(tid, [])):
        place(child, f'{name}.{n}')


roots = [event['tid'] for event in events if event['tid'] not in born]
if roots:
    place(roots[0], 'root')


def of(tid):
    return places.get(tid, 'outside')


told = {}
for event in events:
    kind = event['kind']
    value = of(event['value'])
    if kind == GETPID:
        value = 'itself' if event['value'] == event['pid'] else event['value']
    if kind == OPEN: # the kernel may find no name, where its page has not been read yet
        value = '-'
    told.setdefault(of(event['tid']), []).append(
        f"{WORDS[kind]} {value} by {of(event['pid'])} of {of(event['parent'])} {event['comm']} "
        f"as {event['uid']} {event['cred']}")
for name in sorted(told):
    print(name)
    for line in told[name]:
        print('   ', line)
