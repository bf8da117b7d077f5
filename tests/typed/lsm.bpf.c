/* SPDX-License-Identifier: BSD-2-Clause */
/* Security hooks: which may be taken, where programs may sleep, what they return. */
#include "typed.h"

LICENSE;

#define RETURNS(name, section, value, ...)                                                    \
	__VA_ARGS__ SEC(section) __naked int name(void)                                       \
	{                                                                                     \
		__asm__ volatile("r0 = " value "; exit;");                                    \
	}

RETURNS(errno_hook_takes_zero, "lsm/file_open", "0", ACCEPTED)
RETURNS(errno_hook_takes_an_errno, "lsm/file_open", "-4095", ACCEPTED)
RETURNS(errno_hook_takes_nothing_lower, "lsm/file_open", "-4096",
	REJECTED("R0 has smin=-4096 smax=-4096 should have been in [-4095, 0]"))
RETURNS(errno_hook_takes_nothing_positive, "lsm/file_open", "1",
	REJECTED("R0 has smin=1 smax=1 should have been in [-4095, 0]"))
RETURNS(yes_or_no_hook_takes_one, "lsm/audit_rule_known", "1", ACCEPTED)
RETURNS(yes_or_no_hook_takes_no_errno, "lsm/audit_rule_known", "-1",
	REJECTED("R0 has smin=-1 smax=-1 should have been in [0, 1]"))
RETURNS(void_hook_takes_anything, "lsm/task_free", "100", ACCEPTED)
RETURNS(hook_that_is_disabled, "lsm/getprocattr", "0", REJECTED("points to disabled hook bpf_lsm_getprocattr"))
RETURNS(hook_where_programs_sleep, "lsm.s/file_open", "0", ACCEPTED)
RETURNS(hook_where_programs_may_not_sleep, "lsm.s/task_free", "0", REJECTED("bpf_lsm_task_free is not sleepable"))
RETURNS(tracepoint_takes_anything, "tp_btf/task_newtask", "100", ACCEPTED)

ACCEPTED SEC("lsm/file_open") __naked int result__so_far_may_be_returned(void)
{
	__asm__ volatile("r0 = *(u32 *)(r1 + 8); exit;");
}
