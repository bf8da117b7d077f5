/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup.c - cgroups of the unified hierarchy. [runtime]
 *
 * A cgroup's id is the number of its directory's inode. The task's own is the line "0::/path"
 * of /proc/thread-self/cgroup, and those above it are the path's. A task whose cgroup cannot
 * be seen counts as in the root. In a cgroup namespace the root is the namespace's.
 */
#include "helper/cgroup.h"
#include "helper/list.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "map/sys.h"

#define CGROUP_ROOT 1 /* the root's id */

/* The current task's cgroup: its directory, of which the first `root` bytes are the root's. */
struct cgroup_place {
	char path[4200];
	size_t root;
};

/* Alone, or beside the older hierarchies. */
static const char *cgroup_mount(void)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs system;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (sys_call4(SYS_statfs, (uintptr_t)mounts[i], (uintptr_t)&system, 0, 0) == 0 &&
		    system.f_type == CGROUP2_SUPER_MAGIC)
			return mounts[i];
	return NULL;
}

/* The line's path, "/" for the root; NULL when there is none. */
static char *read_own(char *text, size_t room)
{
	static const char file[] = "/proc/thread-self/cgroup";
	int64_t fd = sys_call4(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)file, O_RDONLY | O_CLOEXEC, 0);
	int64_t size;
	char *line = text;

	if (fd < 0)
		return NULL;
	size = sys_call4(SYS_read, (uint64_t)fd, (uintptr_t)text, room - 1, 0);
	sys_call4(SYS_close, (uint64_t)fd, 0, 0, 0);
	text[size > 0 ? size : 0] = '\0';
	while (line && strncmp(line, "0::/", 4) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return line + 3;
}

static bool own_cgroup(struct cgroup_place *own)
{
	char text[4096];
	const char *mount = cgroup_mount(), *path = mount ? read_own(text, sizeof(text)) : NULL;

	if (!path)
		return false;
	own->root = strlen(mount);
	memcpy(own->path, mount, own->root);
	memcpy(own->path + own->root, path, strlen(path) + 1);
	if (!path[1])
		own->path[own->root] = '\0';
	return true;
}

/* The id of the directory that the first `size` bytes of the path name; 0 when it has gone. */
static uint64_t cgroup_id(struct cgroup_place *own, size_t size)
{
	char end = own->path[size];
	struct stat dir;
	int64_t error;

	own->path[size] = '\0';
	error = sys_call4(SYS_newfstatat, (uint64_t)AT_FDCWD, (uintptr_t)own->path, (uintptr_t)&dir, 0);
	own->path[size] = end;
	return error < 0 ? 0 : dir.st_ino;
}

/* Where the path of the next cgroup below the first `size` bytes ends; 0 at the last. */
static size_t cgroup_below(const struct cgroup_place *own, size_t size)
{
	return own->path[size] ? size + 1 + strcspn(own->path + size + 1, "/") : 0;
}

int32_t cgroup_describe(uint64_t *id, char *name, size_t size)
{
	struct cgroup_place own;
	size_t last = 0;
	int32_t level = 0;

	*id = CGROUP_ROOT;
	name[0] = '\0';
	if (!own_cgroup(&own) || !own.path[own.root])
		return 0;
	*id = cgroup_id(&own, strlen(own.path));
	for (size_t end = own.root; (end = cgroup_below(&own, end)) != 0;)
		level++;
	for (size_t i = 0; own.path[i]; i++)
		last = own.path[i] == '/' ? i + 1 : last;
	size = strnlen(own.path + last, size - 1);
	memcpy(name, own.path + last, size);
	name[size] = '\0';
	return level;
}

static uint64_t current_task_under_cgroup(struct vm *vm, const uint64_t arg[5])
{
	int64_t id = cgroup_array_id((const struct map *)(uintptr_t)arg[0], (uint32_t)arg[1]);
	struct cgroup_place own;

	(void)vm;
	if (id < 0 || !own_cgroup(&own))
		return id < 0 ? (uint64_t)id : id == CGROUP_ROOT;
	for (size_t size = own.root; size; size = cgroup_below(&own, size))
		if (cgroup_id(&own, size) == (uint64_t)id)
			return 1;
	return 0;
}

