/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_memory_file.c - arenas in files: joined by processes that are no forks,
 * refused when they are not what they say, and honest when memory runs out.
 *
 * Run with arguments this program is the other process: joiner(), fill_up().
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/base.h"
#include "base/fault.h"
#include "map/memory_impl.h"

enum { SMALL = 64 << 20, KEYS = 1000 };

static char *program;

/* What this test hangs on the arena's root. */
struct anchor {
	struct vcpu_set *vcpus;
	struct map *hash, *percpu;
};

struct shared {
	char dir[64];
	struct memory *memory;
	struct anchor *anchor;
	int fd;
};

static void dir_new(char dir[64])
{
	strcpy(dir, "/dev/shm/skep-test-XXXXXX");
	if (!mkdtemp(dir)) {
		strcpy(dir, "/tmp/skep-test-XXXXXX");
		assert_non_null(mkdtemp(dir));
	}
}

static void dir_free(const char *dir)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/arena", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static struct memory *create_in(const char *dir, size_t size, int *fd, int *error)
{
	int dirfd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	struct memory *memory = memory_create_at(dirfd, "arena", size, fd, error);

	close(dirfd);
	return memory;
}

static struct shared shared_new(void)
{
	struct shared shared;
	struct world world;
	int error = 0;

	dir_new(shared.dir);
	shared.memory = create_in(shared.dir, SMALL, &shared.fd, &error);
	if (!shared.memory)
		fail_msg("memory_create_at: %d", error);
	world.memory = shared.memory;
	world.vcpus = vcpu_set_new(world.memory, 4);
	assert_non_null(world.vcpus);
	shared.anchor = memory_alloc(world.memory, sizeof(*shared.anchor), 8);
	shared.anchor->vcpus = world.vcpus;
	shared.anchor->hash = world_map(&world, BPF_MAP_TYPE_HASH, 4, 8, 2 * KEYS, 0);
	shared.anchor->percpu = world_map(&world, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, 0);
	*memory_root(shared.memory) = shared.anchor;
	return shared;
}

static void shared_free(struct shared *shared)
{
	memory_free(shared->memory);
	close(shared->fd);
	dir_free(shared->dir);
}

/* --- the other process --- */

static uint64_t read_map(struct map *map, uint32_t key)
{
	uint64_t value = 0;

	return map_user_lookup(map, &key, &value, 0) == 0 ? value : ~0ull;
}

/* PATH KEY: joins and adds KEYS keys from KEY on, then (with "die") is killed
 * while it holds a virtual CPU. */
static int joiner(int argc, char **argv)
{
	int fd = open(argv[1], O_RDWR | O_CLOEXEC), error = 0;
	struct memory *memory = memory_join(fd, &error);
	uint32_t first = (uint32_t)atoi(argv[2]);
	struct anchor *anchor;

	close(fd);
	if (!memory)
		return 100;
	anchor = *memory_root(memory);
	for (uint32_t key = first; key < first + KEYS; key++) {
		uint64_t value = key * 3ull;

		if (map_user_update(anchor->hash, &key, &value, BPF_ANY) < 0)
			return 101;
	}
	if (argc > 3) {
		vcpu_take(anchor->vcpus);
		raise(SIGKILL);
	}
	memory_free(memory);
	return 0;
}

