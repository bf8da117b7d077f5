#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Do filters with sets pass what they should? filter_sets.py SKEP [TCPDUMP]

Sets of some dozens: against tcpdump, byte by byte, and 'skep filter -O'. Sets of thousands: against
what Python says of each packet; by machine code, interpreted, and as objects for XDP and tc.
Prints how many runs were compared and how many differ.
"""
import ipaddress, pathlib, random, struct, subprocess, sys

RANDOM = random.Random(7)
SKEP = sys.argv[1]
TCPDUMP = sys.argv[2] if len(sys.argv) > 2 else None
POOL4 = [RANDOM.getrandbits(32) for _ in range(4000)] + [0x0a000000 + i for i in range(2000)]
POOL6 = [0x20010db8 << 96 | RANDOM.getrandbits(2) << 64 | RANDOM.getrandbits(12) for _ in range(2000)] + \
        [RANDOM.getrandbits(128) for _ in range(500)]


def text4(a):
    return str(ipaddress.IPv4Address(a))


def text6(a):
    return str(ipaddress.IPv6Address(a))


class Packet:
    def __init__(self, data, full, kind, src=0, dst=0, proto=0, sport=None, dport=None):
        self.data, self.full, self.kind, self.src, self.dst = data, full, kind, src, dst
        self.proto, self.sport, self.dport = proto, sport, dport


def make_packet(vlan):
    sport, dport = (RANDOM.choice([22, 53, 80, RANDOM.getrandbits(16)]) for _ in range(2))
    proto = RANDOM.choice([6, 17, 1, 132])
    transport = struct.pack('!HH', sport, dport) + bytes(16)
    kind = RANDOM.choice(['ip', 'ip', 'ip', 'ip6', 'ip6', 'arp', 'rarp', 'other'])
    fragment = RANDOM.choice([0] * 6 + [0x2000, 100])
    has_ports = proto in (6, 17, 132)
    if kind == 'ip6':
        src, dst = RANDOM.choice(POOL6), RANDOM.choice(POOL6)
        body = struct.pack('!IHBB', 0x60000000, len(transport), proto, 64) + src.to_bytes(16, 'big') + \
            dst.to_bytes(16, 'big') + transport
        ether = 0x86dd
    elif kind == 'ip':
        src, dst = RANDOM.choice(POOL4), RANDOM.choice(POOL4)
        options = RANDOM.choice([0, 0, 0, 2])
        body = struct.pack('!BBHHHBBHII', 0x45 + options, 0, 20 + 4 * options + len(transport), 1, fragment, 64, proto, 0,
                           src, dst) + bytes(4 * options) + transport
        ether = 0x800
        has_ports = has_ports and not fragment & 0x1fff
    elif kind in ('arp', 'rarp'):
        src, dst = RANDOM.choice(POOL4), RANDOM.choice(POOL4)
        body = struct.pack('!HHBBH6sI6sI', 1, 0x800, 6, 4, 1, bytes(6), src, bytes(6), dst) + bytes(18)
        ether, has_ports, proto = 0x806 if kind == 'arp' else 0x8035, False, 0
    else:
        src = dst = -1
        body, ether, has_ports, proto = bytes(40), 0x88cc, False, 0
    tag = struct.pack('!HH', 0x8100, 5) if vlan else b''
    data = bytes(12) + tag + struct.pack('!H', ether) + body
    return Packet(data, len(data), kind, src, dst, proto, sport if has_ports else None, dport if has_ports else None)


def write_capture(path, packets, cut=False):
    with open(path, 'wb') as out:
        out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for number, packet in enumerate(packets):
            data = packet.data[:RANDOM.randrange(10, packet.full)] if cut else packet.data
            out.write(struct.pack('<IIII', number, 0, len(data), packet.full) + data)


def numbers_of(path):
    """The packets in a capture, by the second of their time stamps."""
    data, at, numbers = pathlib.Path(path).read_bytes(), 24, []
    while at < len(data):
        second, _, size, _ = struct.unpack_from('<IIII', data, at)
        numbers.append(second)
        at += 16 + size
    return numbers


class Judge:
    def __init__(self):
        self.compared = self.wrong = self.passed = 0

    def expect(self, what, expected, got):
        self.compared += 1
        self.passed += len(expected or []) > 24
        if expected != got:
            self.wrong += 1
            print(f'{what}: {len(expected) if expected is not None else None} expected, got '
                  f'{len(got) if got is not None else None}')


def output(words, **more):
    done = subprocess.run(words, capture_output=True, timeout=120, **more)
    return done.stdout if done.returncode == 0 else None


def small(judge):
    """Some dozens, in every way that expressions have."""
    some = RANDOM.sample(POOL4, 40)
    some6 = RANDOM.sample(POOL6, 30)
    hosts = ' or '.join('host ' + text4(a) for a in some)
    brief = 'host ' + ' or '.join(text4(a) for a in some)
    listed = 'host (' + ' or '.join(text4(a) for a in some) + ')'
    src = ' || '.join('src host ' + text4(a) for a in some)
    dst = 'dst ' + ' or '.join(text4(a) for a in some)
    nets = ' or '.join(f'net {text4(a & -1 << 32 - bits & 0xffffffff)}/{bits}'
                       for a in some for bits in [RANDOM.choice([12, 16, 20, 24, 27, 32])])
    short = ' or '.join(f'net {a >> 24}.{a >> 16 & 255}' for a in some)
    ports = ' or '.join(f'port {p}' for p in RANDOM.sample(range(65536), 30) + [22, 53, 80])
    ranges = ' or '.join(f'portrange {p}-{p + 900}' for p in range(1000, 64000, 2000))
    tcp = ' or '.join(f'tcp src port {p}' for p in [22, 80] + RANDOM.sample(range(65536), 30))
    hosts6 = ' or '.join('host ' + text6(a) for a in some6)
    src6 = ' or '.join('ip6 src host ' + text6(a) for a in some6)
    nets6 = ' or '.join(f'net {text6(a >> 128 - bits << 128 - bits)}/{bits}'
                        for a in some6 for bits in [RANDOM.choice([20, 33, 56, 64, 65, 100, 120, 128])])
    mixed = ' or '.join(x for pair in zip(hosts.split(' or '), ports.split(' or ')) for x in pair)
    expressions = [
        hosts, brief, listed, src, dst, nets, short, ports, ranges, tcp, hosts6, src6, nets6, mixed,
        f'tcp and ({hosts}) and not port 22', f'not ({hosts})', f'not ({nets6}) and ip6', f'udp or {src}',
        f'tcp and {hosts}', f'{hosts} and tcp', f'({src}) and ({dst})', f'({hosts}) and ({ports})',
        f'({src}) and src port 80', f'src host {text4(some[0])} and ({src})', f'not ({ports}) and ({hosts6})',
        f'ip and (({src}) or ({tcp}))', f'{brief} or tcp', f'icmp or {brief} or arp', f'{hosts} or {hosts6}',
        f'arp and ({brief})', f'arp host {" or ".join(text4(a) for a in some)}', f'{ports} or 443 or 8080',
        f'({nets}) and ip[8] = 64', f'len > 50 and ({nets}) or ip6', f'(ip[0] & 0xf) = 5 and ({hosts})',
        f'(({src}) or ({src6})) and not icmp', f'vlan and ({hosts})', f'vlan and ({hosts6})', f'vlan 5 and ({ports})', f'{hosts} or vlan and ({ports})',
        f'not not ({src})', f'!({src}) && !({dst})', f'src or dst host {" or ".join(text4(a) for a in some)}',
        f'src and dst host {" or ".join(text4(a) for a in some)}', f'port domain or {ports}', f'{brief} or localhost',
        f'{hosts} or port 99999', f'{hosts} and', f'{brief} or tcp or 1.2.3.4', f'{nets} or net 10.0.0.1/8',
    ]
    captures = {'plain': [make_packet(False) for _ in range(3000)], 'vlan': [make_packet(True) for _ in range(1500)]}
    captures['cut'] = captures['plain']
    for name, packets in captures.items():
        write_capture(f'{name}.pcap', packets, name == 'cut')
        for expression in expressions:
            if name == 'cut' and (':' in expression or expression is mixed):
                continue
            pathlib.Path('expression').write_text(expression)
            plain = output([SKEP, 'filter', '-O', '-r', f'{name}.pcap', '-w', '-', '-F', 'expression'])
            for words in ([], ['--interpreter'])[:2 if name == 'plain' else 1]:
                got = output([SKEP, 'filter', *words, '-r', f'{name}.pcap', '-w', '-', '-F', 'expression'])
                judge.expect(f'{name} {words} {expression[:90]}', plain, got)
            if TCPDUMP and name != 'vlan':
                theirs = output([TCPDUMP, '-O', '-r', f'{name}.pcap', '-w', '-', '-F', 'expression'])
                judge.expect(f'{name} tcpdump {expression[:90]}', theirs, plain)
            listing = output([SKEP, 'filter', '-d', '-F', 'expression'])
            if listing is None:
                continue
            pathlib.Path('listing').write_bytes(listing)
            got = output([SKEP, 'filter', '-O', '-r', f'{name}.pcap', '-w', '-', '-F', 'listing'])
            judge.expect(f'{name} classic {expression[:90]}', plain, got)


def classic(judge, texts, packets):
    """As many as classic BPF holds: a search that IP and ARP share."""
    for some in (texts[:300], texts[:1800]):
        numbers = {int(ipaddress.IPv4Address(text.split()[1])) for text in some}
        pathlib.Path('expression').write_text(' or '.join(some))
        pathlib.Path('listing').write_bytes(output([SKEP, 'filter', '-d', '-F', 'expression']) or b'')
        want = [i for i, p in enumerate(packets)
                if p.kind in ('ip', 'arp', 'rarp') and (p.src in numbers or p.dst in numbers)]
        done = output([SKEP, 'filter', '-O', '-r', 'large.pcap', '-w', 'out.pcap', '-F', 'listing'])
        judge.expect(f'classic search of {len(some)}', want, numbers_of('out.pcap') if done is not None else None)


def large(judge, count):
    """Thousands, by rules that are written down here a second time."""
    hosts = set(RANDOM.sample(POOL4, 1500))
    while len(hosts) < count:
        hosts.add(RANDOM.getrandbits(32))
    hosts6 = set(RANDOM.sample(POOL6, 500))
    while len(hosts6) < count:
        hosts6.add(RANDOM.getrandbits(128))
    nets = {(a >> 32 - bits, bits) for a in list(hosts)[:count] for bits in [RANDOM.choice([14, 20, 24, 28, 32])]}
    nets6 = {(a >> 128 - bits, bits) for a in list(hosts6)[:count] for bits in [RANDOM.choice([40, 64, 90, 118, 128])]}
    ports = set(RANDOM.sample(range(65536), 3000))

    def in_nets(a, which, size):
        return any((a >> size - bits, bits) in which for bits in {b for _, b in which})

    def four(p):
        return p.kind in ('ip', 'arp', 'rarp')

    text = {name: list(values) for name, values in {
        'host': (f'host {text4(a)}' for a in hosts), 'src': (f'src host {text4(a)}' for a in hosts),
        'net': (f'net {text4(a << 32 - b)}/{b}' for a, b in nets), 'host6': (f'host {text6(a)}' for a in hosts6),
        'net6': (f'dst net {text6(a << 128 - b)}/{b}' for a, b in nets6), 'port': (f'port {p}' for p in ports)}.items()}
    rows = {
        'host': lambda p: four(p) and (p.src in hosts or p.dst in hosts),
        'src': lambda p: four(p) and p.src in hosts,
        'net': lambda p: four(p) and (in_nets(p.src, nets, 32) or in_nets(p.dst, nets, 32)),
        'host6': lambda p: p.kind == 'ip6' and (p.src in hosts6 or p.dst in hosts6),
        'net6': lambda p: p.kind == 'ip6' and in_nets(p.dst, nets6, 128),
        'port': lambda p: p.sport is not None and (p.sport in ports or p.dport in ports),
    }
    packets = [make_packet(False) for _ in range(2500)]
    write_capture('large.pcap', packets)
    classic(judge, text['host'], packets)
    for name, rule in rows.items():
        for words, says in (('{}', rule), ('tcp and ({}) and not port 22',
                            lambda p: p.proto == 6 and rule(p) and 22 not in (p.sport, p.dport))):
            pathlib.Path('expression').write_text(words.format(' or '.join(text[name])))
            want = [i for i, packet in enumerate(packets) if says(packet)]
            for more in ([], ['--interpreter']):
                done = output([SKEP, 'filter', *more, '-r', 'large.pcap', '-w', 'out.pcap', '-F', 'expression'])
                judge.expect(f'{count} {name} {words} {more}', want, numbers_of('out.pcap') if done is not None else None)
            for target in ('xdp', 'tc'):
                made = output([SKEP, 'filter', f'--{target}', 'x.o', '-F', 'expression'])
                done = output([SKEP, 'run', 'x.o', '-r', 'large.pcap', '-w', 'out.pcap']) if made is not None else None
                judge.expect(f'{count} {name} {words} {target}', want, numbers_of('out.pcap') if done is not None else None)


def main():
    judge = Judge()
    small(judge)
    large(judge, 10000)
    print(f'compared {judge.compared} runs: {judge.passed} pass many packets, {judge.wrong} differ')
    return judge.wrong > 0


sys.exit(main())
