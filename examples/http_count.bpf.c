/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_count - which sites do people ask for, and what are they told?
 *
 * Looks at the first bytes of every TCP segment. A request is counted by
 * method and host, with its bytes, and sent as an event; a response is counted
 * by its status. Nothing is reassembled: a header that a segment boundary cuts
 * is missed.
 *
 *   skep run examples/http_count.bpf.c -r examples/web.pcap
 */
#include <linux/pkt_cls.h>
#include "parse.h"

enum { LOOK = 256, MIN_REQUEST = 16 };

struct request {
	char method[8];
	char host[32];
};

struct http_event {
	__u8 family;             /* 4 or 6 */
	__u8 client[16];         /* an IPv4 address in the first four */
	__u16 port;              /* of the client */
	char method[8];
	char host[32];
	char path[48];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct request);
	__type(value, struct count);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} statuses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

/* More than the stack should hold: one per CPU, as no two programs share a CPU. */
struct scratch {
	char text[LOOK + 64];
	struct request request;
	__u32 path, host;        /* where they start in text; 0: there is none */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* Tools find a type of events by its name in the BTF. */
const struct http_event *unused_http_event __attribute__((unused));

/* The length of the method with its space; 0 if this is no request. */
static __always_inline int method_length(const char *t)
{
	if (t[0] == 'G' && t[1] == 'E' && t[2] == 'T' && t[3] == ' ')
		return 4;
	if (t[0] == 'P' && t[1] == 'U' && t[2] == 'T' && t[3] == ' ')
		return 4;
	if (t[0] == 'P' && t[1] == 'O' && t[2] == 'S' && t[3] == 'T' && t[4] == ' ')
		return 5;
	if (t[0] == 'H' && t[1] == 'E' && t[2] == 'A' && t[3] == 'D' && t[4] == ' ')
		return 5;
	if (t[0] == 'D' && t[1] == 'E' && t[2] == 'L' && t[5] == 'E' && t[6] == ' ')
		return 7;
	return 0;
}

static __always_inline int is_host_header(const char *t)
{
	return t[0] == '\n' && (t[1] | 32) == 'h' && (t[2] | 32) == 'o' && (t[3] | 32) == 's' &&
	       (t[4] | 32) == 't' && t[5] == ':' && t[6] == ' ';
}

/*
 * Positions found are kept in the map, not in registers: what comes after is
 * then the same to the verifier wherever the header was, and checked once.
 */
static __always_inline void find_host(struct scratch *s)
{
	for (__u32 i = 0; i < LOOK - 8; i++) {
		if (is_host_header(s->text + i)) {
			s->host = i + 7;
			break;
		}
	}
}

/* Copies up to a character that ends it, and leaves room for a NUL. */
static __always_inline void copy_word(char *to, int size, const char *from, __u32 at)
{
	for (int i = 0; i < size - 1; i++) {
		char c = from[(at + i) & (LOOK - 1)];

		if (c <= ' ')
			break;
		to[i] = c;
	}
}

static __always_inline void count_status(const char *t)
{
	__u32 status = (t[9] - '0') * 100 + (t[10] - '0') * 10 + (t[11] - '0');
	__u64 *count, one = 1;

	count = bpf_map_lookup_elem(&statuses, &status);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&statuses, &status, &one, BPF_NOEXIST);
}

static __always_inline void count_request(const struct request *request, __u32 bytes)
{
	struct count *count, first = { 1, bytes };

	count = bpf_map_lookup_elem(&requests, request);
	if (count) {
		__sync_fetch_and_add(&count->packets, 1);
		__sync_fetch_and_add(&count->bytes, bytes);
	} else {
		bpf_map_update_elem(&requests, request, &first, BPF_NOEXIST);
	}
}

/* Finds the TCP payload; returns its offset, 0 if there is none. */
static __always_inline __u32 find_payload(struct __sk_buff *skb, struct http_event *from)
{
	struct cursor c = CURSOR(skb);
	struct ethhdr *eth;
	struct iphdr *ip4;
	struct ipv6hdr *ip6;
	struct tcphdr *tcp;
	int type = parse_ethernet(&c, &eth);

	if (type == ETH_P_IP && parse_ip4(&c, &ip4) == IPPROTO_TCP) {
		from->family = 4;
		__builtin_memcpy(from->client, &ip4->saddr, 4);
	} else if (type == ETH_P_IPV6 && parse_ip6(&c, &ip6) == IPPROTO_TCP) {
		from->family = 6;
		__builtin_memcpy(from->client, &ip6->saddr, 16);
	} else {
		return 0;
	}
	if (parse_tcp(&c, &tcp) < 0)
		return 0;
	from->port = bpf_ntohs(tcp->source);
	return (__u32)(c.pos - (void *)(long)skb->data);
}

static __always_inline void send_event(const struct http_event *from, struct scratch *s)
{
	struct http_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return;
	*event = *from;
	__builtin_memcpy(event->method, s->request.method, sizeof(event->method));
	__builtin_memcpy(event->host, s->request.host, sizeof(event->host));
	copy_word(event->path, sizeof(event->path), s->text, s->path);
	bpf_ringbuf_submit(event, 0);
}

SEC("tc")
int http_count(struct __sk_buff *skb)
{
	struct http_event from = {};
	__u32 zero = 0, off = find_payload(skb, &from);
	__u64 size; /* 64 bits: the register that is checked is then the one that is used */
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);

	if (!s || !off || skb->len < off + MIN_REQUEST)
		return TC_ACT_OK;
	size = skb->len - off;
	if (size > LOOK)
		size = LOOK;
	__builtin_memset(s, 0, sizeof(*s));
	asm volatile("" : "+r"(size)); /* the compiler may not move the check away */
	if (size < MIN_REQUEST || size > LOOK || bpf_skb_load_bytes(skb, off, s->text, size) < 0)
		return TC_ACT_OK;
	if (s->text[0] == 'H' && s->text[4] == '/' && s->text[5] == '1' && s->text[6] == '.') {
		count_status(s->text);
		return TC_ACT_OK;
	}
	s->path = method_length(s->text);
	if (!s->path)
		return TC_ACT_OK;
	find_host(s);
	copy_word(s->request.method, sizeof(s->request.method), s->text, 0);
	if (s->host)
		copy_word(s->request.host, sizeof(s->request.host), s->text, s->host);
	count_request(&s->request, skb->len - off);
	send_event(&from, s);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
