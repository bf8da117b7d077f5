#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Captures of many link types for filters: make_filter_captures.py DIRECTORY

Every packet is put together from random layers, the numbers mostly those that the
expressions of filter_compare.py ask for; one in eight is cut short.
"""
import random, struct, sys

r = random.Random(1993)
ADDRESSES = [bytes(map(int, a.split('.'))) for a in
             ['10.0.0.1', '10.0.0.2', '10.1.2.3', '192.168.1.1', '192.168.1.77', '224.0.0.5', '255.255.255.255',
              '127.0.0.1', '172.16.9.9']]
ADDRESSES6 = [bytes.fromhex(a) for a in
              ['20010db8000000000000000000000001', '20010db8000000000000000000000002',
               'fe800000000000000000000000000001', 'ff020000000000000000000000000001', '0' * 31 + '1']]
MACS = [bytes.fromhex(a) for a in ['020000000001', '020000000002', 'ffffffffffff', '01005e000005', '333300000001',
                                   '0180c2000000']]
PORTS = [22, 23, 25, 53, 67, 68, 80, 123, 443, 514, 1024, 3478, 5060, 8080, 33434, 65535, 4789, 6081]


def port():
    return r.choice(PORTS) if r.random() < .9 else r.randrange(65536)


def payload():
    return r.choice([b'', b'GET / HTTP/1.0\r\n\r\n', bytes(r.randrange(256) for _ in range(r.randrange(80))), bytes(1200)])


def tcp():
    flags = r.choice([2, 18, 16, 24, 17, 4, 20, 0x29, 0xc2, r.randrange(256)])
    options = r.choice([0, 0, 1, 3])
    return struct.pack('>HHIIBBHHH', port(), port(), r.randrange(1 << 32), 0, (5 + options) << 4, flags,
                       r.choice([0, 1024, 65535]), 0, 0) + bytes(4 * options) + payload()


def udp():
    inner = payload()
    if r.random() < .2:
        inner = struct.pack('>II', 8 << 24, r.choice([5, 42]) << 8) + ethernet(depth=2)
        return struct.pack('>HHHH', 33000, r.choice([4789, 6081]), 8 + len(inner), 0) + inner
    return struct.pack('>HHHH', port(), port(), 8 + len(inner), 0) + inner


def icmp():
    return struct.pack('>BBHHH', r.choice([0, 3, 5, 8, 11, 12, 13, 17]), r.randrange(4), 0, 7, 9) + payload()[:40]


def icmp6():
    return struct.pack('>BBHI', r.choice([1, 2, 3, 128, 129, 133, 134, 135, 136, 137]), 0, 0, 7) + payload()[:40]


def sctp():
    return struct.pack('>HHII', port(), port(), 1, 2) + payload()


def other():
    return bytes(r.randrange(256) for _ in range(r.randrange(30)))


UPPER = [(6, tcp), (6, tcp), (6, tcp), (17, udp), (17, udp), (1, icmp), (132, sctp), (2, other), (47, other), (50, other),
         (51, other), (89, other), (103, other), (112, other), (4, lambda: ip()), (41, lambda: ip6())]


def ip():
    number, make = r.choice(UPPER) if r.random() < .95 else (r.randrange(256), other)
    options = r.choice([0, 0, 0, 1, 5, 10])
    fragment = r.choice([0, 0, 0, 0x4000, 0x2000, 0x2001, 0x00b9])
    body = make()
    head = struct.pack('>BBHHHBBH', 0x45 + options, r.choice([0, 0x10, 0xb8]), 20 + 4 * options + len(body), 7, fragment,
                       r.choice([1, 5, 64, 255]), number, 0)
    return head + r.choice(ADDRESSES) + r.choice(ADDRESSES) + bytes(4 * options) + body


def ip6():
    number, make = r.choice([(6, tcp), (6, tcp), (17, udp), (58, icmp6), (132, sctp), (50, other), (59, lambda: b''), (89, other)])
    body = make()
    for _ in range(r.choice([0, 0, 0, 1, 2])):
        kind = r.choice([0, 43, 60, 44, 51])
        if kind == 44:
            body = struct.pack('>BBHI', number, 0, r.choice([0, 1, 8]), 5) + body
        elif kind == 51:
            body = struct.pack('>BB', number, 4) + bytes(22) + body
        else:
            body = struct.pack('>BB', number, 0) + bytes(6) + body
        number = kind
    return struct.pack('>IHBB', 6 << 28 | r.choice([0, 0x1234]), len(body), number, 64) + r.choice(ADDRESSES6) + \
        r.choice(ADDRESSES6) + body


def arp():
    return struct.pack('>HHBBH', 1, 0x800, 6, 4, r.choice([1, 2])) + r.choice(MACS) + r.choice(ADDRESSES) + r.choice(MACS) + \
        r.choice(ADDRESSES)


def llc():
    return r.choice([b'\x42\x42\x03', b'\xfe\xfe\x03\x83', b'\xfe\xfe\x03\x81', b'\xfe\xfe\x03\x82', b'\xe0\xe0\x03', b'\xf0\xf0\x03',
                     b'\xaa\xaa\x03\x00\x00\x00\x08\x00' + ip(), b'\xaa\xaa\x03\x08\x00\x07\x80\x9b', b'\xff\xff\x00\x30']) + other()


def mpls():
    labels = r.choice([1, 1, 2])
    stack = b''.join(struct.pack('>I', r.choice([16, 1024, 100000]) << 12 | (i == labels - 1) << 8 | 64) for i in range(labels))
    return stack + r.choice([ip, ip6])()


def pppoe():
    code, body = 0, r.choice([b'\x00\x21' + ip(), b'\x00\x57' + ip6(), b'\xc0\x21' + other()])
    return struct.pack('>BBHH', 0x11, code, r.choice([1, 7, 0x1234]), len(body)) + body


def typed(depth=0):
    """An Ethernet type and what follows."""
    choices = [(0x800, ip)] * 8 + [(0x86dd, ip6)] * 4 + [(0x806, arp), (0x8035, arp), (0x8847, mpls), (0x8848, mpls), (0x8864, pppoe),
              (0x8863, other), (0x88cc, other), (0x809b, other), (0x80f3, other), (0x6003, other), (0x6004, other), (0x888e, other),
              (0x88e5, other)]
    if depth < 2:
        choices += [(t, lambda: struct.pack('>H', r.choice([5, 42, 100, 4095]) | r.choice([0, 0x6000])) + tagged(depth + 1))
                    for t in (0x8100, 0x8100, 0x8100, 0x88a8, 0x9100)]
    kind, make = r.choice(choices)
    return kind, make()


def tagged(depth):
    kind, body = typed(depth)
    return struct.pack('>H', kind) + body


def ethernet(depth=0):
    head = r.choice(MACS) + r.choice(MACS)
    if r.random() < .1:
        body = llc()
        return head + struct.pack('>H', len(body)) + body
    return head + tagged(depth)


def cooked():
    kind, body = typed()
    return struct.pack('>HHH', r.choice([0, 1, 2, 3, 4]), 1, 6) + r.choice(MACS) + b'\0\0' + struct.pack('>H', kind) + body


def cooked2():
    kind, body = typed()
    return struct.pack('>HHIHBB', kind, 0, r.choice([1, 2, 3]), 1, r.choice([0, 1, 2, 3, 4]), 6) + r.choice(MACS) + b'\0\0' + body


def raw():
    return r.choice([ip, ip, ip6])()


def loop():
    family, make = r.choice([(2, ip), (2, ip), (30, ip6), (24, ip6), (10, ip6)])
    return struct.pack('<I', family) + make()


def ppp():
    return r.choice([b'\xff\x03', b''])[:2] + r.choice([b'\x00\x21' + ip(), b'\x00\x57' + ip6(), b'\xc0\x21' + other(), b'\x02\x81' + mpls()])


def wireless():
    kind, sub = r.choice([(0, 8), (0, 4), (0, 5), (0, 0), (0, 11), (0, 12), (1, 11), (1, 12), (1, 13), (2, 0), (2, 8), (2, 4), (2, 0), (2, 8)])
    ds = r.choice([0, 1, 2, 3]) if kind == 2 else 0
    head = struct.pack('<BBH', sub << 4 | kind << 2, ds, 0) + r.choice(MACS) + r.choice(MACS)
    if kind == 1:
        return head[:10] if sub != 11 else head
    head += r.choice(MACS) + b'\x10\x00'
    if ds == 3:
        head += r.choice(MACS)
    if kind == 0:
        return head + other()
    if sub & 8:
        head += b'\x00\x00'
    if sub & 4:
        return head
    return head + b'\xaa\xaa\x03\x00\x00\x00' + tagged(2)


def radiotap():
    extra = r.choice([0, 4, 8, 18])
    return struct.pack('<BBHI', 0, 0, 8 + extra, 0) + bytes(extra) + wireless()


LINKS = {'ethernet': (1, ethernet), 'raw': (101, raw), 'cooked': (113, cooked), 'cooked2': (276, cooked2), 'loop': (0, loop), 'ppp': (9, ppp),
         'wireless': (105, wireless), 'radiotap': (127, radiotap)}

if __name__ == '__main__':
    for name, (link, make) in LINKS.items():
        with open(f'{sys.argv[1]}/{name}.pcap', 'wb') as out:
            out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, link))
            for i in range(4000 if name == 'ethernet' else 1500):
                frame = make()
                kept = frame[:r.randrange(len(frame) + 1)] if r.random() < .12 else frame
                out.write(struct.pack('<IIII', 1000000 + i, i, len(kept), len(frame)) + kept)
