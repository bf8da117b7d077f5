/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - nanoseconds per map operation, in Skep and in the running kernel.
 *
 * Skep's side calls the operations as a helper does. Linux's side is a program
 * that does the same operation 64 times in a row, loaded with bpf(2) and repeated
 * by BPF_PROG_TEST_RUN; the time of one that only counts is taken off. Both sides
 * do each operation on the same keys, alternate, and report their best of many
 * short rounds, which a busy machine disturbs least.
 * Without the right to load programs, Linux's column is empty.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "map/map.h"

enum { BATCH = 64, KEYS = 1024, ROUNDS = 5 };

enum op { HIT, MISS, UPDATE, CYCLE /* insert and delete */, OUTPUT, OP_COUNT };

static const char *const op_names[OP_COUNT] = { "lookup hit", "lookup miss", "update",
						"insert+delete", "output 32 bytes" };

struct row {
	uint32_t type, key, value, max, flags;
	unsigned ops; /* 1 << enum op */
};

#define READS (1u << HIT | 1u << MISS)
#define ALL (READS | 1u << UPDATE | 1u << CYCLE)

static const struct row rows[] = {
	{ BPF_MAP_TYPE_ARRAY, 4, 8, KEYS, 0, READS | 1u << UPDATE },
	{ BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, KEYS, 0, READS | 1u << UPDATE },
	{ BPF_MAP_TYPE_HASH, 4, 8, 2 * KEYS, 0, ALL },
	{ BPF_MAP_TYPE_HASH, 8, 8, 2 * KEYS, 0, ALL },
	{ BPF_MAP_TYPE_HASH, 16, 32, 2 * KEYS, 0, ALL },
	{ BPF_MAP_TYPE_HASH, 40, 8, 2 * KEYS, 0, ALL },
	{ BPF_MAP_TYPE_HASH, 4, 8, 2 * KEYS, BPF_F_NO_PREALLOC, 1u << CYCLE },
	{ BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 2 * KEYS, 0, ALL },
	{ BPF_MAP_TYPE_LRU_HASH, 4, 8, 2 * KEYS, 0, ALL },
	{ BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 2 * KEYS, 0, ALL },
	{ BPF_MAP_TYPE_LPM_TRIE, 8, 8, 2 * KEYS, BPF_F_NO_PREALLOC, ALL },
	{ BPF_MAP_TYPE_QUEUE, 0, 8, KEYS, 0, 1u << CYCLE },
	{ BPF_MAP_TYPE_STACK, 0, 8, KEYS, 0, 1u << CYCLE },
	{ BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 17, 0, 1u << OUTPUT },
	{ BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 64, 0, 1u << OUTPUT },
};

