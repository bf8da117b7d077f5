/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracing.c - the probed function. [runtime]
 */
#include "helper/list.h"

#include <errno.h>

static uint64_t get_func_ip(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return vm->func_ip;
}

const struct helper helper_get_func_ip = {
	.id = 173,
	.name = "get_func_ip",
	.prototype = "u64 bpf_get_func_ip(void *ctx)",
	.doc = "Returns the address of the probed function.",
	.types = TYPES_TRACING & ~TYPE(KPROBE),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_func_ip,
};

const struct helper helper_get_func_ip_kprobe = {
	.id = 173,
	.name = "get_func_ip",
	.prototype = "u64 bpf_get_func_ip(void *ctx)",
	.doc = "Returns the address of the probed function.",
	.types = TYPE(KPROBE),
	.attaches = ~(ATTACH(TRACE_KPROBE_MULTI) | ATTACH(TRACE_KPROBE_SESSION) |
		      ATTACH(TRACE_UPROBE_MULTI) | ATTACH(TRACE_UPROBE_SESSION)),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_func_ip,
};

const struct helper helper_get_func_ip_multi = {
	.id = 173,
	.name = "get_func_ip",
	.prototype = "u64 bpf_get_func_ip(void *ctx)",
	.doc = "Returns the address of the probed function.",
	.types = TYPE(KPROBE),
	.attaches = ATTACH(TRACE_KPROBE_MULTI) | ATTACH(TRACE_KPROBE_SESSION) |
		    ATTACH(TRACE_UPROBE_MULTI) | ATTACH(TRACE_UPROBE_SESSION),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_func_ip,
};

static uint64_t get_attach_cookie(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return vm->cookie;
}

const struct helper helper_get_attach_cookie = {
	.id = 174,
	.name = "get_attach_cookie",
	.prototype = "u64 bpf_get_attach_cookie(void *ctx)",
	.doc = "Returns the number given when the program was attached.",
	.types = TYPES_TRACING & ~TYPE(SYSCALL),
	.attaches = ~ATTACH(TRACE_ITER),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_attach_cookie,
};

/* Arguments lie at ctx in words, then the result where there is one. */
static const uint64_t *func_words(const uint64_t arg[5])
{
	return (const uint64_t *)(uintptr_t)arg[0];
}

static uint64_t get_func_arg(struct vm *vm, const uint64_t arg[5])
{
	uint64_t *value = (uint64_t *)(uintptr_t)arg[2];

	if ((uint32_t)arg[1] >= vm->arg_count)
		return (uint64_t)-EINVAL;
	*value = func_words(arg)[(uint32_t)arg[1]];
	return 0;
}

static uint64_t get_func_arg_cnt(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return vm->arg_count;
}

static uint64_t get_func_ret(struct vm *vm, const uint64_t arg[5])
{
	uint64_t *value = (uint64_t *)(uintptr_t)arg[1];

	if (!vm->has_result)
		return (uint64_t)-EOPNOTSUPP;
	*value = func_words(arg)[vm->arg_count];
	return 0;
}

const struct helper helper_get_func_arg = {
	.id = 183,
	.name = "get_func_arg",
	.prototype = "long bpf_get_func_arg(void *ctx, u32 n, u64 *value)",
	.doc = "Reads an argument of the traced function.",
	.types = TYPE(TRACING) | TYPE(LSM),
	.attaches = ATTACHES_TRAMPOLINE | ATTACH(TRACE_RAW_TP),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_UNINIT | ARG_ALIGNED, .size = 8 },
	},
	.call = get_func_arg,
};

const struct helper helper_get_func_arg_cnt = {
	.id = 185,
	.name = "get_func_arg_cnt",
	.prototype = "long bpf_get_func_arg_cnt(void *ctx)",
	.doc = "Returns how many arguments the traced function has.",
	.types = TYPE(TRACING) | TYPE(LSM),
	.attaches = ATTACHES_TRAMPOLINE | ATTACH(TRACE_RAW_TP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_func_arg_cnt,
};

const struct helper helper_get_func_ret = {
	.id = 184,
	.name = "get_func_ret",
	.prototype = "long bpf_get_func_ret(void *ctx, u64 *value)",
	.doc = "Reads what the traced function returned.",
	.types = TYPE(TRACING) | TYPE(LSM),
	.attaches = ATTACHES_TRAMPOLINE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_UNINIT | ARG_ALIGNED, .size = 8 },
	},
	.call = get_func_ret,
};

/* What becomes of it is the hook's to say: only where a call begins can it be. */
static uint64_t override_return(struct vm *vm, const uint64_t arg[5])
{
	vm->overrides = true;
	vm->override = arg[1];
	return 0;
}

const struct helper helper_override_return = {
	.id = 58,
	.name = "override_return",
	.prototype = "long bpf_override_return(struct pt_regs *regs, u64 rc)",
	.doc = "Makes the probed function return a given value without running.",
	.types = TYPE(KPROBE),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = override_return,
};
