/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.c - timers in map values. [runtime]
 */
#include "helper/list.h"

const struct helper helper_timer_init = {
	.id = 169,
	.name = "timer_init",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_timer_init(struct bpf_timer *timer, struct bpf_map "
	             "*map, u64 flags)",
	.doc = "Prepares a timer in a map value.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_TIMER }, { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
};

const struct helper helper_timer_set_callback = {
	.id = 170,
	.name = "timer_set_callback",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_timer_set_callback(struct bpf_timer *timer, void *callback_fn)",
	.doc = "Sets the function a timer calls.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_TIMER }, { ARG_PTR_TO_FUNC } },
};

const struct helper helper_timer_start = {
	.id = 171,
	.name = "timer_start",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_timer_start(struct bpf_timer *timer, u64 nsecs, u64 flags)",
	.doc = "Starts a timer.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_TIMER }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_timer_cancel = {
	.id = 172,
	.name = "timer_cancel",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_timer_cancel(struct bpf_timer *timer)",
	.doc = "Stops a timer and waits for its function to end.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_TIMER } },
};
