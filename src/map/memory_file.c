/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_file.c - making, joining and leaving arenas. Control plane.
 *
 * A file is believed nothing before its head is: it is read, not mapped, and
 * must be of this version, of this boot, whole by its checksum and as large as
 * it says. Then it is mapped where it says, or nowhere.
 *
 * A file is as long as its address space and almost all of it is a hole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "base/fault.h"
#include "map/memory_impl.h"
#include "map/vcpu.h"

#define SLOT_BASE 0x100000000000ull
#define SLOT_SHIFT 40
#define SIZE_DEFAULT ((size_t)64 << 30)
#define SIZE_MIN (16 * (size_t)BLOCK)
#define SIZE_MAX_SLOT ((size_t)1 << (SLOT_SHIFT - 1)) /* room before the next slot for code */

/* --- where --- */

void *memory_slot(uint32_t slot)
{
	/* Far from where programs, libraries and stacks are. */
	return (void *)(uintptr_t)(SLOT_BASE + ((uint64_t)slot << SLOT_SHIFT));
}

/* Arenas of this process by slot; a slot's address alone says nothing of who
 * else in the process uses it. */
static uint32_t slots_used;

static bool slot_take(uint32_t slot)
{
	return !(__atomic_fetch_or(&slots_used, 1u << slot, __ATOMIC_ACQ_REL) & 1u << slot);
}

static void slot_give(uint32_t slot)
{
	__atomic_fetch_and(&slots_used, ~(1u << slot), __ATOMIC_ACQ_REL);
}

/* MAP_FAILED with errno. fd -1: anonymous. */
static void *slot_map(uint32_t slot, size_t size, int fd)
{
	int flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	void *at = memory_slot(slot);
	void *base = mmap(at, size, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0),
			  fd, 0);

	if (base != MAP_FAILED && base != at) {
		munmap(base, size); /* a kernel that does not know MAP_FIXED_NOREPLACE */
		errno = EEXIST;
		return MAP_FAILED;
	}
	/* A core would have all of it, and each hole would become a page on the way. */
	if (base != MAP_FAILED)
		madvise(base, size, MADV_DONTDUMP);
	return base;
}

/* Takes the first slot, from first on, where size bytes may be mapped. */
static struct memory *slot_map_any(size_t size, int fd, uint32_t first, uint32_t *slot)
{
	for (uint32_t i = 0; i < OWNER_ARENAS; i++) {
		void *base;

		*slot = (first + i) % OWNER_ARENAS;
		if (!slot_take(*slot))
			continue;
		base = slot_map(*slot, size, fd);
		if (base != MAP_FAILED)
			return base;
		slot_give(*slot);
		if (errno == ENOMEM)
			return NULL; /* too large, wherever it is */
	}
	errno = ENOMEM;
	return NULL;
}

/* --- the head --- */

