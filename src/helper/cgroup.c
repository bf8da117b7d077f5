/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup.c - cgroups. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "map/sys.h"

static uint64_t skb_under_cgroup(struct vm *vm, const uint64_t arg[5])
{
	const struct map *map = (const struct map *)(uintptr_t)arg[1];

	(void)vm;
	return (uint32_t)arg[2] >= map->max_entries ? (uint64_t)-E2BIG : (uint64_t)-ENOENT;
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

/*
 * The task's cgroup in the unified hierarchy is the line "0::/path" of
 * /proc/self/cgroup, and its id the number of that directory's inode. A task
 * whose cgroup cannot be seen counts as in the root, whose id is 1.
 */
static uint64_t get_current_cgroup_id(struct vm *vm, const uint64_t arg[5])
{
	static const char root[] = "/sys/fs/cgroup";
	char text[1024], path[sizeof(root) + sizeof(text)], *line = text;
	struct stat dir;
	int64_t fd, size;

	(void)vm, (void)arg;
	fd = sys_call4(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t) "/proc/self/cgroup",
		      O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 1;
	size = sys_call4(SYS_read, (uint64_t)fd, (uintptr_t)text, sizeof(text) - 1, 0);
	sys_call4(SYS_close, (uint64_t)fd, 0, 0, 0);
	text[size > 0 ? size : 0] = '\0';
	while (line && strncmp(line, "0::/", 4) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return 1;
	line += 3;
	line[strcspn(line, "\n")] = '\0';
	memcpy(path, root, sizeof(root) - 1);
	memcpy(path + sizeof(root) - 1, line, strlen(line) + 1);
	if (sys_call4(SYS_newfstatat, (uint64_t)AT_FDCWD, (uintptr_t)path, (uintptr_t)&dir, 0) < 0)
		return 1;
	return dir.st_ino;
}

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
