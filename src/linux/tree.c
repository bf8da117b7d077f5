/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree.c - programs that run for a tree of processes only, in a kernel where
 * hooks are the whole system's.
 *
 * An array of one value holds a bit for each thread id there can be:
 *
 *   | who begins the tree (8 bytes) | bits of threads 0-7 | 8-15 | ... |
 *
 * A program of ours on fork gives each new thread the bit of the one that made
 * it (so a number that is used again is right again), another on exec sets the
 * bit of the process that begins the tree, a third is run for each thread of a process that
 * is made one of the tree. In front of every tracing program
 * stand the instructions below, which leave it if this thread's bit is not set.
 * Bits stay when a thread ends: its last events come after its exit.
 */
#include "linux/impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hook/trace.h"

enum { HEAD = 8, CALL_PID_TGID = 14 };

/*
 * What the texts below are written with: $map the map, $end the first byte that is
 * not a bit's, $pid where task_struct has its pid.
 */
static const char guard_text[] =
	"r6 = r1\n"
	"call 14\n"                       /* bpf_get_current_pid_tgid: the thread's id is below */
	"r1 = r6\n"
	"w2 = w0\n"
	"w2 >>= 3\n"
	"if r2 >= $end goto leave\n"
	"r3 = map[fd:$map][0]+8\n"
	"r3 += r2\n"
	"r3 = *(u8 *)(r3 +0)\n"
	"w0 &= 7\n"
	"w3 >>= w0\n"
	"w3 &= 1\n"
	"if w3 != 0 goto go_on\n"
	"leave:\n"
	"r0 = 0\n"
	"exit\n"
	"go_on:\n"
	"w0 = 0\n";                       /* a place for the label; programs expect nothing of r0 */

/* On sched_process_fork(parent, child): the child's bit becomes the parent's. */
static const char fork_text[] =
	"r6 = *(u64 *)(r1 +0)\n"
	"r7 = *(u64 *)(r1 +8)\n"
	"r2 = *(u32 *)(r6 +$pid)\n"
	"r4 = *(u32 *)(r7 +$pid)\n"
	"w3 = w2\n"
	"w3 >>= 3\n"
	"if r3 >= $end goto leave\n"
	"r1 = map[fd:$map][0]+8\n"
	"r1 += r3\n"
	"r5 = *(u8 *)(r1 +0)\n"
	"w2 &= 7\n"
	"w5 >>= w2\n"
	"w5 &= 1\n"
	"w3 = w4\n"                       /* 64 bits at a time, to change one at once */
	"w3 >>= 6\n"
	"w3 <<= 3\n"
	"if r3 >= $end goto leave\n"
	"r1 = map[fd:$map][0]+8\n"
	"r1 += r3\n"
	"w4 &= 63\n"
	"r2 = 1\n"
	"r2 <<= r4\n"
	"if w5 == 0 goto clear\n"
	"lock *(u64 *)(r1 +0) |= r2\n"
	"goto leave\n"
	"clear:\n"
	"r2 ^= -1\n"
	"lock *(u64 *)(r1 +0) &= r2\n"
	"leave:\n"
	"r0 = 0\n"
	"exit\n";

/* Sets the bit of the thread whose id is in r2: 64 bits at a time, to change one at once. */
#define SET_BIT                                  \
	"w3 = w2\n"                              \
	"w3 >>= 6\n"                             \
	"w3 <<= 3\n"                             \
	"if r3 >= $end goto leave\n"             \
	"r1 = map[fd:$map][0]+8\n"               \
	"r1 += r3\n"                             \
	"w2 &= 63\n"                             \
	"r4 = 1\n"                               \
	"r4 <<= r2\n"                            \
	"lock *(u64 *)(r1 +0) |= r4\n"

/* On sched_process_exec(): set the bit of who begins the tree, once. */
static const char exec_text[] =
	"call 14\n"
	"w2 = w0\n"
	"r1 = map[fd:$map][0]+0\n"
	"r3 = *(u64 *)(r1 +0)\n"
	"if r3 != r2 goto leave\n"
	"r4 = 0\n"
	"*(u64 *)(r1 +0) = r4\n"
	SET_BIT
	"leave:\n"
	"r0 = 0\n"
	"exit\n";

/* Run once by who begins the tree: its id as the kernel knows it, whatever its namespace. */
static const char arm_text[] =
	"call 14\n"
	"w2 = w0\n"
	"r1 = map[fd:$map][0]+0\n"
	"*(u64 *)(r1 +0) = r2\n"
	"r0 = 0\n"
	"exit\n";

/* Run once for each thread that is of the tree from now on: its id is the first argument. */
static const char add_text[] =
	"r2 = *(u64 *)(r1 +0)\n"
	SET_BIT
	"leave:\n"
	"r0 = 0\n"
	"exit\n";

