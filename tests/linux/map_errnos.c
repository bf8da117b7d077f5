/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_errnos.c - the same operations on the running kernel's maps and on Skep's.
 *
 * For each row a map is made on both sides; random operations with random flags
 * must give the same errno and the same bytes, and in the end the same contents
 * (in the same order, where the type has one). Of LRU maps, which may forget,
 * only what must hold is compared. Creation is compared over random attributes.
 * Exits with 77, saying why, where bpf(2) is not allowed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "map/map.h"

/* --- the kernel's side --- */

enum { MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT_KEY, MAP_TAKE = 21 };

struct create_attr {
	uint32_t type, key, value, max, flags, inner_fd, numa;
	char name[16];
	uint32_t ifindex, btf_fd, btf_key, btf_value, btf_vmlinux;
	uint64_t extra;
};

struct elem_attr {
	uint32_t fd, pad;
	uint64_t key, value, flags;
};

static int kernel(int command, void *attr, size_t size)
{
	int result = (int)syscall(SYS_bpf, command, attr, size);

	return result < 0 ? -errno : result;
}

static int kernel_create(const struct map_spec *spec, int inner_fd)
{
	struct create_attr attr = { .type = spec->type, .key = spec->key_size,
				    .value = spec->value_size, .max = spec->max_entries,
				    .flags = spec->flags, .extra = spec->extra,
				    .inner_fd = (uint32_t)inner_fd };

	return kernel(MAP_CREATE, &attr, sizeof(attr));
}

static int kernel_op(int command, int fd, const void *key, void *value, uint64_t flags)
{
	struct elem_attr attr = { .fd = (uint32_t)fd, .key = (uintptr_t)key,
				  .value = (uintptr_t)value, .flags = flags };

	return kernel(command, &attr, sizeof(attr));
}

/* --- rows --- */

enum { KEYED = 1, ORDERED = 2, FORGETS = 4, PREFIX = 8, KEYLESS = 16, ASKS = 32, DEVICES = 64,
       CPUS = 128 };

struct row {
	uint32_t type, key, value, max, flags, how;
};

static const struct row rows[] = {
	{ BPF_MAP_TYPE_ARRAY, 4, 12, 7, 0, KEYED | ORDERED },
	{ BPF_MAP_TYPE_ARRAY, 4, 1, 1, 0, KEYED | ORDERED },
	{ BPF_MAP_TYPE_PERCPU_ARRAY, 4, 12, 7, 0, KEYED | ORDERED },
	{ BPF_MAP_TYPE_HASH, 4, 8, 9, 0, KEYED },
	{ BPF_MAP_TYPE_HASH, 8, 5, 1, BPF_F_NO_PREALLOC, KEYED },
	{ BPF_MAP_TYPE_HASH, 16, 64, 9, BPF_F_ZERO_SEED, KEYED },
	{ BPF_MAP_TYPE_HASH, 7, 3, 5, 0, KEYED },
	{ BPF_MAP_TYPE_PERCPU_HASH, 4, 12, 9, 0, KEYED },
	{ BPF_MAP_TYPE_PERCPU_HASH, 5, 8, 9, BPF_F_NO_PREALLOC, KEYED },
	{ BPF_MAP_TYPE_LRU_HASH, 4, 8, 20, 0, KEYED | FORGETS },
	{ BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 20, 0, KEYED | FORGETS },
	{ BPF_MAP_TYPE_LPM_TRIE, 5, 3, 12, BPF_F_NO_PREALLOC, KEYED | ORDERED | PREFIX },
	{ BPF_MAP_TYPE_LPM_TRIE, 8, 8, 12, BPF_F_NO_PREALLOC, KEYED | ORDERED | PREFIX },
	{ BPF_MAP_TYPE_LPM_TRIE, 20, 8, 300, BPF_F_NO_PREALLOC, KEYED | ORDERED | PREFIX },
	{ BPF_MAP_TYPE_QUEUE, 0, 12, 5, 0, KEYLESS },
	{ BPF_MAP_TYPE_STACK, 0, 12, 5, 0, KEYLESS },
	{ BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 4, 0, KEYLESS | ASKS },
	{ BPF_MAP_TYPE_STACK_TRACE, 4, 16, 4, 0, KEYED | ORDERED },
	{ BPF_MAP_TYPE_DEVMAP, 4, 4, 5, 0, KEYED | ORDERED | DEVICES },
	{ BPF_MAP_TYPE_DEVMAP, 4, 8, 5, 0, KEYED | ORDERED | DEVICES },
	{ BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 5, 0, KEYED | DEVICES },
	{ BPF_MAP_TYPE_DEVMAP_HASH, 4, 8, 5, 0, KEYED | DEVICES },
	{ BPF_MAP_TYPE_CPUMAP, 4, 4, 9, 0, KEYED | ORDERED | CPUS },
	{ BPF_MAP_TYPE_CPUMAP, 4, 8, 9, 0, KEYED | ORDERED | CPUS },
	{ BPF_MAP_TYPE_XSKMAP, 4, 4, 5, 0, KEYED | ORDERED },
};

