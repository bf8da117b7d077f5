/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket.h - the machine's own struct socket and struct sock. [runtime]
 *
 * What is behind a descriptor that is a socket, as getsockname() and its like tell
 * it when a program first looks (task_parts.c). Each kind of struct sock begins with
 * the more general one, as in Linux, so that a program's casts hold. A field whose
 * value no system call tells is not here. Of a TCP socket that is closed again Linux's
 * records keep remainders that none tells either: here its port stays, its peer is gone.
 * Where IPv6 has no use for the fields of IPv4, Linux has a placeholder in some; they are 0.
 */
#ifndef HELPER_SOCKET_H
#define HELPER_SOCKET_H

#include <stdint.h>

#include "helper/task.h"

struct own_in6 {
	union {
		uint8_t u6_addr8[16];
		uint16_t u6_addr16[8];
		uint32_t u6_addr32[4];
	} in6_u;
};

/* Addresses and skc_dport are in network order, skc_num is not. */
struct own_sock_common {
	union {
		uint64_t skc_addrpair;
		struct {
			uint32_t skc_daddr, skc_rcv_saddr;
		};
	};
	union {
		uint32_t skc_portpair;
		struct {
			uint16_t skc_dport, skc_num;
		};
	};
	uint16_t skc_family;
	uint8_t skc_state;                   /* TCP_ESTABLISHED ..., for every family */
	int32_t skc_bound_dev_if;
	struct own_namespace *skc_net;       /* the process's, which it was made in */
	struct own_in6 skc_v6_daddr, skc_v6_rcv_saddr;
};

struct own_sock {
	struct own_sock_common __sk_common;
	struct own_socket *sk_socket;
	int32_t sk_rcvbuf, sk_sndbuf, sk_wmem_queued;
	uint32_t sk_mark, sk_priority, sk_uid;
	uint16_t sk_type, sk_protocol;
};

struct own_ipv6_pinfo {
	struct own_in6 saddr;
};

struct own_inet_sock {
	struct own_sock sk;
	struct own_ipv6_pinfo *pinet6;       /* NULL unless the family is AF_INET6 */
	uint32_t inet_saddr;
	uint16_t inet_sport;
};

struct own_inet_connection_sock {
	struct own_inet_sock icsk_inet;
};

struct own_tcp_sock {
	struct own_inet_connection_sock inet_conn;
	uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retrans;
	uint32_t srtt_us;                    /* its lowest three bits are not told */
	uint32_t snd_cwnd, snd_ssthresh, mss_cache, total_retrans, retrans_out, lost_out;
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out, delivered, reordering;
};

struct own_sockaddr_un {
	uint16_t sun_family;
	char sun_path[108];
};

struct own_unix_address {
	int32_t len;                         /* of the whole name, its family too */
	struct own_sockaddr_un name[1];
};

struct own_unix_sock {
	struct own_sock sk;
	struct own_unix_address *addr;       /* NULL: bound to none */
};

struct own_socket {
	struct own_file *file;
	struct own_sock *sk;
	int16_t type;
};

struct own_socket_alloc {
	struct own_socket socket;
	struct own_inode vfs_inode;
};

/* All that one descriptor's socket has; at most a page. */
struct socket_parts {
	struct own_socket_alloc alloc;
	union {
		struct own_sock sock;
		struct own_inet_sock inet;
		struct own_tcp_sock tcp;
		struct own_unix_sock unix_sock;
	} sk;
	struct own_ipv6_pinfo pinet6;
	struct own_unix_address address;
};

/*
 * Fills in what the calling process's descriptor says. alloc.vfs_inode and the pointers to
 * the file and the namespace are there already, the rest is zeros.
 */
void socket_describe(struct socket_parts *parts, uint32_t fd);

#endif
