/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that attach to functions of host.bpf.c: the first five are right. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define use(value) asm volatile("" :: "r"(value))

struct rule { int port; long hits; };
struct other { int port; long hits; };

SEC("freplace/pick") int same(int number) { return number; }
SEC("freplace/weigh") int with_context(struct __sk_buff *skb, int number) { return (int)skb->mark; }
SEC("freplace/judge") int with_memory(struct rule *rule) { return rule ? (int)rule->hits : 0; }
SEC("fentry/weigh") int look(unsigned long long *ctx) { use(ctx[1]); return 0; }
SEC("fexit/hidden") int look_after(unsigned long long *ctx) { use(ctx[5]); return 0; }

SEC("freplace/pick") int wider(long number) { return 0; }
SEC("freplace/pick") int more(int number, int again) { return 0; }
SEC("freplace/pick") void nothing(int number) { }
SEC("freplace/judge") int other_record(struct other *rule) { return 0; }
SEC("freplace/judge") int careless(struct rule *rule) { return (int)rule->hits; }
SEC("freplace/weigh") int changes(struct __sk_buff *skb, int n) { return (int)bpf_skb_pull_data(skb, 4); }
SEC("freplace/hidden") int not_global(struct rule *rule) { return 0; }
SEC("freplace/missing") int not_there(int number) { return 0; }
SEC("fentry/pick") int too_many(unsigned long long *ctx) { use(ctx[1]); return 0; }
SEC("fentry/hidden") int no_result(unsigned long long *ctx) { use(ctx[5]); return 0; }
SEC("fmod_ret/pick") int modifies(unsigned long long *ctx) { return 0; }
SEC("fentry.s/pick") int sleeps(unsigned long long *ctx) { return 0; }

char _license[] SEC("license") = "GPL";
