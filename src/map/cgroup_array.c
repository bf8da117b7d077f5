/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_array.c - cgroups by index, for programs to compare a task's with. [runtime]
 *
 * User space gives the descriptor of a cgroup's directory. What is kept is the cgroup's id,
 * the number of that directory's inode, which never is 0: it means the same in every process.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "map/array.h"
#include "map/sys.h"

static int cgroup_array_init(struct map *map, const struct map_spec *spec)
{
	(void)spec;
	map->impl = memory_alloc(map->memory, (size_t)map->max_entries * sizeof(uint64_t), 64);
	return map->impl ? 0 : -ENOMEM;
}

static void cgroup_array_done(struct map *map)
{
	memory_release(map->memory, map->impl, 0);
	map->impl = NULL;
}

int64_t cgroup_array_id(const struct map *map, uint32_t index)
{
	const uint64_t *ids = map->impl;
	uint64_t id;

	if (index >= map->max_entries)
		return -E2BIG;
	id = __atomic_load_n(&ids[index], __ATOMIC_RELAXED);
	return id ? (int64_t)id : -EAGAIN;
}

/* As in Linux, what is in the map is not to be read back. */
static int cgroup_array_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	(void)map, (void)key, (void)value, (void)flags;
	return -ENOTSUPP;
}

static int cgroup_array_user_update(struct map *map, const void *key, const void *value,
				    uint64_t flags)
{
	uint32_t index = array_index(key), fd;
	uint64_t *ids = map->impl;
	struct statfs system;
	struct stat dir;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	memcpy(&fd, value, sizeof(fd));
	if (sys_call4(SYS_fstatfs, fd, (uintptr_t)&system, 0, 0) < 0 ||
	    system.f_type != CGROUP2_SUPER_MAGIC ||
	    sys_call4(SYS_fstat, fd, (uintptr_t)&dir, 0, 0) < 0 || !S_ISDIR(dir.st_mode))
		return -EBADF;
	__atomic_store_n(&ids[index], dir.st_ino, __ATOMIC_RELAXED);
	return 0;
}

static int cgroup_array_user_remove(struct map *map, const void *key)
{
	uint32_t index = array_index(key);
	uint64_t *ids = map->impl;

	if (index >= map->max_entries)
		return -E2BIG;
	return __atomic_exchange_n(&ids[index], 0, __ATOMIC_RELAXED) ? 0 : -ENOENT;
}

const struct map_type map_cgroup_array = {
	.id = BPF_MAP_TYPE_CGROUP_ARRAY,
	.name = "cgroup_array",
	.doc = "Cgroups by index, to compare a task's or socket's with.",
	.flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.no_btf = true,
	.check = array_check_fds,
	.init = cgroup_array_init,
	.done = cgroup_array_done,
	.user_lookup = cgroup_array_user_lookup,
	.user_update = cgroup_array_user_update,
	.user_remove = cgroup_array_user_remove,
	.next_key = array_next_key,
};