/* The key of operation i: numbers for all, as full-length prefixes for tries. */
static void make_key(const struct row *row, uint32_t i, uint8_t *key)
{
	memset(key, 0, 64);
	if (row->type == BPF_MAP_TYPE_LPM_TRIE) {
		uint32_t bits = 32, address = i * 0x9e3779b1u;

		memcpy(key, &bits, 4);
		memcpy(key + 4, &address, 4);
	} else {
		memcpy(key, &i, 4);
	}
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- Skep --- */

struct side {
	struct map *map;
	struct vcpu *cpu;
	uint8_t key[2 * BATCH][64]; /* the first half is in the map */
	uint8_t value[64];
};

static void side_op(const struct row *row, struct side *side, enum op op, unsigned i)
{
	const struct map_type *type = map_type(row->type);
	const uint8_t *there = side->key[i % BATCH], *absent = side->key[BATCH + i % BATCH];
	void *found;

	switch (op) {
	case HIT:
		found = type->lookup(side->map, there, side->cpu);
		__asm__ volatile("" : : "r"(found) : "memory");
		break;
	case MISS:
		found = type->lookup(side->map, absent, side->cpu);
		__asm__ volatile("" : : "r"(found) : "memory");
		break;
	case UPDATE:
		type->update(side->map, there, side->value, BPF_ANY, side->cpu);
		break;
	case CYCLE:
		if (type->push) {
			type->push(side->map, side->value, 0);
			type->pop(side->map, side->value);
		} else {
			type->update(side->map, absent, side->value, BPF_ANY, side->cpu);
			type->remove(side->map, absent, side->cpu);
		}
		break;
	case OUTPUT:
		if (type->id == BPF_MAP_TYPE_RINGBUF)
			ringbuf_output(side->map, side->value, 32, BPF_RB_NO_WAKEUP, side->cpu);
		else
			perf_output(side->map, (uint32_t)BPF_F_CURRENT_CPU, side->value, 32, NULL, 0,
				    side->cpu);
		break;
	case OP_COUNT:
		break;
	}
}

static int ignore(void *arg, uint32_t cpu, const void *data, size_t size)
{
	(void)arg, (void)cpu, (void)data, (void)size;
	return 0;
}

static void side_drain(const struct row *row, struct side *side)
{
	uint64_t lost;

	if (row->type == BPF_MAP_TYPE_RINGBUF)
		ringbuf_consume(side->map, ignore, NULL);
	else if (row->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		perf_consume(side->map, ignore, NULL, &lost);
}

static double skep_ns(const struct row *row, struct side *side, enum op op)
{
	enum { COUNT = 2048, TRIES = 60 };
	double best = 1e9;

	for (unsigned round = 0; round < TRIES; round++) {
		double start = now_ns();

		for (unsigned i = 0; i < COUNT; i++)
			side_op(row, side, op, i);
		best = MIN(best, (now_ns() - start) / COUNT);
		side_drain(row, side);
	}
	return best;
}

/* --- Linux: bpf(2) by hand, for its attributes are few --- */

struct insn {
	uint8_t code, regs;
	int16_t off;
	int32_t imm;
};

#define I(code, dst, src, off, imm) \
	((struct insn){ (code), (uint8_t)((dst) | (src) << 4), (int16_t)(off), (int32_t)(imm) })

static int kernel(int command, void *attr, size_t size)
{
	long result = syscall(SYS_bpf, command, attr, size);

	return result < 0 ? -errno : (int)result;
}

static int kernel_map(const struct row *row)
{
	uint32_t attr[20] = { row->type, row->key, row->value, row->max, row->flags };

	return kernel(0, attr, sizeof(attr));
}

static void kernel_put(int fd, const void *key, const void *value)
{
	uint64_t attr[4] = { (uint32_t)fd, (uintptr_t)key, (uintptr_t)value, 0 };

	kernel(2, attr, sizeof(attr));
}

struct code {
	struct insn insn[BATCH * 96];
	unsigned len;
};

static void emit(struct code *code, struct insn insn)
{
	code->insn[code->len++] = insn;
}

static void emit_map(struct code *code, int reg, int fd)
{
	emit(code, I(0x18, reg, 1, 0, fd));
	emit(code, I(0, 0, 0, 0, 0));
}

/* r2 = a key on the stack, at -64. */
static void emit_key(struct code *code, const struct row *row, const uint8_t *key)
{
	for (uint32_t at = 0; at < row->key; at += 4) {
		int32_t word;

		memcpy(&word, key + at, 4);
		emit(code, I(0x62, 10, 0, -64 + (int)at, word));
	}
	emit(code, I(0xbf, 2, 10, 0, 0));
	emit(code, I(0x07, 2, 0, 0, -64));
}

static void emit_call(struct code *code, int reg, int helper)
{
	if (reg) { /* the value, and flags */
		emit(code, I(0xbf, reg, 10, 0, 0));
		emit(code, I(0x07, reg, 0, 0, -128));
	}
	emit(code, I(0x85, 0, 0, 0, helper));
}

static void emit_op(struct code *code, const struct row *row, int fd, enum op op,
		    const uint8_t *there, const uint8_t *absent)
{
	const uint8_t *key = op == MISS || op == CYCLE ? absent : there;

	if (op == OUTPUT) {
		bool ring = row->type == BPF_MAP_TYPE_RINGBUF;

		if (!ring)
			emit(code, I(0xbf, 1, 6, 0, 0));
		emit_map(code, ring ? 1 : 2, fd);
		emit(code, I(0xbf, ring ? 2 : 4, 10, 0, 0));
		emit(code, I(0x07, ring ? 2 : 4, 0, 0, -128));
		emit(code, I(0xb7, ring ? 3 : 5, 0, 0, 32));
		if (ring)
			emit(code, I(0xb7, 4, 0, 0, BPF_RB_NO_WAKEUP));
		else
			emit(code, I(0xb4, 3, 0, 0, -1));
		emit(code, I(0x85, 0, 0, 0, ring ? 130 : 25));
		return;
	}
	emit_map(code, 1, fd);
	if (row->key == 0) {
		emit(code, I(0xb7, 3, 0, 0, 0));
		emit_call(code, 2, 87);
		emit_map(code, 1, fd);
		emit_call(code, 2, 88);
		return;
	}
	emit_key(code, row, key);
	if (op == HIT || op == MISS) {
		emit_call(code, 0, 1);
		return;
	}
	emit(code, I(0xb7, 4, 0, 0, 0));
	emit_call(code, 3, 2);
	if (op == CYCLE) {
		emit_map(code, 1, fd);
		emit(code, I(0xbf, 2, 10, 0, 0));
		emit(code, I(0x07, 2, 0, 0, -64));
		emit_call(code, 0, 3);
	}
}

/* A program of BATCH operations; op OP_COUNT: the same without the calls. */
static int kernel_prog(const struct row *row, int fd, enum op op, struct side *side)
{
	static struct code code;
	struct { uint32_t type, count; uint64_t insns, license; uint32_t level, log_size;
		 uint64_t log; uint64_t rest[10]; } attr = { 0 };

	code.len = 0;
	emit(&code, I(0xbf, 6, 1, 0, 0));
	for (int at = -128; at < 0; at += 8)
		emit(&code, I(0x7a, 10, 0, at, 0));
	for (unsigned i = 0; i < BATCH; i++) {
		if (op != OP_COUNT)
			emit_op(&code, row, fd, op, side->key[i], side->key[BATCH + i]);
		else if (row->key)
			emit_key(&code, row, side->key[i]);
	}
	emit(&code, I(0xb7, 0, 0, 0, 0));
	emit(&code, I(0x95, 0, 0, 0, 0));
	attr.type = 3; /* a packet classifier: may use every helper here */
	attr.count = code.len;
	attr.insns = (uintptr_t)code.insn;
	attr.license = (uintptr_t)"GPL";
	return kernel(5, &attr, sizeof(attr));
}

static double kernel_run(int prog, uint32_t repeat)
{
	static uint8_t packet[64];
	struct { uint32_t prog, retval, in_size, out_size; uint64_t in, out;
		 uint32_t repeat, duration; uint64_t rest[8]; } attr = { 0 };

	attr.prog = (uint32_t)prog;
	attr.in = (uintptr_t)packet;
	attr.in_size = sizeof(packet);
	attr.repeat = repeat;
	if (kernel(10, &attr, sizeof(attr)) < 0)
		return -1;
	return (double)attr.duration / BATCH;
}

/* Of one operation; negative where it cannot be had. */
static double linux_ns(const struct row *row, int fd, enum op op, struct side *side)
{
	int prog = fd < 0 ? -1 : kernel_prog(row, fd, op, side);
	int idle = fd < 0 ? -1 : kernel_prog(row, fd, OP_COUNT, side);
	double busy = 1e9, none = 1e9;

	/* A ring is full after a while, and then is faster: not many. */
	for (int i = 0; prog >= 0 && idle >= 0 && i < (op == OUTPUT ? 1 : 20); i++) {
		busy = MIN(busy, kernel_run(prog, 30));
		none = MIN(none, kernel_run(idle, 30));
	}
	close(prog);
	close(idle);
	return busy < 1e9 && busy >= none ? busy - none : -1;
}

/* --- rows --- */

static void fill(const struct row *row, struct side *side, int fd)
{
	uint8_t key[64];

	for (unsigned i = 0; i < 2 * BATCH; i++)
		make_key(row, i < BATCH ? i : KEYS + i, side->key[i]);
	for (uint32_t i = 0; row->key && i < KEYS; i++) {
		uint64_t value[64] = { 0 };

		make_key(row, i, key);
		map_user_update(side->map, key, value, 0);
		if (fd >= 0 && row->type != BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			kernel_put(fd, key, value);
	}
}

static void bench_row(const struct row *row, struct memory *memory, struct vcpu_set *vcpus)
{
	struct map_spec spec = { .name = "bench", .type = row->type, .key_size = row->key,
				 .value_size = row->value, .max_entries = row->max,
				 .flags = row->flags };
	static struct side side;
	int error, fd;

	memset(&side, 0, sizeof(side));
	side.map = map_new(&spec, memory, vcpus, &error);
	if (!side.map)
		return;
	for (int op = 0; op < OP_COUNT; op++) {
		double skep = 1e9, kernels = 1e9;

		if (!(row->ops & 1u << op))
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			double ns;

			/* Linux's rings are not emptied here: a new one each time. */
			fd = kernel_map(row);
			side.cpu = NULL;
			fill(row, &side, fd);
			side.cpu = vcpu_take(vcpus);
			ns = skep_ns(row, &side, (enum op)op);
			vcpu_give(side.cpu);
			skep = MIN(skep, ns);
			ns = linux_ns(row, fd, (enum op)op, &side);
			if (ns >= 0)
				kernels = MIN(kernels, ns);
			close(fd);
		}
		printf("%-17s %3u %3u  %-16s %8.1f ", map_type(row->type)->name, row->key,
		       row->value, op_names[op], skep);
		if (kernels < 1e9)
			printf("%8.1f %6.2fx\n", kernels, kernels / skep);
		else
			printf("%8s %6s\n", "-", "-");
	}
	map_free(side.map);
}

static void bench_vcpu(struct vcpu_set *vcpus)
{
	double best = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns();

		for (int i = 0; i < 200000; i++)
			vcpu_give(vcpu_take(vcpus));
		best = MIN(best, (now_ns() - start) / 200000);
	}
	printf("%-17s %3s %3s  %-16s %8.1f\n", "virtual CPU", "", "", "take and give", best);
}

int main(void)
{
	struct memory *memory = memory_new(0);
	struct vcpu_set *vcpus = memory ? vcpu_set_new(memory, 0) : NULL;

	if (!vcpus)
		return 1;
	printf("%-17s %3s %3s  %-16s %8s %8s %7s\n", "map", "key", "val", "operation",
	       "Skep ns", "Linux ns", "faster");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		bench_row(&rows[i], memory, vcpus);
	bench_vcpu(vcpus);
	memory_free(memory);
	return 0;
}
