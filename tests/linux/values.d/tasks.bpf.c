/* SPDX-License-Identifier: BSD-2-Clause */
/* tasks.bpf.c - the current task, wherever the command says that it may be looked at. */
#include "values.h"
#include "task.h"

SEC("raw_tp/sys_enter") int at_mark(struct bpf_raw_tracepoint_args *ctx)
{
	if (is_mark((void *)ctx->args[0], ctx->args[1], MARK_TASK))
		all_of("mark", (struct task_struct *)bpf_get_current_task());
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
