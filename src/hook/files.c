/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.c - see files.h and probe.h.
 *
 * A machine may have several supervisors (other processes of the user), so the arena is
 * looked at first: what another has written is used as it is.
 */
#include "hook/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "hook/attach.h"
#include "hook/scan_cache.h"
#include "hook/scan_later.h"
#include "map/memory.h"

enum {
	ENDS_MAX = 32,
	AT_ONCE_MAX = 8 << 20, /* bytes of a file that a target is made to wait for */
};

/* Whoever walks the stack to throw or to show it begins in one of these. */
static const char *const unwinders[] = { "_Unwind_RaiseException", "_Unwind_Resume",
	"_Unwind_Resume_or_Rethrow", "_Unwind_ForcedUnwind", "_Unwind_Backtrace" };

int file_identify(int fd, struct file_id *id)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*id = (struct file_id){ st.st_dev, st.st_ino, (uint64_t)st.st_size,
				st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec };
	return 0;
}

/* --- the arena --- */

static struct patch_files *machine_files(struct skep_machine *machine)
{
	struct board *board = machine_board(machine);
	struct patch_files *files = board ? __atomic_load_n(&board->files, __ATOMIC_ACQUIRE) : NULL;
	struct patch_files *first = NULL;

	if (!board || files)
		return files;
	files = memory_alloc(machine->memory, sizeof(*files), 64);
	if (!files || __atomic_compare_exchange_n(&board->files, &first, files, false,
						  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return files;
	memory_release(machine->memory, files, sizeof(*files));
	return first; /* another process was faster */
}

static int arena_full(struct skep_diag *diag)
{
	return skep_fail(diag, SKEP_OOM, NULL, "the machine's arena is full");
}

static int write_syscalls(struct skep_machine *machine, struct scan *scan,
			  struct patch_file *file)
{
	const struct scan_site *sites;
	struct patch *patches;

	file->call_count = (uint32_t)scan_syscalls(scan, &sites);
	for (uint32_t i = 0; i < file->call_count; i++)
		file->syscall_count += sites[i].patched || sites[i].trapped;
	file->is_whole = scan_is_whole(scan);
	if (!file->syscall_count)
		return 0;
	patches = memory_alloc(machine->memory, file->syscall_count * sizeof(*patches), 64);
	if (!patches)
		return -ENOMEM;
	file->syscalls = patches;
	for (uint32_t i = 0; i < file->call_count; i++)
		if (sites[i].patched || sites[i].trapped)
			*patches++ = sites[i].patch;
	return 0;
}

/* What cannot be patched is not in the way of the rest. */
static void add_unwind(struct scan *scan, uint64_t address, bool begins, struct patch_unwind *unwinds,
		       uint32_t *count)
{
	if (scan_probe(scan, address, NULL, NULL, &unwinds[*count].patch, NULL) == 0)
		unwinds[(*count)++].begins = begins;
}

static int write_unwinds(struct skep_machine *machine, struct binary *binary, struct scan *scan,
			 struct patch_file *file)
{
	struct patch_unwind unwinds[ARRAY_SIZE(unwinders) * (ENDS_MAX + 1)], *kept;
	uint32_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(unwinders); i++) {
		uint64_t address, ends[ENDS_MAX];
		size_t found;
		int error;

		error = binary_address(binary, unwinders[i], &address, NULL);
		/* All come from one object file, and looking in vain takes its time. */
		if (error < 0 && i == 0)
			return 0;
		if (error < 0)
			continue;
		found = scan_ends(scan, address, ends, ENDS_MAX);
		if (!found || found > ENDS_MAX)
			continue;
		add_unwind(scan, address, true, unwinds, &count);
		for (size_t k = 0; k < found; k++)
			add_unwind(scan, ends[k], false, unwinds, &count);
	}
	if (!count)
		return 0;
	kept = memory_alloc(machine->memory, count * sizeof(*kept), 64);
	if (!kept)
		return -ENOMEM;
	memcpy(kept, unwinds, count * sizeof(*kept));
	file->unwinds = kept;
	file->unwind_count = count;
	return 0;
}

static void release_file(struct skep_machine *machine, struct patch_file *file)
{
	memory_release(machine->memory, (void *)(uintptr_t)file->syscalls,
		       file->syscall_count * sizeof(*file->syscalls));
	memory_release(machine->memory, (void *)(uintptr_t)file->unwinds,
		       file->unwind_count * sizeof(*file->unwinds));
	memory_release(machine->memory, file, sizeof(*file));
}

/* Or releases it: another process may have scanned the same one meanwhile. Returns what is listed. */
static struct patch_file *list_file(struct skep_machine *machine, struct patch_files *files,
				    struct patch_file *file)
{
	struct patch_file *first = __atomic_load_n(&files->first, __ATOMIC_ACQUIRE), *same;