static const uint64_t flag_choices[] = { 0, 0, 0, 0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64,
					 1ull << 32, ~0ull };

static uint64_t random_state = 88172645463325252ull;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 11) % n;
}

struct pair {
	struct row row;
	struct map *map;
	int fd;
	size_t value; /* bytes of a value in user space */
	unsigned kernel_release;
};

static unsigned failures, shown;

/* Counts a difference; true for the few of a row that are worth printing. */
static bool differs(void)
{
	failures++;
	return shown++ < 5;
}

static void random_key(const struct pair *pair, uint8_t *key)
{
	uint32_t number = random_below(pair->row.max + 4);

	memset(key, 0, 512);
	if (pair->row.how & PREFIX) {
		uint32_t bits = random_below((pair->row.key - 4) * 8 + 3);

		for (uint32_t i = 4; i < pair->row.key; i++)
			key[i] = (uint8_t)(random_below(4) ? 0 : random_below(256));
		memcpy(key, &bits, 4);
	} else if (pair->row.key >= 4) {
		if (random_below(50) == 0)
			number = UINT32_MAX;
		memcpy(key, &number, 4);
	}
}

/* Devices that exist on both sides (1 is the loopback), queue sizes Linux takes and
 * does not; no program, or (devices) what is none. */
static void random_target(const struct pair *pair, uint8_t *value)
{
	static const uint32_t devices[] = { 0, 1, 1, 1 }, queues[] = { 0, 1, 16384, 16385 };
	static const uint32_t progs[] = { 0, 0, UINT32_MAX, INT32_MAX };
	bool cpus = pair->row.how & CPUS;
	uint32_t target[2] = { (cpus ? queues : devices)[random_below(4)],
			       progs[random_below(cpus ? 3 : 4)] };

	memcpy(value, target, pair->value);
}

static const char *op_name(int command)
{
	return command == MAP_LOOKUP   ? "lookup"
	       : command == MAP_UPDATE ? "update"
	       : command == MAP_DELETE ? "delete"
	       : command == MAP_TAKE   ? "lookup_and_delete"
				       : "next_key";
}

static int skep_op(int command, struct map *map, const void *key, void *value, uint64_t flags)
{
	switch (command) {
	case MAP_LOOKUP:
		return map_user_lookup(map, key, value, flags);
	case MAP_UPDATE:
		return map_user_update(map, key, value, flags);
	case MAP_DELETE:
		return map_user_remove(map, key);
	case MAP_TAKE:
		return map_user_take(map, key, value, flags);
	default:
		return map_user_next_key(map, key, value);
	}
}

/* Flags newer than the running kernel would differ by version, not by mistake. */
static bool flags_are_comparable(const struct pair *pair, int command, uint64_t flags)
{
	if (pair->kernel_release < 700 && (flags & (BPF_F_CPU | BPF_F_ALL_CPUS | ~31ull)))
		return false;
	return command == MAP_LOOKUP || command == MAP_UPDATE || command == MAP_TAKE ||
	       flags == 0;
}