/* The text with numbers in place of such words. */
static void fill_in(const struct linux_tree *tree, const char *text, uint32_t pid_off,
		    struct skep_text *out)
{
	const struct {
		const char *word;
		uint32_t number;
	} words[] = { { "$map", (uint32_t)tree->map }, { "$end", tree->size }, { "$pid", pid_off } };

	while (*text) {
		size_t len = strcspn(text, "$");

		text_add_bytes(out, text, len);
		text += len;
		for (size_t i = 0; *text && i < ARRAY_SIZE(words); i++)
			if (strncmp(text, words[i].word, 4) == 0)
				text_add(out, "%u", words[i].number);
		text += *text ? 4 : 0;
	}
}

static int assemble(const struct linux_tree *tree, const char *text, uint32_t pid_off,
		    struct skep_insn **insns, size_t *count, struct skep_diag *diag)
{
	struct skep_text filled = { 0 };
	int error;

	fill_in(tree, text, pid_off, &filled);
	error = filled.failed ? skep_fail(diag, SKEP_OOM, NULL, "the tree of processes") :
				skep_assemble(filled.data, filled.len, "the tree of processes",
					      insns, count, diag);
	text_done(&filled);
	return error;
}

static int make_map(struct linux_tree *tree, struct skep_diag *diag)
{
	int64_t pids = sys_read_number(AT_FDCWD, "/proc/sys/kernel/pid_max");
	struct sys_map attr = { .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .max_entries = 1,
				.name = "skep_tree" };

	pids = pids > 0 ? pids : 4 << 20;
	tree->size = (uint32_t)((pids + 64) / 64 * 8);
	attr.value_size = HEAD + tree->size + 8; /* what is read at once may begin at the last bit */
	tree->map = (int)sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (tree->map == -EPERM)
		return sys_denied(tree->map, "create maps", NULL, diag);
	if (tree->map < 0)
		return skep_fail(diag, SKEP_LINUX_MAP, NULL, "a map of %u bytes for the tree of "
				 "processes: %s", attr.value_size, strerror(-tree->map));
	return 0;
}

/* The byte that a field of a structure is at; -1: there is no such field. */
static int64_t field_offset(const struct skep_btf *btf, const char *record, const char *field)
{
	uint32_t id = btf ? skep_btf_find(btf, record, BTF_STRUCT) : 0;
	const struct btf_type *t = btf_type(btf, id);
	const struct btf_member *members = btf_data(t);

	for (uint32_t i = 0; id && i < btf_vlen(t); i++)
		if (strcmp(btf_str(btf, members[i].name_off), field) == 0)
			return btf_member_bit_off(t, i) / 8;
	return -1;
}

static int attach_own(struct linux_tree *tree, int n, const struct skep_btf *btf, const char *name,
		      const char *text, struct skep_diag *diag)
{
	char trace[64];
	struct sys_raw_tracepoint attr = { 0 };
	int64_t pid_off = field_offset(btf, "task_struct", "pid");
	struct skep_insn *insns;
	size_t count;
	uint32_t id;
	int error;

	snprintf(trace, sizeof(trace), "btf_trace_%s", name);
	id = btf ? skep_btf_find(btf, trace, BTF_TYPEDEF) : 0;
	if (!id || pid_off < 0)
		return skep_fail(diag, SKEP_LINUX_ATTACH, NULL, "the running kernel's types do not "
				 "tell of %s, which following a tree of processes takes", name);
	error = assemble(tree, text, (uint32_t)pid_off, &insns, &count, diag);
	if (error)
		return error;
	tree->progs[n] = linux_load_plain(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, id, "skep_tree",
					  insns, count);
	free(insns);
	error = tree->progs[n];
	attr.fd = (uint32_t)tree->progs[n];
	if (error >= 0)
		error = tree->links[n] = (int)sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr));
	if (error == -EPERM)
		return sys_denied(error, "load programs", NULL, diag);
	if (error < 0)
		return skep_fail(diag, SKEP_LINUX_ATTACH, NULL, "following a tree of processes by "
				 "%s: %s", name, strerror(-error));
	return 0;
}

/* A program that is run by hand. */
static int load_own(struct linux_tree *tree, const char *text, int *prog, struct skep_diag *diag)
{
	struct skep_insn *insns;
	size_t count;
	int error = assemble(tree, text, 0, &insns, &count, diag);

	if (error)
		return error;
	*prog = linux_load_plain(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0, "skep_follow", insns, count);
	free(insns);
	if (*prog < 0)
		return skep_fail(diag, SKEP_LINUX_ATTACH, NULL, "following a tree of processes: %s",
				 strerror(-*prog));
	return 0;
}

/*
 * The first program of the tree is to be seen as it begins, whichever programs come first there: by
 * the order in which anybody had them attached. So kernels that tell of it earlier are listened to then.
 */