static uint64_t get_current_cgroup_id(struct vm *vm, const uint64_t arg[5])
{
	struct cgroup_place own;
	uint64_t id = own_cgroup(&own) ? cgroup_id(&own, strlen(own.path)) : 0;

	(void)vm, (void)arg;
	return id ? id : CGROUP_ROOT;
}

/* Level 0 is the root; below the task's own there is none. */
static uint64_t get_current_ancestor_cgroup_id(struct vm *vm, const uint64_t arg[5])
{
	int level = (int)arg[0];
	struct cgroup_place own;
	size_t size;

	(void)vm;
	if (level < 0)
		return 0;
	if (!own_cgroup(&own))
		return level == 0 ? CGROUP_ROOT : 0;
	for (size = own.root; size && level > 0; level--)
		size = cgroup_below(&own, size);
	return size ? cgroup_id(&own, size) : 0;
}

/* Packets here belong to no socket, and so to no cgroup. */
static uint64_t skb_under_cgroup(struct vm *vm, const uint64_t arg[5])
{
	int64_t id = cgroup_array_id((const struct map *)(uintptr_t)arg[1], (uint32_t)arg[2]);

	(void)vm;
	return id < 0 ? (uint64_t)id : (uint64_t)-ENOENT;
}

const struct helper helper_skb_under_cgroup = {
	.id = 33,
	.name = "skb_under_cgroup",
	.prototype = "long bpf_skb_under_cgroup(struct sk_buff *skb, struct bpf_map "
	             "*map, u32 index)",
	.doc = "Says whether the packet's socket belongs to a cgroup of a cgroup array.",
	.types = TYPES_TC | TYPES_LWT,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
	.call = skb_under_cgroup,
};

const struct helper helper_current_task_under_cgroup = {
	.id = 37,
	.name = "current_task_under_cgroup",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_current_task_under_cgroup(struct bpf_map *map, u32 index)",
	.doc = "Says whether the current task belongs to a cgroup of a cgroup array.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
	.call = current_task_under_cgroup,
};

/* Packets here belong to no socket, and so to no cgroup. */
static uint64_t skb_cgroup_id(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return 0;
}

