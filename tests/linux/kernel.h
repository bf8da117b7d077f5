/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel.h - asking the running kernel about small programs, without libbpf.
 */
#ifndef TESTS_LINUX_KERNEL_H
#define TESTS_LINUX_KERNEL_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/insn.h>

/* The head of union bpf_attr for BPF_PROG_LOAD. */
struct kernel_load {
	uint32_t prog_type, insn_cnt;
	uint64_t insns, license;
	uint32_t log_level, log_size;
	uint64_t log_buf;
	uint32_t kern_version, prog_flags;
	char prog_name[16];
	uint32_t prog_ifindex, expected_attach_type;
	uint8_t rest[88];
};

#define KERNEL_PROG_LOAD 5
#define SKIPPED 77 /* what meson takes for "skipped" */

static char kernel_log[1 << 16];

/* 0, or the negative errno; the log is in kernel_log. */
static inline int kernel_load(uint32_t type, uint32_t attach, uint32_t flags,
			      const struct skep_insn *insns, size_t count)
{
	struct kernel_load attr = {
		.prog_type = type, .insn_cnt = (uint32_t)count, .insns = (uintptr_t)insns,
		.license = (uintptr_t)"GPL", .log_level = 1, .log_size = sizeof(kernel_log),
		.log_buf = (uintptr_t)kernel_log, .prog_flags = flags,
		.expected_attach_type = attach,
	};
	long fd;

	kernel_log[0] = 0;
	fd = syscall(SYS_bpf, KERNEL_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

/* The head of what capget() and capset() take; version 3 has two words of bits. */
struct kernel_caps {
	struct { uint32_t version; int pid; } head;
	struct { uint32_t effective, permitted, inheritable; } word[2];
};

/*
 * From now on the thread acts with just these of CAP_NET_ADMIN (12), CAP_SYS_ADMIN
 * (21), CAP_PERFMON (38) and CAP_BPF (39): bits of numbers. What it had comes back in *old.
 */
static inline int kernel_take_caps(uint64_t numbers, struct kernel_caps *old)
{
	const uint64_t all = UINT64_C(1) << 12 | UINT64_C(1) << 21 | UINT64_C(1) << 38 |
			     UINT64_C(1) << 39;
	struct kernel_caps caps = { .head = { 0x20080522, 0 } };

	if (syscall(SYS_capget, &caps.head, caps.word) < 0)
		return -errno;
	*old = caps;
	for (int i = 0; i < 2; i++) {
		caps.word[i].effective &= ~(uint32_t)(all >> i * 32);
		caps.word[i].effective |= (uint32_t)(numbers >> i * 32);
	}
	return syscall(SYS_capset, &caps.head, caps.word) < 0 ? -errno : 0;
}

static inline int kernel_give_caps(struct kernel_caps *old)
{
	return syscall(SYS_capset, &old->head, old->word) < 0 ? -errno : 0;
}

static inline int kernel_answers(void)
{
	static const struct skep_insn nothing[] = { { .code = 0xb7 }, { .code = 0x95 } };

	return kernel_load(1, 0, 0, nothing, 2) == 0;
}

#endif
