/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncookie.c - SYN cookies and acknowledgements. [runtime]
 */
#include "helper/list.h"

const struct helper helper_tcp_check_syncookie = {
	.id = 100,
	.name = "tcp_check_syncookie",
	.prototype = "long bpf_tcp_check_syncookie(void *sk, void *iph, u32 iph_len, "
	             "struct tcphdr *th, u32 th_len)",
	.doc = "Says whether a packet carries a valid SYN cookie acknowledgement.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID_SOCK_COMMON },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_tcp_gen_syncookie = {
	.id = 110,
	.name = "tcp_gen_syncookie",
	.prototype = "s64 bpf_tcp_gen_syncookie(void *sk, void *iph, u32 iph_len, "
	             "struct tcphdr *th, u32 th_len)",
	.doc = "Makes a SYN cookie for a packet, on behalf of a listening socket.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID_SOCK_COMMON },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_tcp_raw_gen_syncookie_ipv4 = {
	.id = 204,
	.name = "tcp_raw_gen_syncookie_ipv4",
	.prototype = "s64 bpf_tcp_raw_gen_syncookie_ipv4(struct iphdr *iph, struct "
	             "tcphdr *th, u32 th_len)",
	.doc = "Makes a SYN cookie for an IPv4 packet without a socket.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_RDONLY, .size = 20 },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_tcp_raw_gen_syncookie_ipv6 = {
	.id = 205,
	.name = "tcp_raw_gen_syncookie_ipv6",
	.prototype = "s64 bpf_tcp_raw_gen_syncookie_ipv6(struct ipv6hdr *iph, struct "
	             "tcphdr *th, u32 th_len)",
	.doc = "Makes a SYN cookie for an IPv6 packet without a socket.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_RDONLY, .size = 40 },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_tcp_raw_check_syncookie_ipv4 = {
	.id = 206,
	.name = "tcp_raw_check_syncookie_ipv4",
	.prototype = "long bpf_tcp_raw_check_syncookie_ipv4(struct iphdr *iph, "
	             "struct tcphdr *th)",
	.doc = "Checks the SYN cookie an IPv4 packet acknowledges, without a socket.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_RDONLY, .size = 20 },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_RDONLY, .size = 20 },
	},
};

const struct helper helper_tcp_raw_check_syncookie_ipv6 = {
	.id = 207,
	.name = "tcp_raw_check_syncookie_ipv6",
	.prototype = "long bpf_tcp_raw_check_syncookie_ipv6(struct ipv6hdr *iph, "
	             "struct tcphdr *th)",
	.doc = "Checks the SYN cookie an IPv6 packet acknowledges, without a socket.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_RDONLY, .size = 40 },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_RDONLY, .size = 20 },
	},
};

const struct helper helper_tcp_send_ack = {
	.id = 116,
	.name = "tcp_send_ack",
	.prototype = "long bpf_tcp_send_ack(void *tp, u32 rcv_nxt)",
	.doc = "Sends a TCP acknowledgement.",
	.types = TYPE(STRUCT_OPS),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_BTF_ID, .btf = "tcp_sock" }, { ARG_ANYTHING } },
};
