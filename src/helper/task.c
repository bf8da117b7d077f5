/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task.c - the task a program runs in. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "map/sys.h"
#include "helper/task.h"

static uint64_t get_current_pid_tgid(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return (uint64_t)task_pid(vm->task) << 32 | task_tid(vm->task);
}

const struct helper helper_get_current_pid_tgid = {
	.id = 14,
	.name = "get_current_pid_tgid",
	.prototype = "u64 bpf_get_current_pid_tgid(void)",
	.doc = "Returns the current process id in the upper and thread id in the lower half.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.call = get_current_pid_tgid,
};

static uint64_t get_current_uid_gid(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return task_ids(vm->task);
}

const struct helper helper_get_current_uid_gid = {
	.id = 15,
	.name = "get_current_uid_gid",
	.prototype = "u64 bpf_get_current_uid_gid(void)",
	.doc = "Returns the current group id in the upper and user id in the lower half.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.call = get_current_uid_gid,
};

static uint64_t get_current_comm(struct vm *vm, const uint64_t arg[5])
{
	char *to = (char *)(uintptr_t)arg[0], buffer[16];
	const char *comm = task_comm(vm->task, buffer);
	uint32_t size = (uint32_t)arg[1];
	size_t length = strnlen(comm, sizeof(buffer) - 1);

	if (length >= size)
		length = size - 1;
	memcpy(to, comm, length);
	memset(to + length, 0, size - length);
	return 0;
}

const struct helper helper_get_current_comm = {
	.id = 16,
	.name = "get_current_comm",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_get_current_comm(void *buf, u32 size_of_buf)",
	.doc = "Copies the name of the current thread.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE } },
	.call = get_current_comm,
};

/* NULL reads as zeros: more threads are alive than the machine has records for. */
static uint64_t get_current_task(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	return (uintptr_t)task_current(vm->world->tasks, vm->task, vm->cpu);
}

const struct helper helper_get_current_task = {
	.id = 35,
	.name = "get_current_task",
	.needs = NEEDS_PERFMON,
	.prototype = "u64 bpf_get_current_task(void)",
	.doc = "Returns the address of the current task's task_struct as a number.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.call = get_current_task,
};

const struct helper helper_get_current_task_btf = {
	.id = 158,
	.name = "get_current_task_btf",
	.needs = NEEDS_PERFMON,
	.prototype = "struct task_struct *bpf_get_current_task_btf(void)",
	.doc = "Returns the current task as a typed pointer.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_PTR_TO_BTF_ID_TRUSTED, .btf = "task_struct" },
	.call = get_current_task,
};

struct pidns_info {
	uint32_t pid, tgid;
};

/* User space sees itself in its own namespace only: that is the one to match. */
static uint64_t get_ns_current_pid_tgid(struct vm *vm, const uint64_t arg[5])
{
	struct pidns_info *info = (struct pidns_info *)(uintptr_t)arg[2];
	struct stat ns;
	int64_t error;

	memset(info, 0, (uint32_t)arg[3]);
	if ((uint32_t)arg[3] != sizeof(*info))
		return (uint64_t)-EINVAL;
	error = sys_call4(SYS_newfstatat, (uint64_t)AT_FDCWD, (uintptr_t) "/proc/self/ns/pid",
			 (uintptr_t)&ns, 0);
	/* The kernel numbers devices major << 20 | minor and takes both forms. */
	if (error < 0 || ns.st_ino != arg[1] ||
	    (arg[0] != ns.st_dev && arg[0] != ((uint64_t)major(ns.st_dev) << 20 | minor(ns.st_dev))))
		return (uint64_t)-EINVAL;
	info->pid = task_own_tid(vm->task);
	info->tgid = task_own_pid(vm->task);
	return 0;
}

const struct helper helper_get_ns_current_pid_tgid = {
	.id = 120,
	.name = "get_ns_current_pid_tgid",
	.prototype = "long bpf_get_ns_current_pid_tgid(u64 dev, u64 ino, struct "
	             "bpf_pidns_info *nsdata, u32 size)",
	.doc = "Reads the current process and thread ids as a pid namespace shows them.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
	.call = get_ns_current_pid_tgid,
};

/* Of another, which runs on, they are not known: NULL reads as zeros. */
static uint64_t task_pt_regs(struct vm *vm, const uint64_t arg[5])
{
	bool own = arg[0] == (uintptr_t)task_current(vm->world->tasks, vm->task, vm->cpu);

	return own ? (uintptr_t)vm->regs : 0;
}

const struct helper helper_task_pt_regs = {
	.id = 175,
	.name = "task_pt_regs",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_task_pt_regs(struct task_struct *task)",
	.doc = "Returns the registers a task entered the kernel with.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_PTR_TO_BTF_ID, .btf = "pt_regs" },
	.arg = { { ARG_PTR_TO_BTF_ID, .btf = "task_struct" } },
	.call = task_pt_regs,
};

const struct helper helper_find_vma = {
	.id = 180,
	.name = "find_vma",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_find_vma(struct task_struct *task, u64 addr, void "
	             "*callback_fn, void *callback_ctx, u64 flags)",
	.doc = "Calls a function for the memory area of a task that holds an address.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "task_struct" },
		{ ARG_ANYTHING },
		{ ARG_PTR_TO_FUNC },
		{ ARG_PTR_TO_STACK, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

static uint64_t send_signal(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return (uint64_t)sys_call4(SYS_kill, (uint64_t)sys_call4(SYS_getpid, 0, 0, 0, 0),
				  (uint32_t)arg[0], 0, 0);
}

const struct helper helper_send_signal = {
	.id = 109,
	.name = "send_signal",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_send_signal(u32 sig)",
	.doc = "Sends a signal to the current process.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING } },
	.call = send_signal,
};

static uint64_t send_signal_thread(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	return (uint64_t)sys_call4(SYS_tgkill, (uint64_t)sys_call4(SYS_getpid, 0, 0, 0, 0),
				  (uint64_t)sys_call4(SYS_gettid, 0, 0, 0, 0), (uint32_t)arg[0], 0);
}

const struct helper helper_send_signal_thread = {
	.id = 117,
	.name = "send_signal_thread",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_send_signal_thread(u32 sig)",
	.doc = "Sends a signal to the current thread.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING } },
	.call = send_signal_thread,
};