static void one_op(struct pair *pair, int step)
{
	static const int commands[] = { MAP_LOOKUP, MAP_UPDATE, MAP_UPDATE, MAP_UPDATE,
					MAP_DELETE, MAP_NEXT_KEY, MAP_TAKE };
	static uint8_t key[512], theirs[65536], ours[65536];
	int command = commands[random_below(ARRAY_SIZE(commands))], want, got;
	uint64_t flags = flag_choices[random_below(ARRAY_SIZE(flag_choices))];
	const void *given = pair->row.how & KEYED ? key : NULL;

	if (command != MAP_LOOKUP && command != MAP_UPDATE && command != MAP_TAKE)
		flags = 0;
	if (!flags_are_comparable(pair, command, flags))
		return;
	if (command == MAP_NEXT_KEY && !(pair->row.how & ORDERED))
		return;
	if (command == MAP_NEXT_KEY && random_below(5) == 0)
		given = NULL;
	random_key(pair, key);
	for (size_t i = 0; i < pair->value; i++)
		theirs[i] = (uint8_t)random_below(command == MAP_UPDATE ? 256 : 1);
	if (pair->row.how & ASKS)
		memset(theirs, (int)random_below(8), pair->value);
	if (command == MAP_UPDATE && (pair->row.how & (DEVICES | CPUS)))
		random_target(pair, theirs);
	memcpy(ours, theirs, pair->value);
	want = kernel_op(command, pair->fd, given, command == MAP_DELETE ? NULL : theirs, flags);
	got = skep_op(command, pair->map, given, ours, flags);
	if ((pair->row.how & FORGETS) && want != got && want <= 0 && got <= 0 && want != -EINVAL)
		return;
	if ((pair->row.how & ASKS) && command == MAP_LOOKUP && want + got == -ENOENT)
		return; /* a false positive on one side */
	if (want == got && (want < 0 || command == MAP_UPDATE || command == MAP_DELETE ||
			    (pair->row.how & FORGETS) ||
			    memcmp(theirs, ours, command == MAP_NEXT_KEY ? pair->row.key
									 : pair->value) == 0))
		return;
	if (differs())
		printf("%s key %u value %u max %u, step %d: %s flags %#llx: Linux %d, Skep %d%s\n",
		       map_type(pair->row.type)->name, pair->row.key, pair->row.value,
		       pair->row.max, step, op_name(command), (unsigned long long)flags, want, got,
		       want == got ? ", other bytes" : "");
}

/* Every element Linux has, Skep has; and as many. */
static void compare_contents(struct pair *pair)
{
	static uint8_t key[512], other[512], theirs[65536], ours[65536];
	unsigned count = 0, others = 0;
	int error = kernel_op(MAP_NEXT_KEY, pair->fd, NULL, key, 0);

	if (!(pair->row.how & KEYED) || (pair->row.how & FORGETS))
		return;
	for (; error == 0; error = kernel_op(MAP_NEXT_KEY, pair->fd, key, key, 0)) {
		memset(theirs, 0, sizeof(theirs));
		memset(ours, 0, sizeof(ours));
		count++;
		if (kernel_op(MAP_LOOKUP, pair->fd, key, theirs, 0) !=
			    map_user_lookup(pair->map, key, ours, 0) ||
		    memcmp(theirs, ours, pair->value) != 0)
			if (differs())
				printf("%s: contents differ\n", map_type(pair->row.type)->name);
	}
	for (error = map_user_next_key(pair->map, NULL, other); error == 0;
	     error = map_user_next_key(pair->map, other, other))
		others++;
	if (count != others && differs())
		printf("%s: Linux has %u elements, Skep %u\n",
		       map_type(pair->row.type)->name, count, others);
}

static void compare_row(const struct row *row, struct memory *memory, struct vcpu_set *vcpus,
			unsigned release, int steps)
{
	struct map_spec spec = { .name = "errnos", .type = row->type, .key_size = row->key,
				 .value_size = row->value, .max_entries = row->max,
				 .flags = row->flags };
	struct pair pair = { .row = *row, .kernel_release = release };
	int error = 0;
	unsigned before = failures;

	shown = 0;
	pair.fd = kernel_create(&spec, 0);
	pair.map = map_new(&spec, memory, vcpus, &error);
	if (pair.fd < 0 || !pair.map) {
		failures++;
		printf("%s: creation: Linux %d, Skep %d\n", map_type(row->type)->name, pair.fd,
		       error);
		return;
	}
	pair.value = map_user_value_size(pair.map);
	for (int i = 0; i < steps; i++) {
		one_op(&pair, i);
		if (i % 1000 == 999)
			compare_contents(&pair);
	}
	printf("%-16s key %2u value %2u max %3u: %d operations, %s\n", map_type(row->type)->name,
	       row->key, row->value, row->max, steps, failures == before ? "same" : "DIFFERENT");
	close(pair.fd);
	map_free(pair.map);
}

