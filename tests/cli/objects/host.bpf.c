/* SPDX-License-Identifier: BSD-2-Clause */
/* What extensions replace functions of, and tracing programs look at. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rule { int port; long hits; };

__attribute__((noinline)) int pick(int number)
{
	asm volatile("" : "+r"(number));
	return number & 1;
}

__attribute__((noinline)) int weigh(struct __sk_buff *skb, int number)
{
	asm volatile("" : "+r"(number));
	return (int)skb->len + number;
}

__attribute__((noinline)) int judge(struct rule *rule)
{
	return rule ? rule->port : 0;
}

static __attribute__((noinline)) int hidden(struct rule *rule)
{
	asm volatile("" ::: "memory");
	return rule->port;
}

SEC("tc") int classify(struct __sk_buff *skb)
{
	struct rule rule = { 80, 1 };

	return pick((int)skb->mark) + weigh(skb, 1) + judge(&rule) + hidden(&rule);
}

SEC("cgroup/connect4") int connect(struct bpf_sock_addr *ctx)
{
	return pick((int)ctx->user_port) > 0;
}

char _license[] SEC("license") = "GPL";