	do {
		same = (struct patch_file *)(uintptr_t)patch_file_find(files, &file->id);
		if (same) {
			release_file(machine, file);
			return same;
		}
		file->next = first;
	} while (!__atomic_compare_exchange_n(&files->first, &first, file, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return file;
}

static struct patch_file *write_file(struct skep_machine *machine, struct binary *binary,
				     struct scan *scan, const struct file_id *id)
{
	struct patch_files *files = machine_files(machine);
	struct patch_file *file = files ? memory_alloc(machine->memory, sizeof(*file), 64) : NULL;

	if (!file)
		return NULL;
	if (write_syscalls(machine, scan, file) < 0 ||
	    write_unwinds(machine, binary, scan, file) < 0) {
		release_file(machine, file);
		return NULL;
	}
	file->id = *id;
	file->is_go = binary->is_go;
	scan_cache_write(file);
	return list_file(machine, files, file);
}

/* A copy in the arena; NULL: there is none yet, or no room. */
static const void *copy_in(struct skep_machine *machine, const void *bytes, size_t size)
{
	void *copy = size ? memory_alloc(machine->memory, size, 64) : NULL;

	return copy ? memcpy(copy, bytes, size) : NULL;
}

/* Whether it was kept from an earlier run. */
static bool write_kept(struct skep_machine *machine, const struct file_id *id)
{
	struct patch_files *files = machine_files(machine);
	struct patch_file *file = NULL;
	struct kept_file kept;
	bool good = false;

	if (!files || !scan_cache_read(id, &kept))
		return false;
	file = memory_alloc(machine->memory, sizeof(*file), 64);
	if (file) {
		*file = kept.file;
		file->syscalls = copy_in(machine, kept.file.syscalls,
					 file->syscall_count * sizeof(*file->syscalls));
		file->unwinds = copy_in(machine, kept.file.unwinds,
					file->unwind_count * sizeof(*file->unwinds));
		good = (file->syscalls || !file->syscall_count) && (file->unwinds || !file->unwind_count);
		if (good)
			list_file(machine, files, file);
		else
			release_file(machine, file);
	}
	free(kept.bytes);
	return good;
}

/* --- the control plane's --- */

static void scanned_free(struct scanned_file *scanned)
{
	scan_free(scanned->scan);
	binary_free(scanned->binary);
	vec_done(&scanned->probes);
	free(scanned);
}

static void files_done(struct skep_machine *machine)
{
	scan_later_free(machine->later);
	machine->later = NULL;
	for (size_t i = 0; i < machine->scanned.count; i++)
		scanned_free(machine->scanned.items[i]);
	vec_done(&machine->scanned);
}

static size_t position(const struct scanned_file *scanned, uint64_t address)
{
	size_t low = 0, high = scanned->probes.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (scanned->probes.items[middle]->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct probe *probe_at(const struct scanned_file *scanned, uint64_t address)
{
	size_t at = position(scanned, address);

	return at < scanned->probes.count && scanned->probes.items[at]->address == address
		       ? scanned->probes.items[at] : NULL;
}

static int list_probe(struct scanned_file *scanned, struct probe *probe)
{
	size_t at = position(scanned, probe->address), count = scanned->probes.count;

	if (!vec_push(&scanned->probes))
		return -ENOMEM;
	memmove(scanned->probes.items + at + 1, scanned->probes.items + at,
		(count - at) * sizeof(probe));
	scanned->probes.items[at] = probe;
	return 0;
}

/* Another supervisor may have made probes since. */
static int list_all(struct scanned_file *scanned)
{
	if (scanned->probes.count == scanned->file->probe_count)
		return 0;
	for (struct probe *probe = scanned->file->probes; probe; probe = probe->next)
		if (!probe_at(scanned, probe->address) && list_probe(scanned, probe) < 0)
			return -ENOMEM;
	return 0;
}

static struct scanned_file *scanned_new(struct skep_machine *machine, const char *path,
					const struct file_id *id, struct skep_diag *diag)
{
	struct scanned_file *scanned = calloc(1, sizeof(*scanned)), **listed;

	if (!scanned) {
		skep_report(diag, SKEP_OOM, NULL, "the code of %s", path);
		return NULL;
	}
	scanned->binary = binary_open(path, NULL, diag);
	scanned->scan = scanned->binary ? scan_new(scanned->binary, diag) : NULL;
	if (!scanned->scan) {
		scanned_free(scanned);
		return NULL;
	}
	scanned->file = (struct patch_file *)(uintptr_t)patch_file_find(machine_files(machine), id);
	if (!scanned->file)
		scanned->file = write_file(machine, scanned->binary, scanned->scan, id);
	listed = scanned->file && list_all(scanned) == 0 ? vec_push(&machine->scanned) : NULL;
	if (!listed) {
		arena_full(diag);
		scanned_free(scanned);
		return NULL;
	}
	machine->scanned_done = files_done;
	*listed = scanned;
	return scanned;
}

static struct scanned_file *scanned_find(struct skep_machine *machine, const struct file_id *id)
{
	for (size_t i = 0; i < machine->scanned.count; i++)
		if (memcmp(&machine->scanned.items[i]->file->id, id, sizeof(*id)) == 0)
			return machine->scanned.items[i];
	return NULL;
}

struct scanned_file *files_scan(struct skep_machine *machine, const char *path,
				struct skep_diag *diag)
{
	struct scanned_file *scanned;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct file_id id;
	int error = fd < 0 ? -errno : file_identify(fd, &id);

	if (fd >= 0)
		close(fd);
	if (error) {
		skep_report(diag, SKEP_TARGET_FILE, NULL, "%s: %s", path, strerror(-error));
		return NULL;
	}
	scanned = scanned_find(machine, &id);
	if (!scanned)
		return scanned_new(machine, path, &id, diag);
	if (list_all(scanned) == 0)
		return scanned;
	arena_full(diag);
	return NULL;
}

/* Targets that have mapped it meanwhile patch it when they look again. */
static void scanned_later(void *arg, struct binary *binary, struct scan *scan,
			  const struct file_id *id)
{
	struct skep_machine *machine = arg;

	board_lock(machine);
	if (!patch_file_find(machine_files(machine), id) && write_file(machine, binary, scan, id))
		files_changed(machine, 0);
	board_unlock(machine);
}

static void scan_in_background(struct skep_machine *machine, const char *path,
			       const struct file_id *id)
{
	if (!machine->later) {
		machine->later = scan_later_new(scanned_later, machine);
		machine->scanned_done = files_done;
	}
	if (machine->later)
		scan_later_add(machine->later, path, id);
}

/*
 * For a target that has mapped the file, and waits. What is large (compilers' libraries have
 * a hundred megabytes of code, and seconds would pass) is scanned in the background: until then
 * its calls are dispatched, and from the next run on it is known. Whoever asks for a probe there
 * waits.
 */
static int scan_unasked(struct skep_machine *machine, const char *path)
{
	struct file_id id;
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	id = (struct file_id){ st.st_dev, st.st_ino, (uint64_t)st.st_size,
			       st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec };
	if (patch_file_find(machine_files(machine), &id) || write_kept(machine, &id))
		return 0;
	if (st.st_size > AT_ONCE_MAX) {
		scan_in_background(machine, path, &id);
		return -EFBIG;
	}
	return files_scan(machine, path, NULL) ? 0 : -ENOEXEC;
}

/* --- the files of a process --- */

/* Whether a path leads to the file that a process has: it may live in another root. */
static bool leads_to(const char *path, uint64_t device, uint64_t inode)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == inode &&
	       st.st_dev == device;
}

/* A line of /proc/PID/maps: "start-end perms offset major:minor inode path". */
static void scan_mapping(struct skep_machine *machine, pid_t pid, const char *line)
{
	char path[PATH_MAX + 40], name[PATH_MAX + 1], perms[5];
	unsigned major, minor;
	unsigned long inode;
	int at = 0;

	if (sscanf(line, "%*x-%*x %4s %*x %x:%x %lu %n", perms, &major, &minor, &inode, &at) < 4 ||
	    perms[2] != 'x' || line[at] != '/' ||
	    sscanf(line + at, "%4096[^\n]", name) != 1)
		return;
	snprintf(path, sizeof(path), "%s", name);
	if (!leads_to(path, makedev(major, minor), inode))
		snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, name);
	if (leads_to(path, makedev(major, minor), inode))
		scan_unasked(machine, path);
}

void files_scan_process(struct skep_machine *machine, pid_t pid)
{
	char path[40], line[PATH_MAX + 128];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		scan_mapping(machine, pid, line);
	if (maps)
		fclose(maps);
}

/* By its own name, if that leads there: its debug file lies beside that. */
int files_scan_open(struct skep_machine *machine, pid_t tid, int fd)
{
	char link[64], path[PATH_MAX + 1];
	struct stat st;
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tid, fd);
	if (stat(link, &st) < 0)
		return -errno;
	size = readlink(link, path, sizeof(path) - 1);
	path[size > 0 ? size : 0] = '\0';
	return scan_unasked(machine, leads_to(path, st.st_dev, st.st_ino) ? path : link);
}

/* --- probes --- */

static bool is_taken(void *arg, uint64_t address)
{
	return probe_at(arg, address) != NULL;
}

/* A copy in the arena of how an address is patched, with what is known of other probes. */
static struct patch *write_patch(struct skep_machine *machine, struct scanned_file *scanned,
				 uint64_t address, struct skep_diag *diag)
{
	struct patch *patch, found;

	if (scan_probe(scanned->scan, address, is_taken, scanned, &found, diag) < 0)
		return NULL;
	patch = memory_alloc(machine->memory, sizeof(*patch), 64);
	if (patch)
		*patch = found;
	else
		arena_full(diag);
	return patch;
}

/* A window that reaches over the address would execute a copy of what is probed now. */
static int yield_to(struct skep_machine *machine, struct scanned_file *scanned, uint64_t address,
		    struct skep_diag *diag)
{
	for (size_t i = position(scanned, address); i-- > 0;) {
		struct probe *probe = scanned->probes.items[i];
		struct patch *patch;

		if (address - probe->address >= PATCH_BYTES)
			return 0;
		if (probe->address + probe->patch->length <= address)
			continue;
		patch = write_patch(machine, scanned, probe->address, diag);
		if (!patch)
			return -ENOMEM;
		/* Targets have stubs made from the old one, which stays. */
		__atomic_store_n(&probe->patch, patch, __ATOMIC_RELEASE);
	}
	return 0;
}

struct probe *files_probe(struct skep_machine *machine, struct scanned_file *scanned,
			  uint64_t address, uint64_t semaphore, struct skep_diag *diag)
{
	struct probe *probe = probe_at(scanned, address);
	struct patch_file *file = scanned->file;

	if (probe)
		return probe;
	probe = memory_alloc(machine->memory, sizeof(*probe), 64);
	if (!probe) {
		arena_full(diag);
		return NULL;
	}
	probe->address = address;
	probe->semaphore = semaphore;
	probe->at = (uint64_t)binary_offset(scanned->binary, address);
	probe->patch = write_patch(machine, scanned, address, diag);
	if (!probe->patch || list_probe(scanned, probe) < 0) {
		memory_release(machine->memory, (void *)(uintptr_t)probe->patch,
			       sizeof(*probe->patch));
		memory_release(machine->memory, probe, sizeof(*probe));
		return NULL;
	}
	probe->next = file->probes;
	__atomic_store_n(&file->probes, probe, __ATOMIC_RELEASE);
	file->probe_count++;
	return yield_to(machine, scanned, address, diag) < 0 ? NULL : probe;
}

void files_changed(struct skep_machine *machine, int returns)
{
	struct patch_files *files = machine_files(machine);

	if (!files)
		return;
	__atomic_store_n(&files->returns, files->returns + (uint32_t)returns, __ATOMIC_RELEASE);
	__atomic_fetch_add(&machine_board(machine)->files_changed, 1, __ATOMIC_ACQ_REL);
}