const struct helper helper_skb_cgroup_id = {
	.id = 79,
	.name = "skb_cgroup_id",
	.prototype = "u64 bpf_skb_cgroup_id(struct sk_buff *skb)",
	.doc = "Returns the id of the cgroup the packet's socket belongs to.",
	.types = TYPES_TC | TYPE(CGROUP_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = skb_cgroup_id,
};

const struct helper helper_skb_ancestor_cgroup_id = {
	.id = 83,
	.name = "skb_ancestor_cgroup_id",
	.prototype = "u64 bpf_skb_ancestor_cgroup_id(struct sk_buff *skb, int ancestor_level)",
	.doc = "Returns the id of an ancestor of the packet's socket's cgroup.",
	.types = TYPES_TC | TYPE(CGROUP_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = skb_cgroup_id,
};

const struct helper helper_get_current_cgroup_id = {
	.id = 80,
	.name = "get_current_cgroup_id",
	.needs = NEEDS_BPF,
	.prototype = "u64 bpf_get_current_cgroup_id(void)",
	.doc = "Returns the id of the cgroup the current task is in.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.call = get_current_cgroup_id,
};

const struct helper helper_get_current_ancestor_cgroup_id = {
	.id = 123,
	.name = "get_current_ancestor_cgroup_id",
	.needs = NEEDS_BPF,
	.prototype = "u64 bpf_get_current_ancestor_cgroup_id(int ancestor_level)",
	.doc = "Returns the id of an ancestor of the current task's cgroup.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING } },
	.call = get_current_ancestor_cgroup_id,
};

const struct helper helper_sk_cgroup_id = {
	.id = 128,
	.name = "sk_cgroup_id",
	.prototype = "u64 bpf_sk_cgroup_id(void *sk)",
	.doc = "Returns the id of the cgroup a socket belongs to.",
	.types = TYPE(CGROUP_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_sk_ancestor_cgroup_id = {
	.id = 129,
	.name = "sk_ancestor_cgroup_id",
	.prototype = "u64 bpf_sk_ancestor_cgroup_id(void *sk, int ancestor_level)",
	.doc = "Returns the id of an ancestor of a socket's cgroup.",
	.types = TYPE(CGROUP_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON }, { ARG_ANYTHING } },
};

const struct helper helper_get_local_storage = {
	.id = 81,
	.name = "get_local_storage",
	.prototype = "void *bpf_get_local_storage(void *map, u64 flags)",
	.doc = "Returns the program's storage for the cgroup it runs for.",
	.types = TYPES_CGROUP,
	.ret = { RET_PTR_TO_MAP_VALUE },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
};

const struct helper helper_get_local_storage_lsm = {
	.id = 81,
	.name = "get_local_storage",
	.prototype = "void *bpf_get_local_storage(void *map, u64 flags)",
	.doc = "Returns the program's storage for the cgroup it runs for.",
	.types = TYPE(LSM),
	.attaches = ATTACH(LSM_CGROUP),
	.ret = { RET_PTR_TO_MAP_VALUE },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
};

const struct helper helper_get_retval = {
	.id = 186,
	.name = "get_retval",
	.prototype = "int bpf_get_retval(void)",
	.doc = "Returns what the system call will return as decided so far.",
	.types = TYPE(CGROUP_SOCK) | TYPE(CGROUP_DEVICE) | TYPE(CGROUP_SYSCTL) |
		 TYPE(CGROUP_SOCKOPT),
	.ret = { RET_INTEGER },
};

const struct helper helper_get_retval_sock_addr = {
	.id = 186,
	.name = "get_retval",
	.prototype = "int bpf_get_retval(void)",
	.doc = "Returns what the system call will return as decided so far.",
	.types = TYPE(CGROUP_SOCK_ADDR) | TYPE(LSM),
	.attaches = ATTACH(CGROUP_INET4_BIND) | ATTACH(CGROUP_INET6_BIND) |
		    ATTACH(CGROUP_INET4_CONNECT) | ATTACH(CGROUP_INET6_CONNECT) |
		    ATTACH(CGROUP_UDP4_SENDMSG) | ATTACH(CGROUP_UDP6_SENDMSG) |
		    ATTACH(CGROUP_UNIX_CONNECT) | ATTACH(CGROUP_UNIX_SENDMSG) |
		    ATTACH(LSM_CGROUP),
	.ret = { RET_INTEGER },
};

const struct helper helper_set_retval = {
	.id = 187,
	.name = "set_retval",
	.prototype = "int bpf_set_retval(int retval)",
	.doc = "Sets what the system call will return.",
	.types = TYPE(CGROUP_SOCK) | TYPE(CGROUP_DEVICE) | TYPE(CGROUP_SYSCTL) |
		 TYPE(CGROUP_SOCKOPT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING } },
};

const struct helper helper_set_retval_sock_addr = {
	.id = 187,
	.name = "set_retval",
	.prototype = "int bpf_set_retval(int retval)",
	.doc = "Sets what the system call will return.",
	.types = TYPE(CGROUP_SOCK_ADDR) | TYPE(LSM),
	.attaches = ATTACH(CGROUP_INET4_BIND) | ATTACH(CGROUP_INET6_BIND) |
		    ATTACH(CGROUP_INET4_CONNECT) | ATTACH(CGROUP_INET6_CONNECT) |
		    ATTACH(CGROUP_UDP4_SENDMSG) | ATTACH(CGROUP_UDP6_SENDMSG) |
		    ATTACH(CGROUP_UNIX_CONNECT) | ATTACH(CGROUP_UNIX_SENDMSG) |
		    ATTACH(LSM_CGROUP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING } },
};
