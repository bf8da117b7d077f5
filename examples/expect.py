#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the examples must find in a capture, worked out without them.

    expect.py CAPTURE.pcap > web.expected.json

Reads the capture byte by byte and says, per example, how many packets end in
which action and what its maps hold at the end. lists of [key, value] stand for
maps; per-CPU values are summed.
"""
import collections
import hashlib
import json
import socket
import struct
import sys


def read_pcap(path):
    data = open(path, 'rb').read()
    at, frames = 24, []
    while at < len(data):
        size = struct.unpack_from('<I', data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return frames


class Packet:
    """What parse.h makes of a frame: ends at the first thing that is wrong."""

    def __init__(self, frame):
        self.frame, self.size = frame, len(frame)
        self.vlans, self.version, self.proto = [], 0, None
        self.source = self.target = None
        self.sport = self.dport = 0
        self.transport = None       # 'tcp', 'udp' once its header is whole
        self.broken = False         # ended in a header that is not all there
        self.payload = None
        self.kind = struct.unpack_from('!H', frame, 12)[0]
        at = 14
        while self.kind in (0x8100, 0x88a8) and len(self.vlans) < 2:
            tci, self.kind = struct.unpack_from('!HH', frame, at)
            self.vlans.append(tci & 0xfff)
            at += 4
        self.network = at
        if self.kind == 0x0800:
            self.ip4(at)
        elif self.kind == 0x86dd:
            self.ip6(at)

    def ip4(self, at):
        f = self.frame
        self.short_ip = len(f) < at + 20
        if self.short_ip:
            self.broken = True
            return
        self.source, self.target = f[at + 12:at + 16], f[at + 16:at + 20]
        size = (f[at] & 15) * 4
        if f[at] >> 4 != 4 or size < 20 or len(f) < at + size or \
                struct.unpack_from('!H', f, at + 6)[0] & 0x1fff:
            self.broken = True
            return
        self.version, self.proto = 4, f[at + 9]
        self.upper(at + size)

    def ip6(self, at):
        f = self.frame
        if len(f) < at + 40 or f[at] >> 4 != 6:
            self.broken = True
            return
        self.source, self.target = f[at + 8:at + 24], f[at + 24:at + 40]
        self.version, self.proto = 6, f[at + 6]
        self.upper(at + 40)

    def upper(self, at):
        f = self.frame
        if self.proto == 6:
            size = (f[at + 12] >> 4) * 4 if len(f) >= at + 20 else 0
            if size < 20 or len(f) < at + size:
                self.broken = True
                return
            self.flags, self.options = f[at + 13], f[at + 20:at + size]
            self.transport, self.start = 'tcp', at + size
        elif self.proto == 17:
            if len(f) < at + 8:
                self.broken = True
                return
            self.transport, self.start = 'udp', at + 8
        else:
            return
        self.at = at
        self.sport, self.dport = struct.unpack_from('!HH', f, at)
        self.payload = f[self.start:]

    @property
    def syn(self):
        return self.transport == 'tcp' and self.flags & 2 and not self.flags & 16


def addr(text):
    return socket.inet_aton(text)


def rows(counter):
    return [[list(k) if isinstance(k, tuple) else k, v] for k, v in sorted(counter.items())]


def add(table, key, size):
    packets, total = table.get(key, (0, 0))
    table[key] = (packets + 1, total + size)


def counts(table):
    return [[list(k) if isinstance(k, tuple) else k, {'packets': p, 'bytes': b}]
            for k, (p, b) in sorted(table.items())]


def digest(frames):
    return hashlib.sha256(b''.join(struct.pack('<I', len(f)) + f for f in frames)).hexdigest()


def xdp_firewall(packets):
    table, kept = {r: (0, 0) for r in ('PASSED', 'BAD_HEADER', 'BAD_SOURCE', 'BAD_FLOW',
                                       'CLOSED_PORT')}, []
    for p in packets:
        if p.kind != 0x0800:
            why = 'PASSED'
        elif p.short_ip:
            why = 'BAD_HEADER'
        elif p.source[:3] == addr('203.0.113.0')[:3]:
            why = 'BAD_SOURCE'
        elif p.proto in (6, 17) and not p.transport:
            why = 'BAD_HEADER'
        elif p.syn and p.dport in (23, 445, 3389):
            why = 'CLOSED_PORT'
        else:
            why = 'PASSED'
        add(table, why, p.size)
        if why == 'PASSED':
            kept.append(p.frame)
    return {'program': 'xdp_firewall',
            'actions': {'XDP_PASS': len(kept), 'XDP_DROP': len(packets) - len(kept)},
            'maps': {'drops': counts(table), 'rules': [], 'blocked_net': []},
            'output': digest(kept)}


def http_count(packets):
    requests, statuses, events = {}, collections.Counter(), []
    methods = (b'GET ', b'PUT ', b'POST ', b'HEAD ', b'DELETE ')
    for p in packets:
        if p.transport != 'tcp' or len(p.payload) < 16:
            continue
        text = p.payload[:256]
        if text[:1] == b'H' and text[4:7] == b'/1.':
            statuses[int(text[9:12])] += 1
        elif text.startswith(methods):
            words = text.split(b' ')
            host = b''
            at = text.lower().find(b'\nhost: ')
            if 0 <= at < 248:
                host = text[at + 7:].split(b'\r')[0][:31]
            key = (words[0].decode(), host.decode())
            add(requests, key, len(p.payload))
            events.append([words[0].decode(), host.decode(), words[1].decode()[:47], p.sport])
    return {'program': 'http_count', 'actions': {'TC_ACT_OK': len(packets)},
            'maps': {'requests': [[{'method': m, 'host': h}, v]
                                  for (m, h), v in [(tuple(k), v) for k, v in counts(requests)]],
                     'statuses': rows(statuses)},
            'events': {'events': len(events), 'first': dict(zip(
                ('method', 'host', 'path', 'port'), events[0]))}}


def sum16(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data + b'\0' * (len(data) % 2))) \
        if len(data) % 2 == 0 else sum(struct.unpack('!%dH' % ((len(data) + 1) // 2), data + b'\0'))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def xdp_lb(packets):
    sent, out = {i: (0, 0) for i in range(4)}, []
    changed = 0
    for p in packets:
        if p.version != 4 or p.transport != 'tcp' or p.target != addr('192.0.2.10') or \
                p.dport != 80:
            out.append(p.frame)
            continue
        h = struct.unpack('!I', p.source)[0] ^ p.sport << 16
        index = (h * 0x9e3779b1 & 0xffffffff) >> 16 & 3
        f = bytearray(p.frame)
        f[6:12] = f[0:6]
        f[0:6] = bytes([2, 0, 0, 0, 1, index + 1])
        n, t = p.network, p.at
        f[n + 16:n + 20] = bytes([10, 1, 0, index + 1])
        f[n + 10:n + 12] = b'\0\0'
        f[n + 10:n + 12] = struct.pack('!H', sum16(bytes(f[n:t])))
        end = n + struct.unpack_from('!H', f, n + 2)[0]
        f[t + 16:t + 18] = b'\0\0'
        pseudo = bytes(f[n + 12:n + 20]) + struct.pack('!HH', 6, end - t)
        f[t + 16:t + 18] = struct.pack('!H', sum16(pseudo + bytes(f[t:end])))
        add(sent, index, p.size)
        out.append(bytes(f))
        changed += 1
    return {'program': 'xdp_lb',
            'actions': {'XDP_TX': changed, 'XDP_PASS': len(packets) - changed},
            'maps': {'sent': counts(sent)}, 'output': digest(out)}


def tc_vlan(packets):
    done = collections.Counter({'UNTOUCHED': 0, 'PUSHED': 0, 'POPPED': 0, 'REFUSED': 0})
    out = []
    for p in packets:
        f = p.frame
        if p.vlans:
            what = 'POPPED' if p.vlans[0] == 100 else 'REFUSED'
            if what == 'POPPED':
                out.append(f[:12] + f[16:])
        elif p.kind == 0x0800 and not p.short_ip and p.source[:3] == b'\x0a\0\0':
            what = 'PUSHED'
            out.append(f[:12] + struct.pack('!HH', 0x8100, 10) + f[12:])
        else:
            what = 'UNTOUCHED'
            out.append(f)
        done[what] += 1
    return {'program': 'tc_vlan',
            'actions': {'TC_ACT_OK': len(out), 'TC_ACT_SHOT': done['REFUSED']},
            'maps': {'done': rows(done), 'members': []}, 'output': digest(out)}


def dns_log(packets):
    questions, answers, names = collections.Counter(), collections.Counter(), []
    for i in range(16):
        answers[i] = 0
    for p in packets:
        if p.transport != 'udp' or 53 not in (p.sport, p.dport):
            continue
        flags, count = struct.unpack_from('!HH', p.payload, 2)
        parts, at = [], 12
        while p.payload[at]:
            parts.append(p.payload[at + 1:at + 1 + p.payload[at]])
            at += 1 + p.payload[at]
        if count != 1 or at - 12 + 1 > 64:
            continue
        kind = struct.unpack_from('!H', p.payload, at + 1)[0]
        names.append([b'.'.join(parts).decode(), kind, flags >> 15])
        if flags >> 15:
            answers[flags & 15] += 1
        else:
            questions[kind] += 1
    return {'program': 'dns_log',
            'maps': {'questions': rows(questions), 'answers': rows(answers)},
            'events': {'events': len(names), 'first': dict(zip(('name', 'type', 'response'),
                                                                names[0]))}}


def flow_stats(packets):
    flows, sizes = {}, collections.Counter({i: 0 for i in range(17)})
    for p in packets:
        sizes[p.size.bit_length() - 1] += 1
        if not p.version:
            continue
        pad = b'\0' * 12 if p.version == 4 else b''
        key = (p.source + pad, p.target + pad, p.sport, p.dport, p.proto, p.version)
        n, size, flags = flows.get(key, (0, 0, 0))
        flows[key] = (n + 1, size + p.size, flags | (p.flags if p.transport == 'tcp' else 0))
    return {'program': 'flow_stats', 'actions': {'XDP_PASS': len(packets)},
            'maps': {'sizes': rows(sizes), 'flows': [
                [{'source': list(k[0]), 'target': list(k[1]), 'sport': k[2], 'dport': k[3],
                  'proto': k[4], 'family': k[5], 'zero': 0},
                 {'packets': v[0], 'bytes': v[1], 'tcp_flags': v[2]}]
                for k, v in sorted(flows.items())]}}


def tail_parser(packets):
    c = collections.Counter({k: 0 for k in (
        'FRAMES', 'IP4_PACKETS', 'IP6_PACKETS', 'TCP_SEGMENTS', 'UDP_DATAGRAMS', 'OTHER',
        'BROKEN')})
    for p in packets:
        c['FRAMES'] += 1
        if p.kind == 0x0800:
            c['IP4_PACKETS'] += 1
        elif p.kind == 0x86dd:
            c['IP6_PACKETS'] += 1
        if p.broken:
            c['BROKEN'] += 1
        elif p.transport:
            c['TCP_SEGMENTS' if p.transport == 'tcp' else 'UDP_DATAGRAMS'] += 1
        else:
            c['OTHER'] += 1
    return {'program': 'ethernet', 'actions': {'XDP_PASS': len(packets)},
            'maps': {'counters': rows(c)}}


def xdp_synflood(packets):
    sources, totals = {}, collections.Counter({'SYNS': 0, 'CRAFTED': 0, 'DROPPED': 0})
    for p in packets:
        if p.version != 4 or p.transport != 'tcp':
            continue
        s = sources.get(p.source)
        if not p.flags & 2:
            if s and p.flags & 16:
                s[0] = 0
            continue
        if p.flags & 16:
            continue
        s = sources.setdefault(p.source, [0, 0, 0])
        totals['SYNS'] += 1
        s[1] += 1
        weight = 1 if p.options[:1] == b'\x02' else 2
        totals['CRAFTED'] += weight - 1
        if s[0] + weight > 16:
            s[2] += 1
            totals['DROPPED'] += 1
        else:
            s[0] += weight
    return {'program': 'xdp_synflood',
            'actions': {'XDP_PASS': len(packets) - totals['DROPPED'],
                        'XDP_DROP': totals['DROPPED']},
            'maps': {'totals': rows(totals), 'sources': [
                [list(k), {'half_open': v[0], 'syns': v[1], 'dropped': v[2]}]
                for k, v in sorted(sources.items())]}}


def cgroup_account(packets):
    """Bytes are counted from the network header, padding of short frames included."""
    table = {}
    for p in packets:
        proto = 0 # not IP: and a tag, left where it is, is not IP either
        if p.kind in (0x0800, 0x86dd) and not p.vlans:
            proto = p.frame[p.network + (9 if p.kind == 0x0800 else 6)]
        add(table, proto, p.size - 14)
    return {'program': 'count_ingress',
            'maps': {'traffic': [[{'direction': 'INGRESS', 'proto': k},
                                  {'packets': v[0], 'bytes': v[1]}]
                                 for k, v in sorted(table.items())]}}


def main():
    packets = [Packet(f) for f in read_pcap(sys.argv[1])]
    result = {'packets': len(packets)}
    for make in (xdp_firewall, http_count, xdp_lb, tc_vlan, dns_log, flow_stats, tail_parser,
                 xdp_synflood, cgroup_account):
        result[make.__name__] = make(packets)
    json.dump(result, sys.stdout, indent=None, separators=(',', ':'))
    print()


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit('usage: expect.py CAPTURE.pcap')
    main()
