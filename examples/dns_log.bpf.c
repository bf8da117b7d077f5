/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_log - every DNS question and answer, as an event with the name in it.
 *
 * A socket filter: attached to a packet socket it sees what a capture sees. It
 * reads from the network header on, so that it does not matter whether the
 * socket hands it the link header too. It keeps nothing for the socket itself.
 *
 *   skep run examples/dns_log.bpf.c -r examples/web.pcap
 */
#include "parse.h"

enum { NAME = 64, DNS_PORT = 53 };

struct dns_header {
	__be16 id, flags, questions, answers, authority, additional;
};

struct dns_event {
	__u16 id;
	__u16 type;              /* 1: A, 28: AAAA ... */
	__u8 response;
	__u8 rcode;              /* 3: no such name */
	__u8 family;             /* 4 or 6 */
	char name[NAME];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

/* Questions by type, answers by code. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u16);
	__type(value, __u64);
} questions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} answers SEC(".maps");

const struct dns_event *unused_dns_event __attribute__((unused));

static __always_inline int load(struct __sk_buff *skb, __u32 off, void *to, __u32 size)
{
	return bpf_skb_load_bytes_relative(skb, off, to, size, BPF_HDR_START_NET);
}

/* The offset of a UDP payload to or from port 53; 0: there is none. */
static __always_inline __u32 find_dns(struct __sk_buff *skb, __u8 *family)
{
	__be16 type = skb->protocol, ports[2];
	__u8 first, proto;
	__be16 frag = 0;
	__u32 off = 0;

	if (type == bpf_htons(ETH_P_8021Q)) {
		if (load(skb, 2, &type, sizeof(type)) < 0)
			return 0;
		off = 4;
	}
	if (type == bpf_htons(ETH_P_IP)) {
		if (load(skb, off, &first, 1) < 0 || load(skb, off + 9, &proto, 1) < 0 ||
		    load(skb, off + 6, &frag, 2) < 0 || frag & bpf_htons(0x1fff))
			return 0;
		*family = 4;
		off += (first & 15) * 4;
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		if (load(skb, off + 6, &proto, 1) < 0)
			return 0;
		*family = 6;
		off += sizeof(struct ipv6hdr);
	} else {
		return 0;
	}
	if (proto != IPPROTO_UDP || load(skb, off, ports, sizeof(ports)) < 0)
		return 0;
	if (ports[0] != bpf_htons(DNS_PORT) && ports[1] != bpf_htons(DNS_PORT))
		return 0;
	return off + sizeof(struct udphdr);
}

/*
 * "\3www\7example\3com\0" as "www.example.com". Returns the bytes it took with
 * its end, 0 if it is longer than an event has room for.
 */
static __always_inline __u32 read_name(struct __sk_buff *skb, __u32 off, char name[NAME])
{
	__u8 left = 0, byte;

	for (__u32 i = 0; i < NAME; i++) {
		if (load(skb, off + i, &byte, 1) < 0)
			return 0;
		if (left) {
			left--;
			name[i - 1 & NAME - 1] = byte;
		} else if (byte == 0) {
			return i + 1;
		} else if (byte > 63) {
			return 0;
		} else {
			left = byte;
			if (i)
				name[i - 1 & NAME - 1] = '.';
		}
	}
	return 0;
}

static __always_inline void count(const struct dns_event *event)
{
	__u32 rcode = event->rcode & 15;
	__u64 *value, one = 1;

	value = event->response ? bpf_map_lookup_elem(&answers, &rcode) :
				  bpf_map_lookup_elem(&questions, &event->type);
	if (value)
		__sync_fetch_and_add(value, 1);
	else if (!event->response)
		bpf_map_update_elem(&questions, &event->type, &one, BPF_NOEXIST);
}

SEC("socket")
int dns_log(struct __sk_buff *skb)
{
	struct dns_event *event;
	struct dns_header dns;
	__be16 type;
	__u8 family = 0;
	__u32 off = find_dns(skb, &family), size;

	if (!off || load(skb, off, &dns, sizeof(dns)) < 0 || dns.questions != bpf_htons(1))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	size = read_name(skb, off + sizeof(dns), event->name);
	if (!size || load(skb, off + sizeof(dns) + size, &type, sizeof(type)) < 0) {
		bpf_ringbuf_discard(event, 0);
		return 0;
	}
	event->id = bpf_ntohs(dns.id);
	event->type = bpf_ntohs(type);
	event->response = bpf_ntohs(dns.flags) >> 15;
	event->rcode = bpf_ntohs(dns.flags) & 15;
	event->family = family;
	count(event);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
