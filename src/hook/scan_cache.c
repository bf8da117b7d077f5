/* SPDX-License-Identifier: BSD-2-Clause */
/* scan_cache.c - see scan_cache.h. */
#include "hook/scan_cache.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

enum {
	BUILD_ID = 32,
	KEPT_MAX = 64 << 20,           /* bytes of one kept file */
	UNUSED_SECONDS = 30 * 24 * 3600, /* then it is removed */
	LOOK_EVERY = 100,              /* written files: at what there is */
	FILES_MAX = 2000,              /* in the folder */
	FOLDER_MAX = 128 << 20,        /* bytes of all */
	NAME_SIZE = 64,
};

static const char magic[8] = "skepscan";

struct kept_head {
	char magic[8];
	uint8_t build[BUILD_ID];
	uint64_t sum;                  /* of all that follows it */
	struct file_id id;
	uint32_t syscall_count, unwind_count, call_count, is_go, is_whole, reserved;
};

/* --- which build this is --- */

static size_t padded(uint32_t size)
{
	return ((size_t)size + 3) & ~(size_t)3;
}

static const uint8_t *find_build_id(const uint8_t *note, size_t size, size_t *id_size)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *head = (const void *)note;
		size_t name = padded(head->n_namesz);
		size_t whole = sizeof(*head) + name + padded(head->n_descsz);

		if (whole > size)
			break;
		if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 &&
		    memcmp(note + sizeof(*head), "GNU", 4) == 0) {
			*id_size = head->n_descsz;
			return note + sizeof(*head) + name;
		}
		note += whole;
		size -= whole;
	}
	return NULL;
}

/* Looks for the build ID of the object that this function is in. */
static int build_of(struct dl_phdr_info *info, size_t size, void *build)
{
	uint64_t here = (uint64_t)(uintptr_t)build_of;
	bool ours = false;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		ours |= header->p_type == PT_LOAD && here - info->dlpi_addr - header->p_vaddr <
							     header->p_memsz;
	}
	for (size_t i = 0; ours && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		const uint8_t *id;
		size_t id_size;

		if (header->p_type != PT_NOTE)
			continue;
		id = find_build_id((const void *)(uintptr_t)(info->dlpi_addr + header->p_vaddr),
				   header->p_memsz, &id_size);
		if (id && id_size > 0 && id_size <= BUILD_ID) {
			memcpy(build, id, id_size);
			return 1;
		}
	}
	return ours ? -1 : 0;
}

static bool build_id(uint8_t build[BUILD_ID])
{
	memset(build, 0, BUILD_ID);
	return dl_iterate_phdr(build_of, build) == 1;
}

/* --- the folder --- */

static bool is_ours(int fd, mode_t kind)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* A descriptor of the folder, or -1. */
static int open_folder(bool make)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	bool is_set = base && *base == '/';
	char caches[PATH_MAX], path[PATH_MAX + 8];
	int fd;

	if (!is_set && (!home || *home != '/'))
		return -1;
	snprintf(caches, sizeof(caches), "%s%s", is_set ? base : home, is_set ? "" : "/.cache");
	snprintf(path, sizeof(path), "%s/skep", caches);
	if (make) {
		mkdir(caches, 0700);
		mkdir(path, 0700);
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !is_ours(fd, S_IFDIR)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void name_of(const struct file_id *id, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "scan-%016" PRIx64, hash_bytes(id, sizeof(*id), 0));
}

struct kept_entry {
	char name[NAME_SIZE];
	time_t used;                   /* who reads a kept file touches it */
	uint64_t size;
};

struct kept_entries {
	VEC(struct kept_entry) list;
};

static int used_last_first(const void *a, const void *b)
{
	const struct kept_entry *x = a, *y = b;

	return x->used < y->used ? 1 : x->used > y->used ? -1 : strcmp(x->name, y->name);
}

