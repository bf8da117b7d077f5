/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linux.h - an object in the running kernel: its maps made there, its programs
 * loaded and attached, what they send and leave behind read back.
 *
 * What is loaded goes away with skep_linux_free(), and also when the process
 * ends in any other way. Loading needs the rights that Linux asks for; without
 * them the diagnostic says which.
 *
 * Threads: confined.
 */
#ifndef SKEP_LINUX_H
#define SKEP_LINUX_H

#include <skep/machine.h>
#include <skep/packet.h>
#include <skep/stacks.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_linux;       /* an object's maps and programs in the kernel */
struct skep_linux_map;   /* borrowed from it */

struct skep_linux_opts {
	/*
	 * Tracing programs run only in threads of a tree of processes, which is empty
	 * until skep_linux_follow(): a few instructions in front of each program look
	 * the thread up. Without it they see the whole system.
	 */
	bool tree;
	uint32_t sample_hz;      /* how often perf_event programs run, on each CPU; 0: 99 */
	struct skep_stacks *stacks; /* is told of all processes; borrowed; or NULL */
};

/*
 * Create the object's maps and load its programs (those with autoload set), all or
 * nothing. The object is borrowed; opts may be NULL. NULL on failure: a program that
 * the kernel's verifier rejects is reported with its last words and the source line.
 */
struct skep_linux *skep_linux_load(struct skep_object *object, const struct skep_linux_opts *opts,
				   struct skep_diag *diag);
/* Detaches and removes everything. Accepts NULL. */
void skep_linux_free(struct skep_linux *kernel);

/*
 * Attach a loaded program where its section says, or to a place as in skep_link_opts (NULL:
 * none). Errors: EOPNOTSUPP (programs of
 * this kind are not attached by their section alone), ENOENT (no such place), EPERM.
 */
int skep_linux_attach(struct skep_linux *kernel, const struct skep_object_prog *prog,
		      const char *place, struct skep_diag *diag);

/*
 * The tree begins with this process: from when it next executes a program on, and with
 * all it starts from then on. To be called between fork() and exec(), which is why it
 * reports nothing. Negative errno; EINVAL without opts.tree.
 */
int skep_linux_follow(struct skep_linux *kernel);
/* A process that runs is of the tree too, with all its threads and all they start from now on.
 * ESRCH; EINVAL: no opts.tree, or this process is in another pid namespace than the kernel's. */
int skep_linux_follow_pid(struct skep_linux *kernel, int32_t pid, struct skep_diag *diag);

/* --- events --- */

struct skep_linux_event {
	enum skep_event_kind kind;
	const struct skep_object_map *map; /* NULL for trace_printk */
	uint32_t cpu;
	uint32_t tid;            /* TRACE: the thread that printed; else 0 */
	const void *data;        /* borrowed until the callback returns */
	size_t size;             /* LOST: the number of lost samples in size */
};

/* A non-zero return stops the poll and becomes its result. */
typedef int skep_linux_event_fn(void *arg, const struct skep_linux_event *event);

/*
 * Deliver what is pending; if that is nothing, wait for it up to so many
 * milliseconds or until a signal was handled. Returns the number delivered.
 */
int skep_linux_poll(struct skep_linux *kernel, int milliseconds, skep_linux_event_fn *fn,
		    void *arg);

/* --- maps --- */

/* NULL: none was made of it. */
struct skep_linux_map *skep_linux_map(struct skep_linux *kernel,
				      const struct skep_object_map *map);
/* What was asked for, with sizes as created and the kernel's id. */
void skep_linux_map_info(const struct skep_linux_map *map, struct skep_map_info *info);
/* As the functions of machine.h; errors as bpf(2). */
size_t skep_linux_map_user_value_size(const struct skep_linux_map *map);
int skep_linux_map_lookup(struct skep_linux_map *map, const void *key, void *value);
int skep_linux_map_update(struct skep_linux_map *map, const void *key, const void *value,
			  uint64_t flags);
int skep_linux_map_delete(struct skep_linux_map *map, const void *key);
int skep_linux_map_next_key(struct skep_linux_map *map, const void *key, void *next);

/* --- running once --- */

/* BPF_PROG_TEST_RUN. */
int skep_linux_test_run(struct skep_linux *kernel, const struct skep_object_prog *prog,
			struct skep_test_run *run, struct skep_diag *diag);
/*
 * A packet program on one packet, by BPF_PROG_TEST_RUN: the interface is the loopback
 * device, and where to a packet is redirected is not told. Errors: as
 * skep_prog_run_packet().
 */
int skep_linux_run_packet(struct skep_linux *kernel, const struct skep_object_prog *prog,
			  const struct skep_packet_in *in, struct skep_packet_out *out,
			  struct skep_diag *diag);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
