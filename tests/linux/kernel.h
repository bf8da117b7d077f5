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

static inline int kernel_answers(void)
{
	static const struct skep_insn nothing[] = { { .code = 0xb7 }, { .code = 0x95 } };

	return kernel_load(1, 0, 0, nothing, 2) == 0;
}

#endif