static void list_kept(int folder, struct kept_entries *entries)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		struct kept_entry *place;

		if (strncmp(entry->d_name, "scan-", 5) != 0 || strlen(entry->d_name) >= NAME_SIZE ||
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		place = vec_push(&entries->list);
		if (!place)
			break;
		*place = (struct kept_entry){ .used = st.st_mtime, .size = (uint64_t)st.st_size };
		memcpy(place->name, entry->d_name, strlen(entry->d_name));
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

/* What was not used for long, and of the rest what was not used longest, if it is much. */
static void remove_unused(int folder)
{
	struct kept_entries entries = { 0 };
	time_t now = time(NULL);
	uint64_t size = 0;

	list_kept(folder, &entries);
	if (entries.list.count)
		qsort(entries.list.items, entries.list.count, sizeof(struct kept_entry),
		      used_last_first);
	for (size_t i = 0; i < entries.list.count; i++) {
		const struct kept_entry *entry = &entries.list.items[i];

		size += entry->size;
		if (now - entry->used > UNUSED_SECONDS || i >= FILES_MAX || size > FOLDER_MAX)
			unlinkat(folder, entry->name, 0);
	}
	vec_done(&entries.list);
}

/* --- files --- */

static bool read_all(int fd, void *bytes, size_t size)
{
	for (ssize_t got; size; size -= (size_t)got, bytes = (char *)bytes + got) {
		got = read(fd, bytes, size);
		if (got <= 0)
			return false;
	}
	return true;
}

static bool write_all(int fd, const void *bytes, size_t size)
{
	for (ssize_t put; size; size -= (size_t)put, bytes = (const char *)bytes + put) {
		put = write(fd, bytes, size);
		if (put <= 0)
			return false;
	}
	return true;
}

static uint64_t sum_of(const struct kept_head *head, const void *patches, const void *unwinds)
{
	size_t from = offsetof(struct kept_head, id);
	uint64_t sum = hash_bytes((const char *)head + from, sizeof(*head) - from, 1);

	sum = hash_bytes(patches, head->syscall_count * sizeof(struct patch), sum);
	return hash_bytes(unwinds, head->unwind_count * sizeof(struct patch_unwind), sum);
}

static bool head_is_right(const struct kept_head *head, const struct file_id *id, size_t size)
{
	uint8_t build[BUILD_ID];

	return memcmp(head->magic, magic, sizeof(magic)) == 0 && build_id(build) &&
	       memcmp(head->build, build, sizeof(build)) == 0 &&
	       memcmp(&head->id, id, sizeof(*id)) == 0 &&
	       size == sizeof(*head) + head->syscall_count * sizeof(struct patch) +
			       head->unwind_count * sizeof(struct patch_unwind);
}

static bool read_kept(int fd, const struct file_id *id, struct kept_file *kept)
{
	const struct patch_unwind *unwinds;
	const struct patch *patches;
	struct kept_head *head;
	struct stat st;

	if (!is_ours(fd, S_IFREG) || fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(*head) ||
	    st.st_size > KEPT_MAX)
		return false;
	kept->bytes = head = malloc((size_t)st.st_size);
	if (!head || !read_all(fd, head, (size_t)st.st_size) ||
	    !head_is_right(head, id, (size_t)st.st_size))
		return false;
	patches = (const void *)(head + 1);
	unwinds = (const void *)(patches + head->syscall_count);
	kept->file = (struct patch_file){
		.id = *id, .syscalls = patches, .unwinds = unwinds,
		.syscall_count = head->syscall_count, .unwind_count = head->unwind_count,
		.call_count = head->call_count, .is_go = head->is_go,
		.is_whole = head->is_whole,
	};
	return head->sum == sum_of(head, patches, unwinds);
}

bool scan_cache_read(const struct file_id *id, struct kept_file *kept)
{
	int folder = open_folder(false), fd;
	char name[NAME_SIZE];
	bool found;

	*kept = (struct kept_file){ 0 };
	if (folder < 0)
		return false;
	name_of(id, name);
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	close(folder);
	if (fd < 0)
		return false;
	found = read_kept(fd, id, kept);
	if (found) {
		futimens(fd, NULL);
	} else {
		free(kept->bytes);
		kept->bytes = NULL;
	}
	close(fd);
	return found;
}

/* Under another name first: nobody reads half of it. */
static void write_kept(int folder, const struct kept_head *head, const struct patch_file *file)
{
	char name[NAME_SIZE], part[NAME_SIZE + 16];
	bool whole;
	int fd;

	name_of(&head->id, name);
	snprintf(part, sizeof(part), "%s.%d", name, (int)getpid());
	fd = openat(folder, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	whole = write_all(fd, head, sizeof(*head)) &&
		write_all(fd, file->syscalls, head->syscall_count * sizeof(*file->syscalls)) &&
		write_all(fd, file->unwinds, head->unwind_count * sizeof(*file->unwinds));
	close(fd);
	if (!whole || renameat(folder, part, folder, name) < 0)
		unlinkat(folder, part, 0);
}

void scan_cache_write(const struct patch_file *file)
{
	static uint32_t writes;
	struct kept_head head;
	int folder;

	memset(&head, 0, sizeof(head));
	memcpy(head.magic, magic, sizeof(magic));
	head.id = file->id;
	head.syscall_count = file->syscall_count;
	head.unwind_count = file->unwind_count;
	head.call_count = file->call_count;
	head.is_go = file->is_go;
	head.is_whole = file->is_whole;
	head.sum = sum_of(&head, file->syscalls, file->unwinds);
	if (!build_id(head.build))
		return;
	folder = open_folder(true);
	if (folder < 0)
		return;
	if (__atomic_fetch_add(&writes, 1, __ATOMIC_RELAXED) % LOOK_EVERY == 0)
		remove_unused(folder);
	write_kept(folder, &head, file);
	close(folder);
}
