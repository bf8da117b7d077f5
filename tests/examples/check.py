#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Do an example's results agree with what its capture says they must be?

    check.py EXPECTED.json EXAMPLE RESULTS.jsonl [OUTPUT.pcap]

RESULTS.jsonl is what `skep run -j` printed. Prints each
difference; exit status 1 if there is one.
"""
import hashlib
import json
import struct
import sys


def merge(name, a, b):
    """Two CPUs' values: flags are joined, counts added."""
    if isinstance(a, dict):
        return {k: merge(k, a[k], b[k]) for k in a}
    return a | b if name == 'tcp_flags' else a + b


def total(values):
    result = values[0]
    for value in values[1:]:
        result = merge('', result, value)
    return result


def read_results(path):
    maps, actions, events, faults = {}, None, [], 0
    for line in open(path):
        try:
            row = json.loads(line)
        except ValueError:
            sys.exit('%s: not JSON: %s' % (path, line[:200].rstrip()))
        if 'map' in row and 'key' in row:
            value = total(row['values']) if 'values' in row else row['value']
            maps.setdefault(row['map'], []).append((row['key'], value))
        elif 'map' in row or 'event' in row:
            events.append(row)
        elif 'actions' in row:
            actions = row['actions']
            faults = row.get('faults', 0)
    return maps, actions, events, faults


def canonical(rows):
    return {json.dumps(k, sort_keys=True): v for k, v in rows}


def compare_map(name, want, have):
    problems = []
    want, have = canonical(want), canonical(have)
    for key in sorted(set(want) | set(have)):
        if want.get(key) != have.get(key):
            problems.append('%s[%s]: expected %s, got %s' % (
                name, key, want.get(key, 'nothing'), have.get(key, 'nothing')))
    return problems


def digest(path):
    data, at, h = open(path, 'rb').read(), 24, hashlib.sha256()
    while at < len(data):
        size = struct.unpack_from('<I', data, at + 8)[0]
        h.update(struct.pack('<I', size) + data[at + 16:at + 16 + size])
        at += 16 + size
    return h.hexdigest()


def find_event(events, want):
    """Is there an event whose record has these members?"""
    for event in events:
        for record in [event] + [v for v in event.values() if isinstance(v, dict)]:
            if all(record.get(k) == v for k, v in want.items()):
                return True
    return False


def main():
    expected = json.load(open(sys.argv[1]))[sys.argv[2]]
    maps, actions, events, faults = read_results(sys.argv[3])
    problems = []
    if actions is None:
        problems.append('no line says which actions were taken')
    elif 'actions' in expected:
        want = {k: v for k, v in expected['actions'].items() if v}
        have = {k: v for k, v in actions.items() if v}
        if want != have:
            problems.append('actions: expected %s, got %s' % (want, have))
    if faults:
        problems.append('%d faults' % faults)
    for name, rows in expected['maps'].items():
        problems += compare_map(name, rows, maps.get(name, []))
    if 'events' in expected and events:
        if len(events) != expected['events']['events']:
            problems.append('events: expected %d, got %d' % (expected['events']['events'],
                                                             len(events)))
        elif not find_event(events, expected['events']['first']):
            problems.append('no event is %s' % expected['events']['first'])
    if 'output' in expected and len(sys.argv) > 4 and digest(sys.argv[4]) != expected['output']:
        problems.append('the packets in %s are not the expected ones' % sys.argv[4])
    for problem in problems[:20]:
        print('%s: %s' % (sys.argv[2], problem))
    if len(problems) > 20:
        print('%s: and %d more' % (sys.argv[2], len(problems) - 20))
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
