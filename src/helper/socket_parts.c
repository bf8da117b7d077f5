/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket_parts.c - what system calls tell of a socket, in the kernel's records. [runtime]
 *
 * Linux keeps one set of fields where getsockname() has sockaddr_in, sockaddr_in6 and
 * sockaddr_un: this is the way back. What only some sockets have, as TCP's figures,
 * is asked of those.
 */
#include "helper/socket.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "map/sys.h"

enum {
	/* States of struct sock. */
	STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_CLOSE = 7, STATE_LISTEN = 10,
	/* Options that not all headers have. */
	OPTION_MEMINFO = 55, OPTION_BINDTOIFINDEX = 62,
};

/* What SO_MEMINFO gives, by number. */
enum { MEMINFO_RCVBUF = 1, MEMINFO_SNDBUF = 3, MEMINFO_WMEM_QUEUED = 5, MEMINFO_COUNT = 9 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static int32_t option(uint32_t fd, int name)
{
	int32_t value = 0;
	uint32_t size = sizeof(value);
	int64_t error = sys_call(SYS_getsockopt, fd, SOL_SOCKET, (uint64_t)name,
				 (uintptr_t)&value, (uintptr_t)&size, 0);

	return error < 0 ? 0 : value;
}

/* --- addresses --- */

/* An IPv4 address as a socket of IPv6 has it: ::ffff:a.b.c.d. */
static bool is_mapped(const struct in6_addr *address)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address, prefix, sizeof(prefix)) == 0;
}

/* Both names of an address: the second is 0 where it is no IPv4 address. */
static void take_address(const union address *from, struct own_in6 *v6, uint32_t *v4)
{
	if (from->any.sa_family == AF_INET) {
		*v4 = from->v4.sin_addr.s_addr;
	} else if (from->any.sa_family == AF_INET6) {
		memcpy(v6, &from->v6.sin6_addr, sizeof(*v6));
		*v4 = is_mapped(&from->v6.sin6_addr) ? v6->in6_u.u6_addr32[3] : 0;
	}
}

/* The port lies at the same place for both families. */
static uint16_t port_of(const union address *from)
{
	_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
		       offsetof(struct sockaddr_in6, sin6_port), "one place");
	return from->v4.sin_port;
}

static void take_local(struct socket_parts *parts, uint32_t fd)
{
	struct own_inet_sock *inet = &parts->sk.inet;
	struct own_sock_common *common = &inet->sk.__sk_common;
	union address local = { 0 };
	uint32_t size = sizeof(local);

	if (sys_call3(SYS_getsockname, fd, &local, &size) < 0)
		return;
	take_address(&local, &common->skc_v6_rcv_saddr, &common->skc_rcv_saddr);
	inet->inet_sport = port_of(&local);
	common->skc_num = (uint16_t)(inet->inet_sport << 8 | inet->inet_sport >> 8);
	/* Who listens to a group does not send from its address. */
	if (!IN_MULTICAST(ntohl(common->skc_rcv_saddr)))
		inet->inet_saddr = common->skc_rcv_saddr;
	if (common->skc_family != AF_INET6)
		return;
	inet->pinet6 = &parts->pinet6;
	if (!IN6_IS_ADDR_MULTICAST(&local.v6.sin6_addr))
		parts->pinet6.saddr = common->skc_v6_rcv_saddr;
}

static void take_unix(struct socket_parts *parts, uint32_t fd)
{
	struct own_unix_address *address = &parts->address;
	uint32_t size = sizeof(address->name);

	if (sys_call3(SYS_getsockname, fd, address->name, &size) < 0 ||
	    size <= sizeof(address->name[0].sun_family))
		return;
	address->len = (int32_t)size;
	parts->sk.unix_sock.addr = address;
}

/* --- whom a call is on the way to --- */

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 wanted;
};

static void ask_sockets(int64_t netlink, const struct own_inet_sock *inet)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct question question = {
		.header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.wanted = { .sdiag_family = (uint8_t)inet->sk.__sk_common.skc_family,
			    .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << STATE_SYN_SENT,
			    .id.idiag_sport = inet->inet_sport },
	};

	sys_call(SYS_sendto, (uint64_t)netlink, (uintptr_t)&question, sizeof(question), 0,
		 (uintptr_t)&kernel, sizeof(kernel));
}

static void take_destination(struct own_sock_common *common, const struct inet_diag_msg *found)
{
	union address peer = { .any.sa_family = common->skc_family };

	if (common->skc_family == AF_INET6)
		memcpy(&peer.v6.sin6_addr, found->id.idiag_dst, sizeof(peer.v6.sin6_addr));
	else
		memcpy(&peer.v4.sin_addr, found->id.idiag_dst, sizeof(peer.v4.sin_addr));
	take_address(&peer, &common->skc_v6_daddr, &common->skc_daddr);
	common->skc_dport = found->id.idiag_dport;
}

/* False: this is all. */
static bool search_answer(const char *answer, int64_t size, struct own_inet_sock *inet,
			  uint64_t inode)
{
	while (size >= (int64_t)NLMSG_HDRLEN) {
		const struct nlmsghdr *header = (const void *)answer;
		const struct inet_diag_msg *found = (const void *)(answer + NLMSG_HDRLEN);

		if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		    header->nlmsg_len < NLMSG_LENGTH(sizeof(*found)) || header->nlmsg_len > size)
			return false;
		if (found->idiag_inode == (uint32_t)inode) {
			take_destination(&inet->sk.__sk_common, found);
			return false;
		}
		answer += NLMSG_ALIGN(header->nlmsg_len);
		size -= NLMSG_ALIGN(header->nlmsg_len);
	}
	return size == 0;
}