static const char *exec_place(const struct skep_btf *btf)
{
	bool early = btf && skep_btf_find(btf, "btf_trace_sched_prepare_exec", BTF_TYPEDEF);

	return early ? "sched_prepare_exec" : "sched_process_exec";
}

int linux_tree_start(struct skep_linux *kernel, struct skep_diag *diag)
{
	const struct skep_btf *btf = object_kernel_btf(kernel->object);
	struct linux_tree *tree = &kernel->tree;
	int error = make_map(tree, diag);

	if (!error)
		error = attach_own(tree, 0, btf, "sched_process_fork", fork_text, diag);
	if (!error)
		error = attach_own(tree, 1, btf, exec_place(btf), exec_text, diag);
	if (!error)
		error = load_own(tree, arm_text, &tree->arm, diag);
	return error ? error : load_own(tree, add_text, &tree->add, diag);
}

void linux_tree_stop(struct linux_tree *tree)
{
	const int fds[] = { tree->links[0], tree->links[1], tree->progs[0], tree->progs[1],
			    tree->arm, tree->add, tree->map };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Only where a thread runs into the program by what it does itself. */
static bool is_guarded(const struct prog_spec *spec)
{
	static const uint32_t types[] = {
		BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_RAW_TRACEPOINT,
		BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, BPF_PROG_TYPE_PERF_EVENT, BPF_PROG_TYPE_LSM,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (spec->type->id == types[i])
			return true;
	return spec->type->id == BPF_PROG_TYPE_TRACING && spec->attach != BPF_TRACE_ITER;
}

int linux_tree_guard(const struct linux_tree *tree, const struct prog_spec *spec,
		     struct skep_insn guard[LINUX_GUARD_MAX], struct skep_diag *diag)
{
	struct skep_insn *insns;
	size_t count;
	int error;

	if (!is_guarded(spec))
		return 0;
	error = assemble(tree, guard_text, 0, &insns, &count, diag);
	if (error)
		return error;
	memcpy(guard, insns, MIN(count, (size_t)LINUX_GUARD_MAX) * sizeof(*insns));
	free(insns);
	return (int)count;
}

int skep_linux_follow(struct skep_linux *kernel)
{
	struct sys_test_run attr = { .fd = (uint32_t)kernel->tree.arm };

	return kernel->tree.arm < 0 ? -EINVAL
				    : (int)sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
}

/* Process ids are those that the programs see only where nobody has given out others. */
static bool is_initial_namespace(void)
{
	enum { INITIAL = 0xeffffffc }; /* its number, the same on every Linux */
	struct stat status;

	return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == (ino_t)(uint32_t)INITIAL;
}

static int add_thread(const struct linux_tree *tree, uint64_t tid)
{
	struct sys_test_run attr = {
		.fd = (uint32_t)tree->add, .ctx_in = (uintptr_t)&tid, .ctx_size_in = sizeof(tid),
	};

	return (int)sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
}

/* Until a look finds no thread that is new: what one of the tree makes is of it by itself. */
static int add_process(const struct linux_tree *tree, int32_t pid)
{
	VEC(int) known = { 0 };
	char path[40];
	bool again = true;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	while (!error && again) {
		DIR *dir = opendir(path);
		struct dirent *entry;

		again = false;
		error = dir ? 0 : -ESRCH;
		while (!error && (entry = readdir(dir))) {
			int tid = atoi(entry->d_name), *place;
			bool has = tid <= 0;

			for (size_t i = 0; i < known.count; i++)
				has |= known.items[i] == tid;
			if (has)
				continue;
			again = true;
			place = vec_push(&known);
			error = place ? add_thread(tree, (uint64_t)tid) : -ENOMEM;
			if (place)
				*place = tid;
		}
		if (dir)
			closedir(dir);
	}
	vec_done(&known);
	return error;
}

int skep_linux_follow_pid(struct skep_linux *kernel, int32_t pid, struct skep_diag *diag)
{
	uint32_t group = trace_status(pid, "Tgid:");
	int error;

	if (kernel->tree.add < 0)
		return -EINVAL;
	if (group && group != (uint32_t)pid)
		return skep_fail(diag, SKEP_TARGET_NONE, NULL, "%d is a thread of process %u", pid,
				 group);
	if (!is_initial_namespace())
		return skep_fail(diag, SKEP_LINUX_ATTACH, NULL, "process %d: ids here are those of a "
				 "namespace, and programs in the kernel see others", pid);
	error = pid > 0 ? add_process(&kernel->tree, pid) : -ESRCH;
	if (error == -ESRCH)
		return skep_fail(diag, SKEP_TARGET_NONE, NULL, "there is no process %d", pid);
	if (error < 0)
		return skep_fail(diag, SKEP_LINUX_ATTACH, NULL, "following process %d: %s", pid,
				 strerror(-error));
	return 0;
}
