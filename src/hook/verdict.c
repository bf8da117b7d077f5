/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdict.c - what a packet program's result means where it is attached.
 */
#include <stdio.h>

#include "hook/frame.h"
#include "isa/abi.h"

struct action {
	int32_t value;
	const char *name;
	enum skep_verdict verdict;
};

#define ACTION(name, verdict) { name, #name, SKEP_VERDICT_##verdict }

static const struct action xdp_actions[] = {
	ACTION(XDP_ABORTED, ABORTED), ACTION(XDP_DROP, DROP), ACTION(XDP_PASS, PASS),
	ACTION(XDP_TX, TX), ACTION(XDP_REDIRECT, REDIRECT), { 0 },
};

/* What takes the packet away ends its path, whatever becomes of it. */
static const struct action tc_actions[] = {
	ACTION(TC_ACT_UNSPEC, PASS), ACTION(TC_ACT_OK, PASS), ACTION(TC_ACT_RECLASSIFY, PASS),
	ACTION(TC_ACT_SHOT, DROP), ACTION(TC_ACT_PIPE, PASS), ACTION(TC_ACT_STOLEN, DROP),
	ACTION(TC_ACT_QUEUED, DROP), ACTION(TC_ACT_REPEAT, PASS),
	ACTION(TC_ACT_REDIRECT, REDIRECT), ACTION(TC_ACT_TRAP, DROP), { 0 },
};

static const struct action lwt_actions[] = {
	ACTION(BPF_OK, PASS), ACTION(BPF_DROP, DROP), ACTION(BPF_REDIRECT, REDIRECT),
	ACTION(BPF_LWT_REROUTE, PASS), { 0 },
};

static enum skep_verdict verdict_of(const struct action *actions, int32_t value,
				    enum skep_verdict other, char *name, size_t size)
{
	for (; actions->name; actions++) {
		if (actions->value == value) {
			snprintf(name, size, "%s", actions->name);
			return actions->verdict;
		}
	}
	snprintf(name, size, "unknown %d", value);
	return other;
}

/* Bit 0: let it pass; bit 1, on the way out: report congestion. */
static enum skep_verdict verdict_cgroup(uint32_t value, bool egress, char *name, size_t size)
{
	bool pass = value & 1, congested = egress && value & 2;

	snprintf(name, size, "%s%s", pass ? "pass" : "drop", congested ? " congested" : "");
	return pass ? SKEP_VERDICT_PASS : SKEP_VERDICT_DROP;
}

enum skep_verdict frame_verdict(const struct frame_shape *shape, uint64_t retval, bool egress,
				char *name, size_t name_size)
{
	uint32_t value = (uint32_t)retval;

	switch (shape->prog_type) {
	case BPF_PROG_TYPE_XDP:
		return verdict_of(xdp_actions, (int32_t)value, SKEP_VERDICT_ABORTED, name,
				  name_size);
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
		/* Traffic control goes on where it does not know the action. */
		return verdict_of(tc_actions, (int32_t)value, SKEP_VERDICT_PASS, name, name_size);
	case BPF_PROG_TYPE_CGROUP_SKB:
		return verdict_cgroup(value, egress, name, name_size);
	case BPF_PROG_TYPE_SOCKET_FILTER:
		if (!value) {
			snprintf(name, name_size, "drop");
			return SKEP_VERDICT_DROP;
		}
		snprintf(name, name_size, "pass %u", value);
		return SKEP_VERDICT_PASS;
	default:
		return verdict_of(lwt_actions, (int32_t)value, SKEP_VERDICT_DROP, name, name_size);
	}
}