static uint64_t boot_id(void)
{
	char text[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return size > 0 ? hash_bytes(text, (size_t)size, 0) | 1 : 0;
}

/* The number of the layout, and the sizes that a build may give otherwise. */
static uint32_t layout_of_build(void)
{
	return MEMORY_LAYOUT << 24 ^ (uint32_t)sizeof(struct memory) << 4 ^
	       (uint32_t)sizeof(struct split) ^ (uint32_t)sizeof(struct vcpu) << 12;
}

static uint64_t head_checksum(const struct memory *head)
{
	return hash_bytes(head, offsetof(struct memory, checksum), MEMORY_MAGIC);
}

static size_t header_size(uint32_t blocks)
{
	return sizeof(struct memory) + (size_t)blocks * 16;
}

/* Where the blocks of an arena of that size begin. */
static size_t blocks_begin(size_t size)
{
	return (header_size((uint32_t)(size / BLOCK)) + BLOCK - 1) / BLOCK * BLOCK;
}

static uint32_t blocks_in(size_t size)
{
	return (uint32_t)((size - blocks_begin(size)) / BLOCK);
}

static void head_describe(struct memory *head, char *base, size_t size, bool backed)
{
	head->layout = layout_of_build();
	head->blocks = blocks_in(size);
	head->base = base;
	head->size = size;
	head->blocks_offset = blocks_begin(size);
	head->boot = boot_id();
	head->backed = backed;
}

/* Writes a header into zeroed memory; the magic number last. */
static int head_start(struct memory *memory, uint32_t slot, size_t size, bool backed)
{
	head_describe(memory, (char *)memory, size, backed);
	memory->epoch = 1;
	memory->owners.arena = slot;
	memory->magic = MEMORY_MAGIC;
	__atomic_store_n(&memory->checksum, head_checksum(memory), __ATOMIC_RELEASE);
	return memory_enter(memory);
}

static int head_check(const struct memory *head, size_t file_size, uint32_t *slot)
{
	uint64_t offset = (uint64_t)(uintptr_t)head->base - SLOT_BASE, boot = boot_id();

	if (head->magic != MEMORY_MAGIC)
		return -EBADMSG;
	if (head->layout != layout_of_build())
		return -EPROTONOSUPPORT;
	if (head->checksum != head_checksum(head))
		return -EBADMSG;
	if (head->boot && boot && head->boot != boot)
		return -ESTALE;
	if (offset % (1ull << SLOT_SHIFT) || offset >> SLOT_SHIFT >= OWNER_ARENAS ||
	    head->size % BLOCK || head->size < SIZE_MIN || head->size > SIZE_MAX_SLOT ||
	    head->size > file_size)
		return -EBADMSG;
	if (head->blocks != blocks_in(head->size) ||
	    head->blocks_offset != blocks_begin(head->size) || head->backed != 1)
		return -EBADMSG;
	*slot = (uint32_t)(offset >> SLOT_SHIFT);
	return 0;
}

/* --- making one --- */

static size_t round_size(size_t size)
{
	if (size == 0)
		size = SIZE_DEFAULT;
	size = MIN(size, SIZE_MAX_SLOT);
	return MAX((size + BLOCK - 1) / BLOCK * BLOCK, SIZE_MIN);
}

struct memory *memory_new(size_t size)
{
	struct memory *memory = NULL;
	uint32_t slot = 0;
	int error = owner_process_init();

	if (error < 0) {
		errno = -error;
		return NULL;
	}
	/* A limit on address space may leave room for less. */
	for (size = round_size(size); !memory && size >= SIZE_MIN; size = size / 2 / BLOCK * BLOCK) {
		memory = slot_map_any(size, -1, 0, &slot);
		if (memory)
			break;
	}
	if (!memory) {
		errno = ENOMEM;
		return NULL;
	}
	head_start(memory, slot, size, false);
	return memory;
}

static int file_new(int dirfd, const char *name)
{
	int fd;

	if (dirfd < 0)
		fd = (int)syscall(SYS_memfd_create, "skep-arena", 1u /* MFD_CLOEXEC */);
	else
		fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* Makes the file as long as may be, and has its header's room. *size: the length. */
static int file_extend(int fd, size_t *size)
{
	struct rlimit limit;

	/* A longer file would not fail: a signal would kill us. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < *size)
		*size = limit.rlim_cur / BLOCK * BLOCK;
	while (*size >= SIZE_MIN && ftruncate(fd, (off_t)*size) < 0) {
		if (errno != EFBIG && errno != EINVAL)
			return -errno;
		*size = *size / 2 / BLOCK * BLOCK;
	}
	if (*size < SIZE_MIN)
		return -EFBIG;
	return fallocate(fd, 0, 0, (off_t)header_size((uint32_t)(*size / BLOCK))) < 0 ? -errno : 0;
}

/* Having room behind memory may need the handler of faults (run.c). */
static int process_prepare(void)
{
	int error = owner_process_init();

	return error < 0 ? error : fault_init();
}

static struct memory *file_map(int fd, size_t size, int *error)
{
	struct memory *memory = NULL;
	struct stat status;
	uint32_t slot = 0;

	*error = file_extend(fd, &size);
	if (*error < 0)
		return NULL;
	*error = fstat(fd, &status) < 0 ? -errno : process_prepare();
	/* The upper half, begun at another place each time: so that a process may join
	 * several, and has its own anonymous ones in the lower. */
	while (!*error && !memory && size >= SIZE_MIN) {
		memory = slot_map_any(size, fd, OWNER_ARENAS / 2 +
				      (uint32_t)(status.st_ino % (OWNER_ARENAS / 2)), &slot);
		if (!memory && errno != ENOMEM)
			*error = -errno;
		if (!memory)
			size = size / 2 / BLOCK * BLOCK;
	}
	if (!memory) {
		*error = *error ? *error : -ENOMEM;
		return NULL;
	}
	*error = head_start(memory, slot, size, true);
	return memory;
}

struct memory *memory_create_at(int dirfd, const char *name, size_t size, int *fd, int *error)
{
	struct memory *memory;
	int made = file_new(dirfd, name);

	*fd = -1;
	*error = made;
	if (made < 0)
		return NULL;
	memory = file_map(made, round_size(size), error);
	if (memory) {
		*fd = made;
		return memory;
	}
	close(made);
	if (dirfd >= 0)
		unlinkat(dirfd, name, 0);
	return NULL;
}

/* --- joining --- */

/* What is in the header and changes, and points somewhere. */
static bool body_sound(const struct memory *memory, uint32_t slot)
{
	const void *root = memory->root, *vcpus = memory->vcpus, *retired = memory->retired;

	return memory->owners.arena == slot && memory->epoch != 0 &&
	       memory->owners.used <= OWNER_PARTICIPANTS &&
	       (!root || memory_contains(memory, root, 8, 8)) &&
	       (!vcpus || memory_contains(memory, vcpus, sizeof(struct vcpu), 8)) &&
	       (!retired || memory_contains(memory, retired, sizeof(struct retired_batch), 8));
}

/* What a file says of its arena: where it is to be, and its size. */
static int head_read(int fd, uint32_t *slot, size_t *arena)
{
	const size_t length = offsetof(struct memory, root);
	struct memory *head = malloc(sizeof(*head)); /* large, and not read */
	ssize_t size = head ? pread(fd, head, length, 0) : -1;
	struct stat status;
	int error = size < 0 || fstat(fd, &status) < 0 ? -errno : 0;

	if (error == 0)
		error = size < (ssize_t)length ? -EBADMSG
					       : head_check(head, (size_t)status.st_size, slot);
	if (error == 0)
		*arena = head->size;
	free(head);
	return error;
}

struct memory *memory_join(int fd, int *error)
{
	struct memory *memory;
	uint32_t slot = 0;
	size_t size = 0;

	*error = process_prepare();
	if (*error == 0)
		*error = head_read(fd, &slot, &size);
	if (*error < 0)
		return NULL;
	*error = -EEXIST;
	if (!slot_take(slot))
		return NULL;
	memory = slot_map(slot, size, fd);
	*error = memory == MAP_FAILED ? -errno : body_sound(memory, slot) ? 0 : -EBADMSG;
	if (!*error)
		*error = memory_enter(memory);
	if (!*error)
		return memory;
	if (memory != MAP_FAILED)
		munmap(memory, size);
	slot_give(slot);
	return NULL;
}

/* --- leaving --- */

void memory_free(struct memory *memory)
{
	uint32_t slot;

	if (!memory)
		return;
	slot = memory->owners.arena;
	memory_lend(memory, -1);
	for (uint32_t i = 0; i < OWNER_THREADS; i++) {
		struct owner_thread *thread = &owner_process->thread[i];

		if ((thread->key & (OWNER_ARENAS - 1)) == slot)
			thread->held = NULL;
	}
	owner_leave(&memory->owners);
	munmap(memory->base, memory->size);
	slot_give(slot);
}
