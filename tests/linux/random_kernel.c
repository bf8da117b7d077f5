/* SPDX-License-Identifier: BSD-2-Clause */
/* random_kernel.c - bpf(2) for random programs: as few calls as can be. */
#include "random_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

char random_kernel_log[1 << 22];

static long sys_bpf(int cmd, void *attr, size_t size)
{
	long result = syscall(SYS_bpf, cmd, attr, size);

	return result < 0 ? -errno : result;
}

struct load_attr {
	uint32_t prog_type, insn_cnt;
	uint64_t insns, license;
	uint32_t log_level, log_size;
	uint64_t log_buf;
	uint32_t kern_version, prog_flags;
	char prog_name[16];
	uint32_t prog_ifindex, expected_attach_type, prog_btf_fd, func_info_rec_size;
	uint64_t func_info;
	uint32_t func_info_cnt, line_info_rec_size;
	uint64_t line_info;
	uint32_t line_info_cnt, attach_btf_id, attach_prog_fd, pad;
	uint64_t fd_array;
};

int kernel_verdict(const struct random_program *p, unsigned level)
{
	static struct skep_insn insns[RANDOM_SLOTS];
	struct load_attr attr = {
		.prog_type = p->type, .insn_cnt = p->len, .insns = (uintptr_t)insns,
		.license = (uintptr_t)"GPL", .prog_flags = p->flags,
		.expected_attach_type = p->attach, .log_level = level,
	};
	int progs[4], prog_count = 0;
	long fd;

	memcpy(insns, p->insns, p->len * sizeof(insns[0]));
	for (uint32_t i = 0; i < p->len; i++) {
		if (insns[i].code != 0x18)
			continue;
		if ((insns[i].src == 5 || insns[i].src == 6) &&
		    (uint32_t)insns[i].imm < p->world->map_count) {
			const struct map_spec *spec = p->world->spec_list[insns[i].imm];

			insns[i].src = insns[i].src == 5 ? 1 : 2;
			/* A program array belongs to the kind of program that used it first. */
			if (spec->type == BPF_MAP_TYPE_PROG_ARRAY && prog_count < 4)
				insns[i].imm = progs[prog_count++] = kernel_map(spec, -1);
			else
				insns[i].imm = p->world->map_fds[insns[i].imm];
		}
		i++;
	}
	if (level) {
		attr.log_size = sizeof(random_kernel_log);
		attr.log_buf = (uintptr_t)random_kernel_log;
		random_kernel_log[0] = 0;
	}
	if (p->func_count) {
		attr.prog_btf_fd = (uint32_t)p->world->btf_fd;
		attr.func_info_rec_size = sizeof(p->funcs[0]);
		attr.func_info = (uintptr_t)p->funcs;
		attr.func_info_cnt = p->func_count;
	}
	fd = sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd >= 0)
		close((int)fd);
	while (prog_count)
		close(progs[--prog_count]);
	return fd < 0 ? (int)fd : 0;
}

struct map_attr {
	uint32_t type, key_size, value_size, max_entries, flags, inner_fd, numa;
	char name[16];
	uint32_t ifindex, btf_fd, key_type, value_type, vmlinux_value;
	uint64_t extra;
};


int kernel_map(const struct map_spec *spec, int btf_fd)
{
	struct map_attr attr = {
		.type = spec->type, .key_size = spec->key_size, .value_size = spec->value_size,
		.max_entries = spec->max_entries, .flags = spec->flags,
	};
	uint32_t zero = 0;
	long fd;

	if (spec->value_type) {
		attr.btf_fd = (uint32_t)btf_fd;
		attr.key_type = spec->key_type;
		attr.value_type = spec->value_type;
	}
	fd = sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd >= 0 && spec->frozen) {
		struct {
			uint32_t fd, pad;
			uint64_t key, value, flags;
		} value = { .fd = (uint32_t)fd, .key = (uintptr_t)&zero,
			    .value = (uintptr_t)spec->frozen };
		uint32_t frozen = (uint32_t)fd;

		sys_bpf(BPF_MAP_UPDATE_ELEM, &value, sizeof(value));
		sys_bpf(BPF_MAP_FREEZE, &frozen, sizeof(frozen));
	}
	return (int)fd;
}

int kernel_btf(const void *bytes, size_t size)
{
	struct {
		uint64_t btf, log;
		uint32_t size, log_size, log_level, pad;
	} attr = { .btf = (uintptr_t)bytes, .size = (uint32_t)size };

	return (int)sys_bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
}

bool random_kernel_answers(void)
{
	static struct random_world nothing;
	static struct random_program program = {
		.type = BPF_PROG_TYPE_SCHED_CLS, .world = &nothing,
		.insns = { { .code = 0xb7 }, { .code = 0x95 } }, .len = 2,
	};
	int error = kernel_verdict(&program, 0);

	if (error)
		printf("SKIPPED: the comparison with the running kernel: programs cannot be loaded "
		       "here: %s\n", strerror(-error));
	return error == 0;
}
