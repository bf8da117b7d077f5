#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes web.pcap: a few seconds at the edge of a small web server's network.

The same bytes every time: all that looks random comes from a generator with a
fixed seed, and every packet has the time its conversation gives it.

    make_capture.py OUTPUT.pcap
"""
import random
import socket
import struct
import sys

SERVER = '192.0.2.10'
SERVER6 = '2001:db8::10'
RESOLVER = '192.0.2.53'
RESOLVER6 = '2001:db8::53'
START = 1700000000.0

rng = random.Random(2024)
packets = []  # (time, order, bytes)


def sum16(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def mac_of(address):
    if ':' in address:
        return b'\x02\x06' + socket.inet_pton(socket.AF_INET6, address)[-4:]
    return b'\x02\x04' + socket.inet_aton(address)


def send(time, frame):
    packets.append((time, len(packets), frame))


def ethernet(source, target, kind, payload, vlan=None):
    header = mac_of(target) + mac_of(source)
    if vlan is not None:
        header += struct.pack('!HH', 0x8100, vlan)
    frame = header + struct.pack('!H', kind) + payload
    return frame + b'\0' * max(0, 60 - len(frame))


def ip(source, target, proto, payload, vlan=None, ident=None, frag=0, options=b''):
    if ':' in source:
        header = struct.pack('!IHBB', 6 << 28, len(payload), proto, 64)
        header += socket.inet_pton(socket.AF_INET6, source)
        header += socket.inet_pton(socket.AF_INET6, target)
        return ethernet(source, target, 0x86dd, header + payload, vlan)
    ident = rng.randrange(65536) if ident is None else ident
    words = 5 + len(options) // 4
    header = struct.pack('!BBHHHBBH4s4s', 0x40 | words, 0, words * 4 + len(payload), ident, frag,
                         64, proto, 0, socket.inet_aton(source),
                         socket.inet_aton(target)) + options
    header = header[:10] + struct.pack('!H', sum16(header)) + header[12:]
    return ethernet(source, target, 0x0800, header + payload, vlan)


def pseudo(source, target, proto, size):
    if ':' in source:
        return (socket.inet_pton(socket.AF_INET6, source) +
                socket.inet_pton(socket.AF_INET6, target) + struct.pack('!II', size, proto))
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack('!HH', proto, size)


FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = b'\x02\x04\x05\xb4\x04\x02\x01\x03\x03\x07\x01\x01'  # MSS, SACK, NOP, scale, NOPs


def tcp(source, sport, target, dport, flags, seq=0, ack=0, data=b'', options=b'', vlan=None):
    words = 5 + len(options) // 4
    segment = struct.pack('!HHIIBBHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                          words << 4, flags, 64240, 0, 0) + options + data
    check = sum16(pseudo(source, target, 6, len(segment)) + segment)
    segment = segment[:16] + struct.pack('!H', check) + segment[18:]
    return ip(source, target, 6, segment, vlan)


def udp(source, sport, target, dport, data, vlan=None):
    datagram = struct.pack('!HHHH', sport, dport, 8 + len(data), 0) + data
    check = sum16(pseudo(source, target, 17, len(datagram)) + datagram) or 0xffff
    return ip(source, target, 17, datagram[:6] + struct.pack('!H', check) + data, vlan)


class Connection:
    """Both ends of a TCP connection, and the clock of what they say."""

    def __init__(self, time, client, port, server, server_port, vlan=None):
        self.ends = ((client, port), (server, server_port))
        self.seq = [rng.randrange(1 << 32), rng.randrange(1 << 32)]
        self.time, self.vlan, self.rtt = time, vlan, rng.uniform(0.004, 0.06)

    def say(self, side, flags, data=b'', options=b''):
        (source, sport), (target, dport) = self.ends[side], self.ends[1 - side]
        ack = self.seq[1 - side] if flags & ACK else 0
        send(self.time, tcp(source, sport, target, dport, flags, self.seq[side], ack, data,
                            options, self.vlan))
        self.seq[side] += len(data) + (1 if flags & (SYN | FIN) else 0)
        self.time += self.rtt / 2

    def open(self):
        self.say(0, SYN, options=MSS)
        self.say(1, SYN | ACK, options=MSS)
        self.say(0, ACK)

    def close(self):
        self.say(0, FIN | ACK)
        self.say(1, FIN | ACK)
        self.say(0, ACK)

    def exchange(self, request, response):
        self.say(0, PSH | ACK, request)
        for at in range(0, len(response), 1400):
            self.say(1, PSH | ACK, response[at:at + 1400])
        self.say(0, ACK)


HOSTS = ['www.example.com', 'shop.example.com', 'api.example.com', 'static.example.net']
PATHS = ['/', '/index.html', '/cart', '/v1/items?page=2', '/style.css', '/img/logo.png', '/login',
         '/search?q=skep']
STATUS = [(200, 'OK')] * 8 + [(304, 'Not Modified'), (404, 'Not Found'), (302, 'Found'),
                               (500, 'Internal Server Error')]


def http_session(time, client, port, server, vlan=None):
    c = Connection(time, client, port, server, 80, vlan)
    c.open()
    for _ in range(rng.choice([1, 1, 2, 3])):
        method = rng.choice(['GET'] * 6 + ['POST', 'HEAD', 'PUT', 'DELETE'])
        body = b'{"n":%d}' % rng.randrange(1000) if method in ('POST', 'PUT') else b''
        request = '%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n' % (
            method, rng.choice(PATHS), rng.choice(HOSTS))
        if body:
            request += 'Content-Length: %d\r\n' % len(body)
        status, words = rng.choice(STATUS)
        size = 0 if method == 'HEAD' or status == 304 else rng.randrange(20, 900)
        response = 'HTTP/1.1 %d %s\r\nServer: example\r\nContent-Length: %d\r\n\r\n' % (
            status, words, size)
        text = bytes(rng.choice(b'abcdefghij klmnop\n') for _ in range(size))
        c.exchange(request.encode() + b'\r\n' + body, response.encode() + text)
    c.close()


def tls_session(time, client, port):
    c = Connection(time, client, port, SERVER, 443)
    c.open()
    hello = b'\x16\x03\x01' + bytes(rng.randrange(256) for _ in range(230))
    c.exchange(hello, b'\x16\x03\x03' + bytes(rng.randrange(256) for _ in range(1100)))
    c.exchange(b'\x17\x03\x03' + bytes(rng.randrange(256) for _ in range(120)),
               b'\x17\x03\x03' + bytes(rng.randrange(256) for _ in range(400)))
    c.close()


def dns(time, client, resolver, name, kind, rcode=0, vlan=None):
    ident, port = rng.randrange(65536), rng.randrange(1024, 65536)
    question = b''.join(bytes([len(p)]) + p.encode() for p in name.split('.')) + b'\0'
    question += struct.pack('!HH', kind, 1)
    send(time, udp(client, port, resolver, 53,
                   struct.pack('!6H', ident, 0x0100, 1, 0, 0, 0) + question, vlan))
    answer = b''
    if rcode == 0 and kind in (1, 28):
        data = bytes(rng.randrange(256) for _ in range(4 if kind == 1 else 16))
        answer = b'\xc0\x0c' + struct.pack('!HHIH', kind, 1, 300, len(data)) + data
    send(time + rng.uniform(0.001, 0.03),
         udp(resolver, 53, client, port,
             struct.pack('!6H', ident, 0x8180 | rcode, 1, 1 if answer else 0, 0, 0) +
             question + answer, vlan))


def arp(time, source, target):
    body = struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + mac_of(source) + socket.inet_aton(source)
    send(time, ethernet(source, target, 0x0806, body + b'\0' * 6 + socket.inet_aton(target)))


def ping(time, source, target, number):
    body = struct.pack('!BBHHH', 8, 0, 0, 7, number) + b'abcdefghijklmnop' * 3
    send(time, ip(source, target, 1, body[:2] + struct.pack('!H', sum16(body)) + body[4:]))


def scan(time, attacker, ports):
    """A port scan: SYNs without options, answered by resets, but for what is open."""
    for port in ports:
        send(time, tcp(attacker, 40000 + port, SERVER, port, SYN, seq=1))
        flags = SYN | ACK if port in (80, 443) else RST | ACK
        send(time + 0.0004, tcp(SERVER, port, attacker, 40000 + port, flags, 7, 2))
        time += 0.002


def flood(time, count):
    """A SYN flood from a few machines that hide nothing, and some that do."""
    for i in range(count):
        source = '198.51.100.%d' % (1 + i % 6) if i % 3 else '100.64.%d.%d' % (
            rng.randrange(256), 1 + rng.randrange(254))
        options = MSS if i % 2 else b''
        send(time, tcp(source, rng.randrange(1024, 65536), SERVER, 80, SYN,
                       rng.randrange(1 << 32), 0, b'', options))
        time += rng.uniform(0.0005, 0.004)


def oddities(time):
    """Packets that parsers stumble over."""
    options = b'\x01' * 8
    body = struct.pack('!HHHH', 4000, 4001, 12, 0) + b'data'
    send(time, ip('10.0.0.77', SERVER, 17, body, options=options))
    big = bytes(rng.randrange(256) for _ in range(1200))
    whole = struct.pack('!HHHH', 5000, 5001, 8 + len(big), 0) + big
    send(time + 0.01, ip('10.0.0.78', SERVER, 17, whole[:800], ident=77, frag=0x2000))
    send(time + 0.011, ip('10.0.0.78', SERVER, 17, whole[800:], ident=77, frag=100))
    send(time + 0.02, ip('10.0.0.79', SERVER, 6, b'\x12\x34\x00\x50' + b'\0' * 8)[:46])
    bad = bytearray(tcp('10.0.0.80', 999, SERVER, 80, SYN))
    bad[46] = 0x30  # a data offset of 12 bytes
    send(time + 0.03, bytes(bad))
    send(time + 0.04, ip('10.0.0.81', SERVER, 17, b'')[:14] + b'\x4f' +
         ip('10.0.0.81', SERVER, 17, b'')[15:34])  # 60 bytes of header, 20 of them there
    send(time + 0.05, ethernet('10.0.0.82', SERVER, 0x88cc, b'\x02\x07' + b'x' * 44))
    send(time + 0.06, tcp('10.0.0.83', 1024, SERVER, 23, SYN, options=MSS))
    send(time + 0.07, tcp('10.0.0.83', 1025, SERVER, 445, SYN, options=MSS))
    send(time + 0.08, tcp('10.0.0.84', 1026, SERVER, 3389, SYN, options=MSS, vlan=300))


def everything():
    for i in range(56):
        http_session(START + i * 0.09 + rng.uniform(0, 0.05), '10.0.0.%d' % (1 + i % 23),
                     rng.randrange(20000, 60000), SERVER)
    for i in range(10):
        http_session(START + i * 0.4, '2001:db8:1::%x' % (0x20 + i), 30000 + i, SERVER6)
    for i in range(8):
        http_session(START + 1 + i * 0.3, '10.9.0.%d' % (1 + i), 31000 + i, SERVER,
                     vlan=100 if i % 4 else 200)
    for i in range(8):
        tls_session(START + 0.5 + i * 0.5, '10.0.0.%d' % (40 + i), 32000 + i)
    names = HOSTS + ['mail.example.org', 'nothing.example.com', 'a.very.long.name.that.is.still.'
                     'fine.example.net', 'x' * 60 + '.example.com']
    for i in range(70):
        name = rng.choice(names)
        dns(START + rng.uniform(0, 5), '10.0.0.%d' % (1 + i % 40), RESOLVER, name,
            rng.choice([1, 1, 1, 28, 15, 16]), 3 if name.startswith('nothing') else 0)
    for i in range(16):
        dns(START + rng.uniform(0, 5), '2001:db8:1::%x' % (1 + i), RESOLVER6, rng.choice(HOSTS), 28)
    for i in range(4):
        dns(START + rng.uniform(0, 5), '10.9.0.%d' % (1 + i), RESOLVER, HOSTS[i], 1, vlan=100)
    for i in range(30):
        send(START + rng.uniform(0, 5), udp('10.0.0.%d' % (1 + i), 123, '192.0.2.123', 123,
                                            b'\x23' + b'\0' * 47))
        send(START + rng.uniform(0, 5), udp('10.0.0.%d' % (1 + i), 514, '192.0.2.99', 514,
                                            b'<13>app: message %d of many' % i))
    for i in range(16):
        ping(START + i * 0.3, '10.0.0.5', SERVER, i)
        arp(START + i * 0.31, '10.0.0.%d' % (1 + i), SERVER)
    scan(START + 2, '203.0.113.66', list(range(1, 120)) + [443, 445, 3306, 3389, 8080])
    flood(START + 3, 330)
    oddities(START + 4.5)


def write(path):
    with open(path, 'wb') as out:
        out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for time, _, frame in sorted(packets):
            out.write(struct.pack('<IIII', int(time), int(time % 1 * 1000000), len(frame),
                                  len(frame)))
            out.write(frame)


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit('usage: make_capture.py OUTPUT.pcap')
    everything()
    write(sys.argv[1])
