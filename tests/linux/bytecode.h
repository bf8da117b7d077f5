/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bytecode.h - writing small programs instruction by instruction, and running
 * them in the kernel this runs on.
 */
#ifndef TESTS_LINUX_BYTECODE_H
#define TESTS_LINUX_BYTECODE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isa/abi.h"

enum { INSNS_MAX = 2048, SKIPPED = 77 }; /* what meson takes for "skipped" */

struct bytecode {
	uint64_t insns[INSNS_MAX];
	size_t count;
};

static inline void emit(struct bytecode *code, uint8_t op, unsigned dst, unsigned src, int off, int imm)
{
	code->insns[code->count++] = op | (uint64_t)(src << 4 | dst) << 8 |
				     (uint64_t)(uint16_t)off << 16 | (uint64_t)(uint32_t)imm << 32;
}

static inline void emit_value(struct bytecode *code, unsigned dst, uint64_t value)
{
	emit(code, 0x18, dst, 0, 0, (int)(uint32_t)value);
	emit(code, 0, 0, 0, 0, (int)(uint32_t)(value >> 32));
}

/* r7 = r7 * 31 + reg, in 32 bits */
static inline void emit_mix(struct bytecode *code, unsigned reg)
{
	emit(code, 0x24, 7, 0, 0, 31);
	emit(code, 0x0c, 7, reg, 0, 0);
}

static inline uint32_t mix(uint32_t sum, uint64_t value) { return sum * 31 + (uint32_t)value; }

/* --- random numbers that are the same in every run --- */

static uint64_t seed;

static inline uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return below ? (uint32_t)(seed >> 33) % below : 0;
}

static inline uint32_t pick(const uint32_t *from, size_t count) { return from[any((uint32_t)count)]; }
#define PICK(...) pick((const uint32_t[]){ __VA_ARGS__ }, \
		       sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

/* --- the running kernel --- */

static inline long sys_bpf(int cmd, void *attr, size_t size)
{
	long result = syscall(SYS_bpf, cmd, attr, size);

	return result < 0 ? -errno : result;
}

static char bytecode_log[1 << 20];

/* A descriptor or a negative errno; the log is in bytecode_log. */
static inline int bytecode_load_as(uint32_t type, uint32_t attach, uint32_t flags,
				   const struct bytecode *code)
{
	struct {
		uint32_t type, count;
		uint64_t insns, license;
		uint32_t log_level, log_size;
		uint64_t log;
		uint32_t version, flags;
		char name[16];
		uint32_t ifindex, attach;
	} attr = { .type = type, .count = (uint32_t)code->count, .insns = (uintptr_t)code->insns,
		   .license = (uintptr_t) "GPL", .log_level = 1, .log_size = sizeof(bytecode_log),
		   .log = (uintptr_t)bytecode_log, .flags = flags, .attach = attach };

	return (int)sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

static inline int bytecode_load(uint32_t type, const struct bytecode *code)
{
	return bytecode_load_as(type, 0, 0, code);
}

/* size: of out, then of the packet that came out. */
static inline int bytecode_run(int fd, const void *in, uint32_t in_size, void *out, uint32_t *size,
			       uint32_t *retval)
{
	struct {
		uint32_t fd, retval, size_in, size_out;
		uint64_t in, out;
		uint32_t repeat, duration;
	} attr = { .fd = (uint32_t)fd, .size_in = in_size, .size_out = *size,
		   .in = (uintptr_t)in, .out = (uintptr_t)out };
	int error = (int)sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));

	*retval = attr.retval;
	*size = attr.size_out;
	return error;
}

/* A frozen, read-only array of one value. A descriptor or a negative errno. */
static inline int bytecode_constant(const void *bytes, uint32_t size)
{
	struct {
		uint32_t type, key_size, value_size, max_entries, flags;
	} map = { BPF_MAP_TYPE_ARRAY, 4, size, 1, BPF_F_RDONLY_PROG };
	uint32_t zero = 0;
	struct {
		uint32_t fd, pad;
		uint64_t key, value, flags;
	} value = { .key = (uintptr_t)&zero, .value = (uintptr_t)bytes };
	long fd = sys_bpf(BPF_MAP_CREATE, &map, sizeof(map));

	if (fd < 0)
		return (int)fd;
	value.fd = (uint32_t)fd;
	if (sys_bpf(BPF_MAP_UPDATE_ELEM, &value, sizeof(value)) < 0 ||
	    sys_bpf(BPF_MAP_FREEZE, &value.fd, 4) < 0) {
		close((int)fd);
		return -EIO;
	}
	return (int)fd;
}

/* Can programs be loaded here? Says so where not. */
static inline bool bytecode_works(void)
{
	struct bytecode code = { .count = 0 };
	int fd;

	emit(&code, 0xb7, 0, 0, 0, 0);
	emit(&code, 0x95, 0, 0, 0, 0);
	fd = bytecode_load(BPF_PROG_TYPE_SCHED_CLS, &code);
	if (fd < 0) {
		printf("SKIPPED: programs cannot be loaded here: %s\n", strerror(-fd));
		return false;
	}
	close(fd);
	return true;
}

#endif