/* Types whose creation needs BTF or a newer kernel than this comparison brings. */
static bool creation_is_comparable(uint32_t type, unsigned release)
{
	switch (type) {
	case BPF_MAP_TYPE_STRUCT_OPS:
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_CGRP_STORAGE:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return false;
	case BPF_MAP_TYPE_INSN_ARRAY:
	case BPF_MAP_TYPE_RHASH:
		return release >= 700;
	default:
		return true;
	}
}

static void compare_creation(unsigned release, int steps)
{
	static const uint32_t keys[] = { 0, 1, 2, 4, 4, 4, 5, 8, 16, 20, 260, 261, 512, 513 };
	static const uint32_t values[] = { 0, 1, 4, 4, 8, 8, 16, 24, 32, 1016, 1024, 4064, 4096, 4097,
					   32768, 32769, 1u << 22, (1u << 22) - 100, UINT32_MAX };
	static const uint32_t maxes[] = { 0, 1, 2, 3, 4, 4096, 8192, 12288 };
	unsigned before = failures;

	shown = 0;
	for (int i = 0; i < steps; i++) {
		struct map_spec spec = { .name = "create" };
		int want, got;

		spec.type = random_below(__MAX_BPF_MAP_TYPE);
		spec.key_size = keys[random_below(ARRAY_SIZE(keys))];
		spec.value_size = values[random_below(ARRAY_SIZE(values))];
		spec.max_entries = maxes[random_below(ARRAY_SIZE(maxes))];
		if (spec.type == BPF_MAP_TYPE_QUEUE && random_below(2))
			spec.key_size = 0;
		for (int n = (int)random_below(3); n > 0; n--)
			spec.flags |= 1u << random_below(20);
		/* Big maps fail for want of memory; files and tokens are not compared here. */
		if ((uint64_t)spec.value_size * spec.max_entries > 1u << 24 ||
		    !creation_is_comparable(spec.type, release) ||
		    /* The limit is how many CPUs the kernel was built for. */
		    (spec.type == BPF_MAP_TYPE_CPUMAP && spec.max_entries >= 4096) ||
		    (spec.flags & (BPF_F_NUMA_NODE | BPF_F_TOKEN_FD | BPF_F_VTYPE_BTF_OBJ_FD |
				   BPF_F_PATH_FD)))
			continue;
		want = kernel_create(&spec, 0);
		if (want >= 0) {
			close(want);
			want = 0;
		}
		got = map_check(&spec, NULL);
		if (want != got && differs())
			printf("create %s key %u value %u max %u flags %#x: Linux %d, Skep %d\n",
			       map_type(spec.type)->name, spec.key_size, spec.value_size,
			       spec.max_entries, spec.flags, want, got);
	}
	printf("%-16s %d random attributes, %s\n", "creation", steps,
	       failures == before ? "same" : "DIFFERENT");
}

static unsigned kernel_release(void)
{
	unsigned major = 0, minor = 0;
	FILE *file = fopen("/proc/sys/kernel/osrelease", "r");

	if (file) {
		if (fscanf(file, "%u.%u", &major, &minor) != 2)
			major = 0;
		fclose(file);
	}
	return major * 100 + minor;
}

int main(int argc, char **argv)
{
	int steps = argc > 1 ? atoi(argv[1]) : 5000;
	struct map_spec probe = { .name = "probe", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				  .value_size = 4, .max_entries = 1 };
	int fd = kernel_create(&probe, 0);
	struct memory *memory = memory_new(0);
	struct vcpu_set *vcpus;

	if (fd < 0) {
		printf("SKIPPED: the running kernel refuses bpf(2): %s\n", strerror(-fd));
		return 77;
	}
	close(fd);
	/* As many as Linux has CPUs, so that per-CPU values have the same size. */
	vcpus = memory ? vcpu_set_new(memory, (unsigned)sysconf(_SC_NPROCESSORS_CONF)) : NULL;
	if (!vcpus)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		compare_row(&rows[i], memory, vcpus, kernel_release(), steps);
	compare_creation(kernel_release(), steps * 2);
	memory_free(memory);
	return failures ? 1 : 0;
}