/* While a connection is being made getpeername() does not know the peer yet; ss does. */
static void take_awaited_peer(struct own_inet_sock *inet, uint64_t inode)
{
	char answer[2048] __attribute__((aligned(8)));
	int64_t netlink = sys_call3(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
				    NETLINK_SOCK_DIAG);
	int64_t size;

	if (netlink < 0)
		return;
	ask_sockets(netlink, inet);
	do
		size = sys_call(SYS_recvfrom, (uint64_t)netlink, (uintptr_t)answer, sizeof(answer),
				MSG_DONTWAIT, 0, 0);
	while (size > 0 && search_answer(answer, size, inet, inode));
	sys_call1(SYS_close, netlink);
}

/* --- the state --- */

/* False: it has no peer. */
static bool take_peer(struct own_sock_common *common, uint32_t fd)
{
	union address peer = { 0 };
	uint32_t size = sizeof(peer);

	if (common->skc_family == AF_NETLINK || sys_call3(SYS_getpeername, fd, &peer, &size) < 0)
		return false;
	if (common->skc_family != AF_INET && common->skc_family != AF_INET6)
		return true;
	take_address(&peer, &common->skc_v6_daddr, &common->skc_daddr);
	common->skc_dport = port_of(&peer);
	return true;
}

static uint8_t take_tcp(struct own_tcp_sock *tcp, uint32_t fd)
{
	struct tcp_info info = { .tcpi_state = STATE_CLOSE };
	uint32_t size = sizeof(info);

	sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, (uintptr_t)&info, (uintptr_t)&size, 0);
	/* Of one that listens the figures mean other things. */
	if (info.tcpi_state == STATE_LISTEN)
		return info.tcpi_state;
	tcp->bytes_sent = info.tcpi_bytes_sent;
	tcp->bytes_acked = info.tcpi_bytes_acked;
	tcp->bytes_received = info.tcpi_bytes_received;
	tcp->bytes_retrans = info.tcpi_bytes_retrans;
	tcp->srtt_us = info.tcpi_rtt << 3;
	tcp->snd_cwnd = info.tcpi_snd_cwnd;
	tcp->snd_ssthresh = info.tcpi_snd_ssthresh;
	tcp->mss_cache = info.tcpi_snd_mss;
	tcp->total_retrans = info.tcpi_total_retrans;
	tcp->retrans_out = info.tcpi_retrans;
	tcp->lost_out = info.tcpi_lost;
	tcp->segs_in = info.tcpi_segs_in;
	tcp->segs_out = info.tcpi_segs_out;
	tcp->data_segs_in = info.tcpi_data_segs_in;
	tcp->data_segs_out = info.tcpi_data_segs_out;
	tcp->delivered = info.tcpi_delivered;
	tcp->reordering = info.tcpi_reordering;
	return info.tcpi_state;
}

static void take_state(struct socket_parts *parts, uint32_t fd)
{
	struct own_sock *sock = &parts->sk.sock;
	struct own_sock_common *common = &sock->__sk_common;
	bool inet = common->skc_family == AF_INET || common->skc_family == AF_INET6;
	bool connected = take_peer(common, fd);

	if (inet && sock->sk_type == SOCK_STREAM && sock->sk_protocol == IPPROTO_TCP)
		common->skc_state = take_tcp(&parts->sk.tcp, fd);
	else if (option(fd, SO_ACCEPTCONN))
		common->skc_state = STATE_LISTEN;
	else
		common->skc_state = connected ? STATE_ESTABLISHED : STATE_CLOSE;
	if (inet && common->skc_state == STATE_SYN_SENT)
		take_awaited_peer(&parts->sk.inet, parts->alloc.vfs_inode.i_ino);
}

static void take_buffers(struct own_sock *sock, uint32_t fd)
{
	uint32_t all[MEMINFO_COUNT] = { 0 }, size = sizeof(all);

	sys_call(SYS_getsockopt, fd, SOL_SOCKET, OPTION_MEMINFO, (uintptr_t)all, (uintptr_t)&size, 0);
	sock->sk_rcvbuf = (int32_t)all[MEMINFO_RCVBUF];
	sock->sk_sndbuf = (int32_t)all[MEMINFO_SNDBUF];
	sock->sk_wmem_queued = (int32_t)all[MEMINFO_WMEM_QUEUED];
}

void socket_describe(struct socket_parts *parts, uint32_t fd)
{
	struct own_sock *sock = &parts->sk.sock;
	struct own_sock_common *common = &sock->__sk_common;

	parts->alloc.socket.sk = sock;
	sock->sk_socket = &parts->alloc.socket;
	common->skc_family = (uint16_t)option(fd, SO_DOMAIN);
	common->skc_bound_dev_if = option(fd, OPTION_BINDTOIFINDEX);
	sock->sk_type = (uint16_t)option(fd, SO_TYPE);
	sock->sk_protocol = (uint16_t)option(fd, SO_PROTOCOL);
	sock->sk_mark = (uint32_t)option(fd, SO_MARK);
	sock->sk_priority = (uint32_t)option(fd, SO_PRIORITY);
	sock->sk_uid = parts->alloc.vfs_inode.i_uid;
	parts->alloc.socket.type = (int16_t)sock->sk_type;
	take_buffers(sock, fd);
	if (common->skc_family == AF_UNIX)
		take_unix(parts, fd);
	else if (common->skc_family == AF_INET || common->skc_family == AF_INET6)
		take_local(parts, fd);
	take_state(parts, fd);
}
