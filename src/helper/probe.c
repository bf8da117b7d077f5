/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.c - memory at addresses that may be bad. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>

#include "base/fault.h"

/* What could not be read is zero, so that no old bytes of the stack show. */
static uint64_t probe(const uint64_t arg[5])
{
	void *to = (void *)(uintptr_t)arg[0];
	uint32_t size = (uint32_t)arg[1];

	if (size && fault_copy(to, (const void *)(uintptr_t)arg[2], size) < 0) {
		memset(to, 0, size);
		return (uint64_t)-EFAULT;
	}
	return 0;
}

/* The length with the NUL, at most the buffer's size. */
static uint64_t probe_string(const uint64_t arg[5])
{
	char *to = (char *)(uintptr_t)arg[0];
	uint32_t size = (uint32_t)arg[1];
	int64_t length = fault_copy_string(to, (const char *)(uintptr_t)arg[2], size);

	if (length < 0)
		memset(to, 0, size);
	return (uint64_t)length;
}

/*
 * Programs and what they watch live in one address space: what can be read, both read. Of what
 * cannot, the kernel's functions say which addresses are none of the kernel's.
 */
static uint64_t not_kernels(uint64_t address)
{
	return (uint64_t)(address >> 47 == 0x1ffff ? -EFAULT : -ERANGE);
}

static uint64_t probe_read_kernel(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return probe(arg) ? not_kernels(arg[2]) : 0;
}

static uint64_t probe_read_kernel_str(struct vm *vm, const uint64_t arg[5])
{
	uint64_t length = probe_string(arg);

	(void)vm;
	return (int64_t)length < 0 ? not_kernels(arg[2]) : length;
}

static uint64_t probe_read(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return probe(arg);
}

static uint64_t probe_read_str(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return probe_string(arg);
}

const struct helper helper_probe_read = {
	.id = 4,
	.name = "probe_read",
	.prototype = "long bpf_probe_read(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies memory from an address that may be bad, in user or kernel space.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = probe_read,
};

const struct helper helper_probe_read_str = {
	.id = 45,
	.name = "probe_read_str",
	.prototype = "long bpf_probe_read_str(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies a string from an address that may be bad, in user or kernel space.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = probe_read_str,
};

const struct helper helper_probe_read_user = {
	.id = 112,
	.name = "probe_read_user",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_probe_read_user(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies memory from a user address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = probe_read,
};

const struct helper helper_probe_read_kernel = {
	.id = 113,
	.name = "probe_read_kernel",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_probe_read_kernel(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies memory from a kernel address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = probe_read_kernel,
};

const struct helper helper_probe_read_user_str = {
	.id = 114,
	.name = "probe_read_user_str",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_probe_read_user_str(void *dst, u32 size, const void "
	             "*unsafe_ptr)",
	.doc = "Copies a string from a user address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = probe_read_str,
};

const struct helper helper_probe_read_kernel_str = {
	.id = 115,
	.name = "probe_read_kernel_str",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_probe_read_kernel_str(void *dst, u32 size, const void "
	             "*unsafe_ptr)",
	.doc = "Copies a string from a kernel address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = probe_read_kernel_str,
};

static uint64_t probe_write_user(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return (uint64_t)(int64_t)fault_copy((void *)(uintptr_t)arg[0],
					     (const void *)(uintptr_t)arg[1], (uint32_t)arg[2]);
}

const struct helper helper_probe_write_user = {
	.id = 36,
	.name = "probe_write_user",
	.prototype = "long bpf_probe_write_user(void *dst, const void *src, u32 len)",
	.doc = "Writes into user memory of the current task.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING }, { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
	.call = probe_write_user,
};

const struct helper helper_copy_from_user = {
	.id = 148,
	.name = "copy_from_user",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_copy_from_user(void *dst, u32 size, const void *user_ptr)",
	.doc = "Copies user memory, waiting for it to be paged in.",
	.types = TYPES_BASE,
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
	.call = probe_read,
};

const struct helper helper_copy_from_user_task = {
	.id = 191,
	.name = "copy_from_user_task",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_copy_from_user_task(void *dst, u32 size, const void "
	             "*user_ptr, struct task_struct *tsk, u64 flags)",
	.doc = "Copies user memory of a task, waiting for it to be paged in.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_PTR_TO_BTF_ID, .btf = "task_struct" },
		{ ARG_ANYTHING },
	},
};
