# SPDX-License-Identifier: BSD-2-Clause
"""Sockets of every kind a program connects and accepts, in one thread: the same order each time."""
import errno
import os
import socket
import tempfile


def stream(family, address, connect_to=None, **options):
    with socket.create_server(address, family=family, **options) as server:
        to = (connect_to or address[0], server.getsockname()[1])
        with socket.create_connection(to) as client:
            peer, _ = server.accept()
            client.sendall(b'question')
            print(family.name, peer.recv(100), flush=True)
            peer.close()


def local(address):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(address)
        server.listen()
        client.connect(address)
        peer, _ = server.accept()
        peer.close()


def datagrams(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as a, socket.socket(family, socket.SOCK_DGRAM) as b:
        a.bind((address, 0))
        b.connect(a.getsockname())
        b.connect(a.getsockname())


def refused():
    with socket.socket() as nobody, socket.socket() as client:
        nobody.bind(('127.0.0.1', 0))
        try:
            client.connect(nobody.getsockname())
        except ConnectionRefusedError as error:
            print(error.strerror)


def unanswered(family, address):
    """Past what a server's queue holds: the connection is still being made."""
    clients = []
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen(0)
        for _ in range(3):
            client = socket.socket(family)
            client.setblocking(False)
            print(errno.errorcode[client.connect_ex(server.getsockname())])
            clients.append(client)
    for client in clients:
        client.close()


stream(socket.AF_INET, ('127.0.0.1', 0))
stream(socket.AF_INET6, ('::1', 0))
stream(socket.AF_INET6, ('::', 0), connect_to='127.0.0.1', dualstack_ipv6=True)
with tempfile.TemporaryDirectory() as dir:
    os.chdir(dir)
    local('a-socket')
    local(b'\0an abstract name %d' % os.getpid())
    os.chdir('/')
datagrams(socket.AF_INET, '127.0.0.2')
datagrams(socket.AF_INET6, '::1')
refused()
unanswered(socket.AF_INET, '127.0.0.3')
unanswered(socket.AF_INET6, '::1')