static int run_joiner(const char *dir, const char *first, const char *how)
{
	char path[96];
	int status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/arena", dir);
	pid = fork();
	if (pid == 0) {
		execl(program, program, path, first, how, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void join__another_program_updates_a_map_that_the_creator_reads(void **state)
{
	struct shared shared = shared_new();

	(void)state;
	assert_int_equal(run_joiner(shared.dir, "0", NULL), 0);
	assert_int_equal(run_joiner(shared.dir, "1000", NULL), 0);
	for (uint32_t key = 0; key < 2 * KEYS; key++)
		assert_int_equal(read_map(shared.anchor->hash, key), key * 3ull);
	shared_free(&shared);
}

static void join__a_killed_joiner_keeps_no_virtual_cpu(void **state)
{
	struct shared shared = shared_new();

	(void)state;
	for (int i = 0; i < 8; i++) {
		int status = run_joiner(shared.dir, "0", "die");

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	for (unsigned i = 0; i < 8; i++) {
		struct vcpu *cpu = vcpu_take(shared.anchor->vcpus);

		assert_non_null(cpu);
		vcpu_give(cpu);
	}
	assert_int_equal(vcpu_epoch_min(shared.anchor->vcpus), ~0ull);
	shared_free(&shared);
}

static void join__what_was_left_is_found_again_at_the_same_address(void **state)
{
	struct shared shared = shared_new();
	uint32_t key = 7;
	uint64_t value = 77;
	int error = 0;

	(void)state;
	assert_int_equal(map_user_update(shared.anchor->hash, &key, &value, BPF_ANY), 0);
	assert_null(memory_join(shared.fd, &error));
	assert_int_equal(error, -EEXIST); /* it is in it already */
	memory_free(shared.memory);
	assert_ptr_equal(memory_join(shared.fd, &error), shared.memory);
	assert_ptr_equal(*memory_root(shared.memory), shared.anchor);
	assert_int_equal(read_map(shared.anchor->hash, key), 77);
	shared_free(&shared);
}

static void join__a_file_without_a_name_is_joined_by_its_descriptor(void **state)
{
	int fd = -1, error = 0;
	struct memory *memory = memory_create_at(-1, NULL, SMALL, &fd, &error);
	uint64_t *word;

	(void)state;
	assert_non_null(memory);
	word = memory_alloc(memory, 8, 8);
	*memory_root(memory) = word;
	*word = 42;
	memory_free(memory);
	assert_ptr_equal(memory_join(fd, &error), memory);
	assert_int_equal(*(uint64_t *)*memory_root(memory), 42);
	memory_free(memory);
	close(fd);
}

static void create__several_arenas_lie_side_by_side(void **state)
{
	struct memory *memory[OWNER_ARENAS + 1];
	int fd[OWNER_ARENAS + 1], error = 0;

	(void)state;
	for (int i = 0; i < OWNER_ARENAS; i++) {
		memory[i] = i % 2 ? memory_new(SMALL)
				  : memory_create_at(-1, NULL, SMALL, &fd[i], &error);
		assert_non_null(memory[i]);
		assert_non_null(memory_alloc(memory[i], 100, 8));
	}
	assert_null(memory_create_at(-1, NULL, SMALL, &fd[OWNER_ARENAS], &error));
	assert_int_equal(error, -ENOMEM);
	for (int i = 0; i < OWNER_ARENAS; i++) {
		memory_free(memory[i]);
		if (i % 2 == 0)
			close(fd[i]);
	}
}

static void create__does_not_take_an_existing_file(void **state)
{
	struct shared shared = shared_new();
	int fd = -1, error = 0;

	(void)state;
	assert_null(create_in(shared.dir, SMALL, &fd, &error));
	assert_int_equal(error, -EEXIST);
	assert_int_equal(fd, -1);
	shared_free(&shared);
}

/* --- what is refused --- */

static int join_error(int fd)
{
	int error = 0;
	struct memory *memory = memory_join(fd, &error);

	assert_null(memory);
	return error;
}

static void join__any_changed_byte_of_the_head_is_noticed(void **state)
{
	struct shared shared = shared_new();
	char byte, changed;

	(void)state;
	memory_free(shared.memory);
	for (off_t at = 0; at < (off_t)offsetof(struct memory, root); at++) {
		assert_int_equal(pread(shared.fd, &byte, 1, at), 1);
		for (int bit = 0; bit < 8; bit++) {
			changed = (char)(byte ^ 1 << bit);
			assert_int_equal(pwrite(shared.fd, &changed, 1, at), 1);
			assert_true(join_error(shared.fd) < 0);
		}
		assert_int_equal(pwrite(shared.fd, &byte, 1, at), 1);
	}
	assert_int_equal(ftruncate(shared.fd, SMALL / 2), 0);
	assert_int_equal(join_error(shared.fd), -EBADMSG);
	assert_int_equal(ftruncate(shared.fd, 0), 0);
	assert_int_equal(join_error(shared.fd), -EBADMSG);
	close(shared.fd);
	dir_free(shared.dir);
}

/* Changes the head and makes its checksum good again. */
static int join_with(int fd, const struct memory *head)
{
	struct memory changed = *head;

	changed.checksum = hash_bytes(&changed, offsetof(struct memory, checksum), MEMORY_MAGIC);
	assert_int_equal(pwrite(fd, &changed, offsetof(struct memory, root), 0),
			 (ssize_t)offsetof(struct memory, root));
	return join_error(fd);
}

static void join__heads_that_lie_well_are_refused_too(void **state)
{
	struct shared shared = shared_new();
	struct memory head, changed;

	(void)state;
	memory_free(shared.memory);
	assert_int_equal(pread(shared.fd, &head, sizeof(head), 0), (ssize_t)sizeof(head));
#define REFUSED(field, value, why) \
	changed = head, changed.field = (value), \
	assert_int_equal(join_with(shared.fd, &changed), (why))
	REFUSED(layout, head.layout + 1, -EPROTONOSUPPORT);
	REFUSED(base, head.base + 4096, -EBADMSG);
	REFUSED(base, (char *)memory_slot(OWNER_ARENAS), -EBADMSG);
	REFUSED(base, (char *)0x400000, -EBADMSG);
	REFUSED(size, head.size * 2, -EBADMSG);
	REFUSED(size, head.size - 1, -EBADMSG);
	REFUSED(size, 0, -EBADMSG);
	REFUSED(blocks, head.blocks + 1, -EBADMSG);
	REFUSED(blocks_offset, head.blocks_offset - BLOCK, -EBADMSG);
	REFUSED(backed, 0, -EBADMSG);
	if (head.boot)
		REFUSED(boot, head.boot ^ 2, -ESTALE);
#undef REFUSED
	close(shared.fd);
	dir_free(shared.dir);
}

static void join__pointers_out_of_the_arena_are_refused(void **state)
{
	struct shared shared = shared_new();
	void *wild = &shared, *kept;

	(void)state;
	memory_free(shared.memory);
	for (size_t i = 0; i < 3; i++) {
		static const size_t at[] = { offsetof(struct memory, root),
					     offsetof(struct memory, vcpus),
					     offsetof(struct memory, retired) };

		assert_int_equal(pread(shared.fd, &kept, 8, (off_t)at[i]), 8);
		assert_int_equal(pwrite(shared.fd, &wild, 8, (off_t)at[i]), 8);
		assert_int_equal(join_error(shared.fd), -EBADMSG);
		assert_int_equal(pwrite(shared.fd, &kept, 8, (off_t)at[i]), 8);
	}
	close(shared.fd);
	dir_free(shared.dir);
}

static void join__a_taken_address_is_left_alone(void **state)
{
	struct shared shared = shared_new();
	char *base = (char *)shared.memory;
	char *mine;

	(void)state;
	memory_free(shared.memory);
	mine = mmap(base + SMALL / 2, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(mine, base + SMALL / 2);
	*mine = 'x';
	assert_int_equal(join_error(shared.fd), -EEXIST);
	assert_int_equal(*mine, 'x');
	munmap(mine, 4096);
	close(shared.fd);
	dir_free(shared.dir);
}

/* --- a full file system --- */

static bool deny_populate(uint32_t answer)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program_of = { ARRAY_SIZE(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program_of) == 0;
}

enum { NOT_POSSIBLE = 77, WRONG_ERROR = 2, WRONG_AMOUNT, NOT_FREED, NOT_REFUSED };

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* A mount namespace of our own; who is not root is root of a user namespace in it,
 * where it has ids that can own files. */
static bool own_mounts(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (unshare(CLONE_NEWNS) < 0 &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !write_text("/proc/self/uid_map", uids) ||
	     !write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/gid_map", gids)))
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Fills an arena on a file system of 24 MiB and touches
 * all of what it was given. */
static int fill_up(const char *dir, bool old_kernel)
{
	int fd = -1, error = 0, count = 0;
	struct memory *memory;
	struct statfs room;
	char *got[64];

	if (!own_mounts())
		return NOT_POSSIBLE;
	if (mount("skep", dir, "tmpfs", 0, "size=24m") < 0)
		return NOT_POSSIBLE;
	if (old_kernel && !deny_populate(SECCOMP_RET_ERRNO | EINVAL))
		return NOT_POSSIBLE;
	memory = create_in(dir, 0, &fd, &error);
	if (!memory)
		return WRONG_ERROR;
	if (memory_alloc(memory, 16 * BLOCK, 4096))
		return WRONG_AMOUNT;
	/* What was given of it is nobody's: there is room for as many as ever. */
	if (statfs(dir, &room) < 0 || room.f_bfree * 4096 < 4 * 2 * BLOCK)
		return NOT_FREED;
	while (count < 64 && (got[count] = memory_alloc(memory, 2 * BLOCK, 4096))) {
		memset(got[count], 'x', 2 * BLOCK);
		count++;
	}
	if (count < 4 || count > 6)
		return WRONG_AMOUNT;
	/* Small things go on as long as there is a little room; then they stop too. */
	for (int i = 0; i < 4096; i++) {
		char *cell = memory_alloc(memory, 2048, 8);

		if (!cell)
			break;
		memset(cell, 'y', 2048);
	}
	memory_release(memory, got[0], 2 * BLOCK);
	got[0] = memory_alloc(memory, 2 * BLOCK, 4096);
	if (!got[0] || got[0][0] != 0)
		return NOT_FREED;
	memset(got[0], 'z', 2 * BLOCK);
	return 0;
}

/* More than the system has: refused before any of it is touched. */
static int ask_too_much(const char *dir)
{
	int fd = -1, error = 0;
	struct memory *memory = create_in(dir, 0, &fd, &error);
	struct sysinfo system;
	size_t much = (size_t)48 << 30;

	if (sysinfo(&system) < 0 || system.totalram * (size_t)system.mem_unit > much ||
	    access("/proc/meminfo", R_OK) < 0 || !deny_populate(SECCOMP_RET_KILL_PROCESS))
		return NOT_POSSIBLE;
	if (!memory)
		return WRONG_ERROR;
	return memory_alloc(memory, much, 4096) ? NOT_REFUSED : 0;
}

static void check_full(const char *how)
{
	char dir[64];
	int status = 0;
	pid_t pid;

	dir_new(dir);
	/* Another program, for cmocka has handlers of its own. */
	pid = fork();
	if (pid == 0) {
		execl(program, program, "full", dir, how, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	dir_free(dir);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_POSSIBLE)
		skip();
	assert_int_equal(status, 0);
}

static void full__an_allocation_fails_and_no_touch_does(void **state)
{
	(void)state;
	check_full("new");
}

static void full__nor_where_the_kernel_cannot_populate(void **state)
{
	(void)state;
	check_full("old");
}

static void full__more_than_the_system_has_is_refused_untouched(void **state)
{
	(void)state;
	check_full("much");
}

/* smaps has a line of flags for each mapping; "dd" is VM_DONTDUMP. */
static void file__an_arena_is_in_no_core(void **state)
{
	struct memory *memory = memory_new(SMALL);
	char line[512], head[40];
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool here = false, found = false;

	(void)state;
	assert_non_null(smaps);
	snprintf(head, sizeof(head), "%lx-", (unsigned long)(uintptr_t)memory);
	while (fgets(line, sizeof(line), smaps)) {
		here |= strncmp(line, head, strlen(head)) == 0;
		if (here && strncmp(line, "VmFlags:", 8) == 0) {
			found = true;
			assert_non_null(strstr(line, " dd"));
			break;
		}
	}
	fclose(smaps);
	assert_true(found);
	memory_free(memory);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file__an_arena_is_in_no_core),
		cmocka_unit_test(join__another_program_updates_a_map_that_the_creator_reads),
		cmocka_unit_test(join__a_killed_joiner_keeps_no_virtual_cpu),
		cmocka_unit_test(join__what_was_left_is_found_again_at_the_same_address),
		cmocka_unit_test(join__a_file_without_a_name_is_joined_by_its_descriptor),
		cmocka_unit_test(create__several_arenas_lie_side_by_side),
		cmocka_unit_test(create__does_not_take_an_existing_file),
		cmocka_unit_test(join__any_changed_byte_of_the_head_is_noticed),
		cmocka_unit_test(join__heads_that_lie_well_are_refused_too),
		cmocka_unit_test(join__pointers_out_of_the_arena_are_refused),
		cmocka_unit_test(join__a_taken_address_is_left_alone),
		cmocka_unit_test(full__an_allocation_fails_and_no_touch_does),
		cmocka_unit_test(full__nor_where_the_kernel_cannot_populate),
		cmocka_unit_test(full__more_than_the_system_has_is_refused_untouched),
	};

	program = argv[0];
	if (argc > 3 && strcmp(argv[1], "full") == 0)
		return strcmp(argv[3], "much") == 0 ? ask_too_much(argv[2])
						    : fill_up(argv[2], strcmp(argv[3], "old") == 0);
	if (argc > 2)
		return joiner(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
