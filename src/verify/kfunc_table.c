/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kfunc_table.c - the functions of the kernel that programs may call, by name,
 * and which programs may.
 *
 * The kernel registers its functions in sets, each for some program types; a set
 * may have a rule of its own beyond the type. A function may be in several.
 */
#include "verify/kfunc.h"

/* Program types that share what is registered for one of them. */
#define TYPE(name) (UINT64_C(1) << BPF_PROG_TYPE_##name)
#define ON_ALL UINT64_MAX
#define ON_TRACING                                                                           \
	(TYPE(TRACING) | TYPE(TRACEPOINT) | TYPE(RAW_TRACEPOINT) | TYPE(PERF_EVENT) | TYPE(LSM))
#define ON_LSM TYPE(LSM)
#define ON_STRUCT_OPS TYPE(STRUCT_OPS)
#define ON_SYSCALL TYPE(SYSCALL)
#define ON_TC TYPE(SCHED_CLS)
#define ON_ACT TYPE(SCHED_ACT)
#define ON_XDP TYPE(XDP)
#define ON_CGROUP                                                                            \
	(TYPE(CGROUP_SKB) | TYPE(CGROUP_SOCK) | TYPE(CGROUP_DEVICE) | TYPE(CGROUP_SOCK_ADDR) | \
	 TYPE(CGROUP_SOCKOPT) | TYPE(CGROUP_SYSCTL) | TYPE(SOCK_OPS))
#define ON_KPROBE TYPE(KPROBE)
#define ON_LWT (TYPE(LWT_IN) | TYPE(LWT_OUT) | TYPE(LWT_XMIT) | TYPE(LWT_SEG6LOCAL))
#define ON_NETFILTER TYPE(NETFILTER)
#define ON_SK_SKB TYPE(SK_SKB)
#define ON_SOCKET_FILTER TYPE(SOCKET_FILTER)

/* Sockets are destroyed only by who holds their lock: their iterators do. */
static bool is_iterator(const struct prog_spec *spec)
{
	return spec->type->id == BPF_PROG_TYPE_TRACING && spec->attach == BPF_TRACE_ITER;
}

static bool is_session(const struct prog_spec *spec)
{
	if (spec->type->id == BPF_PROG_TYPE_TRACING)
		return spec->attach == BPF_TRACE_FSESSION ||
		       spec->attach == BPF_TRACE_FSESSION_MULTI;
	return spec->attach == BPF_TRACE_KPROBE_SESSION || spec->attach == BPF_TRACE_UPROBE_SESSION;
}

enum set {
#define KFUNC_SET(name, types, rule) SET_##name,
#include "verify/kfunc_set.def"
	SET_COUNT
};

static const struct {
	uint64_t types;          /* 1 << BPF_PROG_TYPE_* */
	bool (*rule)(const struct prog_spec *spec);
} sets[] = {
#define KFUNC_SET(name, types, rule) { types, rule },
#include "verify/kfunc_set.def"
};

_Static_assert(SET_COUNT <= 64, "a function's sets are bits of one word");

#define IN(set) (UINT64_C(1) << SET_##set)

static const struct kfunc kfuncs[] = {
#define KFUNC(name, flags, sets, kind) { #name, flags, sets, KFUNC_##kind },
#include "verify/kfunc.def"
};

static int compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct kfunc *)row)->name);
}

/* The rows are in the order of their names. */
const struct kfunc *kfunc_find(const char *name)
{
	return bsearch(name, kfuncs, ARRAY_SIZE(kfuncs), sizeof(kfuncs[0]), compare);
}

bool kfunc_is_for(const struct kfunc *fn, const struct prog_spec *spec)
{
	for (unsigned i = 0; i < SET_COUNT; i++)
		if (fn->sets >> i & 1 && sets[i].types >> spec->type->id & 1 &&
		    (!sets[i].rule || sets[i].rule(spec)))
			return true;
	return false;
}
