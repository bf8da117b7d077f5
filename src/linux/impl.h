/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * impl.h - what is kept of an object in the running kernel, for this folder only.
 *
 * Everything in the kernel is held by descriptors and nothing is pinned: what the
 * process does not close itself, its end does.
 */
#ifndef LINUX_IMPL_H
#define LINUX_IMPL_H

#include <skep/linux.h>

#include "base/base.h"
#include "isa/insn.h"
#include "linux/sys.h"
#include "object/object.h"

struct skep_linux_map {
	const struct skep_object_map *from;
	struct map_spec spec;    /* with sizes settled for this kernel */
	int fd;                  /* -1: none was made */
	uint32_t id;
	unsigned cpus;           /* values in one; 1 for most */
};

struct linux_prog {
	int fd;                  /* -1: not loaded */
	VEC(int) links;          /* what holds it where it is attached */
	bool prints;             /* calls bpf_trace_printk() */
};

/* The threads that tracing programs run for: a bit for each thread id (tree.c). */
struct linux_tree {
	int map;                 /* -1: no tree */
	uint32_t size;           /* bytes of the bits */
	int arm;                 /* the program that skep_linux_follow() runs */
	int add;                 /* the one that skep_linux_follow_pid() runs */
	int progs[2], links[2];  /* on fork and exec */
};

/* A buffer that the kernel writes and this process reads (poll.c). */
struct linux_ring {
	const struct skep_linux_map *map; /* NULL: of what processes do (space.c) */
	int fd;                  /* what to wait for; the map's own is borrowed */
	bool perf, owned;
	uint32_t cpu;
	uint8_t *control, *data; /* mapped */
	size_t control_size, data_size;
};

struct skep_linux {
	struct skep_object *object; /* borrowed */
	struct skep_linux_opts opts;
	unsigned possible;       /* CPUs */
	int btf;                 /* the object's types; -1: none */
	struct skep_linux_map *maps; /* per map of the object */
	struct linux_prog *progs; /* per program of the object */
	struct linux_tree tree;
	VEC(struct linux_ring) rings;
	int epoll, trace;        /* -1: not opened */
	char line[4096];         /* of trace_pipe, up to where it was read */
	size_t line_len;
	uint8_t record[1 << 16]; /* one of perf's: its size is 16 bits */
	uint8_t *packet;         /* the result of a test run */
	char action[32];
};

static inline struct linux_prog *linux_prog(const struct skep_linux *kernel,
					    const struct skep_object_prog *prog)
{
	return &kernel->progs[prog->index];
}

/* The object's types (types.c). A descriptor, or a negative errno with nothing reported. */
int linux_load_types(const struct skep_btf *btf);
/* Does the kernel have this DATASEC as it is? */
bool linux_keeps_section(const struct skep_btf *btf, uint32_t id);

/* Maps (maps.c): all of the object's; what they hold from the start, once programs are. */
int linux_make_maps(struct skep_linux *kernel, struct skep_diag *diag);
int linux_fill_maps(struct skep_linux *kernel, struct skep_diag *diag);

/* Programs (load.c). A descriptor, or a negative errno with nothing reported. */
int linux_load_plain(uint32_t type, uint32_t attach, uint32_t attach_btf_id, const char *name,
		     const struct skep_insn *insns, size_t count);

/*
 * The tree (tree.c): programs of ours that follow forks; and what stands in front of
 * a program so that it runs in threads of the tree only: LINUX_GUARD slots.
 */
enum { LINUX_GUARD_MAX = 32 };
int linux_tree_start(struct skep_linux *kernel, struct skep_diag *diag);
void linux_tree_stop(struct linux_tree *tree);
/* Slots written; 0: programs of this type are not held to the tree. Negative errno. */
int linux_tree_guard(const struct linux_tree *tree, const struct prog_spec *spec,
		     struct skep_insn guard[LINUX_GUARD_MAX], struct skep_diag *diag);

/* What processes map: an event of it, a record of one, and what is mapped by now (space.c). */
struct perf_event_attr;
struct perf_event_header;
struct perf_event_attr linux_space_event(void);
void linux_space_record(struct skep_stacks *stacks, const struct perf_event_header *header,
			const uint8_t *record);
void linux_space_read(struct skep_stacks *stacks);

/* Rings (poll.c). */
int linux_open_rings(struct skep_linux *kernel, struct skep_diag *diag);
void linux_close_rings(struct skep_linux *kernel);

#endif
