/* SPDX-License-Identifier: BSD-2-Clause */
/* One structure that makes no sense, and Linux refuses all of the program's types. */
#include "objects.h"

LICENSE;

struct node { long key; struct bpf_list_node node; };
struct nonsense { struct bpf_list_head list; struct bpf_spin_lock a, b; };
struct value { struct bpf_spin_lock lock; };

struct {
	__uint(type, ARRAY);
	__type(key, int);
	__type(value, struct value);
	__uint(max_entries, 1);
} map SEC(".maps");
struct nonsense nonsense SEC(".bss.nonsense");

extern void *bpf_obj_new_impl(u64 id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *p, void *meta) __ksym;
static void (*spin_lock)(struct bpf_spin_lock *) = (void *)93;
static void (*spin_unlock)(struct bpf_spin_lock *) = (void *)94;
static void *(*lookup)(void *, const void *) = (void *)1;

REJECTED("map 'map' has to have BTF in order to use bpf_spin_lock")
LOGS("struct nonsense is why there are no types") SEC("tc") int lock__without_types(void *ctx)
{
	int zero = 0;
	struct value *v = lookup(&map, &zero);

	if (!v)
		return 0;
	spin_lock(&v->lock);
	spin_unlock(&v->lock);
	return 0;
}

REJECTED("bpf_obj_new/bpf_percpu_obj_new requires prog BTF")
SEC("tc") int object__without_types(void *ctx)
{
	void *p = bpf_obj_new_impl(__builtin_btf_type_id(*(struct node *)0, 0), 0);

	if (p)
		bpf_obj_drop_impl(p, 0);
	return 0;
}
