# SPDX-License-Identifier: BSD-2-Clause
"""Write a pcap file of ten packets: 6 TCP to port 80, 3 UDP to port 53, 1 ARP."""
import struct
import sys


def ethernet(kind, payload):
    return bytes.fromhex('020000000002020000000001') + struct.pack('!H', kind) + payload


def ipv4(protocol, payload):
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                       bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    return ethernet(0x0800, head + payload)


def tcp(n):
    return ipv4(6, struct.pack('!HHIIBBHHH', 40000 + n, 80, n, 0, 0x50, 2, 8192, 0, 0) + b'x' * n)


def udp(n):
    return ipv4(17, struct.pack('!HHHH', 50000 + n, 53, 8 + 4, 0) + b'quad')


packets = [tcp(n) for n in range(6)] + [udp(n) for n in range(3)]
packets.append(ethernet(0x0806, bytes(28)))
with open(sys.argv[1], 'wb') as out:
    out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for n, packet in enumerate(packets):
        out.write(struct.pack('<IIII', 1700000000 + n, n, len(packet), len(packet)) + packet)
