/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task_parts.c - parts of the current task that are made when a program first
 * looks at them: memory layout, files, directories, namespaces. [runtime]
 *
 * To read all of that from /proc at each event would cost far more than the event.
 * So task->mm and its like point into addresses that nothing is mapped at: a look
 * faults, the fault handler (fault.h) has the page filled here, and the look is
 * repeated. A thread of a process has
 *
 *   | mm | namespaces | files | exe | cwd | root | cred ... | pointers ... | file 0 ... | socket 0 ...
 *
 * of a page each, and the pointers to its files: for as long as it lives, so that an address that
 * one event keeps means the same thing in the next. Threads that come when all that is
 * taken use those of the virtual CPU that they hold. With the next event the pages that
 * were filled fault again: what a program sees is never older than its event.
 */
#include "helper/task.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "helper/cgroup.h"
#include "helper/socket.h"
#include "helper/task_file.h"
#include "helper/task_proc.h"
#include "map/sys.h"
#include "map/vcpu.h"

enum {
	PAGE = 4096,
	FILES = 65536,           /* descriptors past them are not shown; */
	FILES_AT_LEAST = 1024,   /* where addresses are limited, past these */
	THREADS = 16, WINDOW = 4, /* that have their own pages; where to look for them */
	VCPUS = 512,             /* of further ones no parts are shown */
	PAGE_MM = 0, PAGE_NAMESPACES, PAGE_FILES, PAGE_EXE, PAGE_CWD, PAGE_ROOT,
	PAGE_CRED, PAGE_SIGNAL, PAGE_PID, PAGE_CGROUP, PAGE_POINTERS,
	POINTERS = PAGE / sizeof(void *), /* of a page */
	KEPT = 64,
	STATUS_TEXT = 2048,
};

/* Where user space ends, and the last page is nobody's. */
#define TASK_SIZE ((UINT64_C(1) << 47) - PAGE)

/* Whose pages they are, for which of its events, and which of them are filled. */
struct parts {
	uint64_t machine, takes; /* of the virtual CPU */
	uint32_t cpu, tid;       /* 0: nobody's */
	uint32_t count;          /* more than KEPT: not all are listed */
	uint32_t filled[KEPT];
	uint32_t known_as;       /* to the machine, in its own pid namespace */
	uint32_t of;             /* the thread they tell of; 0: that one */
	const struct task_end *end; /* of which an event is told; or NULL */
	const struct own_cred *cred; /* without capabilities */
};

_Static_assert(sizeof(struct task_file) <= PAGE, "one page for each file");
_Static_assert(sizeof(struct socket_parts) <= PAGE, "one page for each socket");

enum { NAMESPACE_PID = 3, NAMESPACE_NET = 4, NAMESPACES = 7 };

struct names_page {
	struct own_nsproxy proxy;
	struct own_namespace all[NAMESPACES];
};

struct cgroup_page {
	struct own_css_set set;
	struct own_cgroup cgroup;
	struct own_kernfs_node node;
	char name[256];
};

struct files_page {
	struct own_files files;
	struct own_fdtable table;
	struct own_fs fs;
};

/* Of this process. */
static uint8_t *base;            /* NULL: nothing is mapped yet */
static unsigned stretches;       /* threads and virtual CPUs that there is room for */
static uint32_t begun, tried;    /* to map them; and found out whether it works */
static uint32_t shown;           /* descriptors that there is room for */
static struct parts all[THREADS + VCPUS];

static uint32_t page_file(uint32_t fd)
{
	return PAGE_POINTERS + shown / POINTERS + fd;
}

static uint32_t page_socket(uint32_t fd)
{
	return page_file(shown) + fd;
}

static uint32_t pages(void)
{
	return page_socket(shown);
}

static void *page_at(const struct parts *parts, uint32_t page)
{
	return base + ((size_t)(parts - all) * pages() + page) * PAGE;
}

/* --- pages --- */

static void fill_mm(struct parts *parts, struct own_mm *mm)
{
	static const uint8_t fields[] = { 26, 27, 28, 45, 46, 47, 48, 49, 50, 51 };
	uint64_t values[sizeof(fields)] = { 0 };

	task_stat("/proc/self/stat", fields, values, sizeof(fields));
	*mm = (struct own_mm){
		.start_code = values[0], .end_code = values[1], .start_stack = values[2],
		.start_data = values[3], .end_data = values[4], .start_brk = values[5],
		.arg_start = values[6], .arg_end = values[7],
		.env_start = values[8], .env_end = values[9],
		.brk = (uint64_t)sys_call1(SYS_brk, 0), .task_size = TASK_SIZE,
		.exe_file = page_at(parts, PAGE_EXE),
	};
}

static void fill_namespaces(struct names_page *page)
{
	static const char *const names[NAMESPACES] = { "uts", "ipc", "mnt", "pid_for_children",
						       [NAMESPACE_NET] = "net", "time", "cgroup" };
	struct own_namespace **const to[] = {
		&page->proxy.uts_ns, &page->proxy.ipc_ns, &page->proxy.mnt_ns,
		&page->proxy.pid_ns_for_children, &page->proxy.net_ns, &page->proxy.time_ns,
		&page->proxy.cgroup_ns,
	};
	char path[48] = "/proc/self/ns/";

	for (unsigned i = 0; i < NAMESPACES; i++) {
		memcpy(path + 14, names[i], strlen(names[i]) + 1);
		page->all[i].inum = task_inode(path);
		*to[i] = &page->all[i];
	}
}

static size_t read_status(const struct parts *parts, char status[STATUS_TEXT])
{
	char path[TASK_PATH];

	task_path(path, parts->of, "status");
	return task_text(path, status, STATUS_TEXT);
}

/* Where a filter forbids to look, what was known stays. */
static void fill_cred(const struct parts *parts, struct own_cred *cred)
{
	char status[STATUS_TEXT];

	*cred = *parts->cred;
	if (!read_status(parts, status))
		return;
	task_read_cred(status, cred);
	/* There they are those of its own namespace. */
	memcpy(cred, parts->cred, offsetof(struct own_cred, cap_inheritable));
}

/* The first thread may have ended while others live. */
static bool is_leader_gone(void)
{
	char text[512];

	task_text("/proc/self/stat", text, sizeof(text));
	return task_state(text) == 'Z';
}

static void fill_signal(const struct parts *parts, struct own_signal *signal)
{
	const struct task_end *end = parts->end;
	static const uint8_t num_threads = 20;
	uint64_t threads = 0;

	task_stat("/proc/self/stat", &num_threads, &threads, 1);
	signal->nr_threads = (int32_t)threads;
	if (end && signal->nr_threads <= end->live)
		signal->nr_threads = end->live + 1; /* an exec ends them, and it is over */
	signal->live.counter = end ? end->live : (int32_t)threads - is_leader_gone();
	if (end && (end->whole || end->live == 0))
		signal->group_exit_code = end->code;
	signal->oom_score_adj = (int16_t)task_number("/proc/self/oom_score_adj", 0);
	for (unsigned i = 0; i < sizeof(signal->rlim) / sizeof(*signal->rlim); i++)
		sys_call4(SYS_prlimit64, 0, i, 0, &signal->rlim[i]);
}

static void fill_pid(struct parts *parts, struct own_pid *pid)
{
	struct names_page *names = page_at(parts, PAGE_NAMESPACES);
	char status[STATUS_TEXT];
	uint32_t level = 0, nr;

	read_status(parts, status);
	/* Of a namespace that is not the machine's it tells from that one on. */
	if (parts->known_as != (parts->of ? parts->of : parts->tid))
		pid->numbers[level++].nr = (int32_t)parts->known_as;
	for (unsigned n = 0; level <= PID_LEVELS && (nr = task_line(status, "\nNSpid:", n, 0)) != 0; n++)
		pid->numbers[level++].nr = (int32_t)nr;
	if (level == 0)
		pid->numbers[level++].nr = (int32_t)(parts->of ? parts->of : parts->tid);
	pid->level = level - 1;
	pid->numbers[pid->level].ns = &names->all[NAMESPACE_PID];
}

static void fill_cgroup(struct cgroup_page *page)
{
	page->set.dfl_cgrp = &page->cgroup;
	page->cgroup.kn = &page->node;
	page->cgroup.level = cgroup_describe(&page->node.id, page->name, sizeof(page->name));
	page->node.name = page->name;
}

static void fill_files(struct parts *parts, struct files_page *page)
{
	char status[STATUS_TEXT];
	const char *umask;
	uint32_t room;

	read_status(parts, status);
	room = task_line(status, "\nFDSize:", 0, shown);
	page->table = (struct own_fdtable){ .fd = page_at(parts, PAGE_POINTERS),
					    .max_fds = room < shown ? room : shown };
	page->files.fdt = &page->table;
	page->fs.pwd.dentry = &((struct task_file *)page_at(parts, PAGE_CWD))->names[TASK_FILE_NAMES - 1];
	page->fs.root.dentry = &((struct task_file *)page_at(parts, PAGE_ROOT))->names[TASK_FILE_NAMES - 1];
	umask = strstr(status, "\nUmask:\t");
	for (umask = umask ? umask + 8 : ""; *umask >= '0' && *umask <= '7'; umask++)
		page->fs.umask = page->fs.umask << 3 | (*umask - '0');
}

struct dirent64 {
	uint64_t ino, off;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* "17"; anything else, and what is not shown: shown. */
static uint32_t descriptor(const char *name)
{
	uint32_t number = 0;

	if (*name < '0' || *name > '9')
		return shown;
	for (; *name >= '0' && *name <= '9' && number < shown; name++)
		number = number * 10 + (uint32_t)(*name - '0');
	return number < shown ? number : shown;
}

/* False: the rest are past the page. */
static bool take_entries(struct parts *parts, struct own_file **pointers, uint32_t first,
			 const char *buffer, int64_t size, uint32_t but)
{
	for (int64_t at = 0; at < size;) {
		const struct dirent64 *entry = (const void *)(buffer + at);
		uint32_t fd = descriptor(entry->name);

		if (fd < shown && fd >= first + POINTERS)
			return false;
		if (fd < shown && fd >= first && fd != but)
			pointers[fd - first] = page_at(parts, page_file(fd));
		at += entry->size;
	}
	return true;
}

/* Linux lists them in order, so that those of the first page are soon told. */
static void list_pointers(struct parts *parts, struct own_file **pointers, uint32_t first)
{
	char buffer[2048] __attribute__((aligned(8)));
	int64_t dir = sys_call3(SYS_openat, AT_FDCWD, "/proc/self/fd",
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t got;

	if (dir < 0)
		return;
	do
		got = sys_call3(SYS_getdents64, dir, buffer, sizeof(buffer));
	while (got > 0 && take_entries(parts, pointers, first, buffer, got, (uint32_t)dir));
	sys_call1(SYS_close, dir);
}

/* One for each open descriptor but our own. */
static void fill_pointers(struct parts *parts, struct own_file **pointers, uint32_t first)
{
	if (first == 0) {
		list_pointers(parts, pointers, first);
		return;
	}
	for (uint32_t i = 0; i < POINTERS; i++)
		if (sys_call2(SYS_fcntl, first + i, F_GETFD) >= 0)
			pointers[i] = page_at(parts, page_file(first + i));
}

static void fill_descriptor(struct parts *parts, struct task_file *page, uint32_t fd)
{
	/* As in f_mode; O_PATH opens nothing. */
	enum { MODES = 3, SEEKABLE = 4, PATH = 0x4000 };
	char path[32] = "/proc/self/fd/";
	int64_t flags = sys_call2(SYS_fcntl, fd, F_GETFL), pos;

	task_decimal(path + 14, fd);
	task_file_fill(page, path);
	if (flags < 0)
		return;
	if (S_ISSOCK(page->inode.i_mode))
		page->file.private_data = page_at(parts, page_socket(fd));
	page->file.f_flags = (uint32_t)flags;
	page->file.f_mode = flags & O_PATH ? PATH : ((uint32_t)flags + 1) & MODES;
	pos = sys_call3(SYS_lseek, fd, 0, SEEK_CUR);
	page->file.f_pos = pos < 0 ? 0 : pos;
	if (pos >= 0)
		page->file.f_mode |= SEEKABLE;
}

static void fill_socket(struct parts *parts, struct socket_parts *socket, uint32_t fd)
{
	struct task_file *file = page_at(parts, page_file(fd));
	struct names_page *names = page_at(parts, PAGE_NAMESPACES);
	struct stat st;

	if (sys_call4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) < 0 || !S_ISSOCK(st.st_mode))
		return;
	task_file_inode(&socket->alloc.vfs_inode, &st, &file->super);
	socket->alloc.socket.file = &file->file;
	socket->sk.sock.__sk_common.skc_net = &names->all[NAMESPACE_NET];
	socket_describe(socket, fd);
}

static void fill_page(struct parts *parts, uint32_t page)
{
	void *at = page_at(parts, page);

	memset(at, 0, PAGE);
	if (page == PAGE_MM)
		fill_mm(parts, at);
	else if (page == PAGE_NAMESPACES)
		fill_namespaces(at);
	else if (page == PAGE_FILES)
		fill_files(parts, at);
	else if (page == PAGE_EXE)
		task_file_fill(at, "/proc/self/exe");
	else if (page == PAGE_CWD)
		task_file_fill(at, "/proc/self/cwd");
	else if (page == PAGE_ROOT)
		task_file_fill(at, "/proc/self/root");
	else if (page == PAGE_CRED)
		fill_cred(parts, at);
	else if (page == PAGE_SIGNAL)
		fill_signal(parts, at);
	else if (page == PAGE_PID)
		fill_pid(parts, at);
	else if (page == PAGE_CGROUP)
		fill_cgroup(at);
	else if (page < page_file(0))
		fill_pointers(parts, at, (page - PAGE_POINTERS) * POINTERS);
	else if (page < page_socket(0))
		fill_descriptor(parts, at, page - page_file(0));
	else
		fill_socket(parts, at, page - page_socket(0));
}

/* --- looks, and new events --- */

static bool allow(const struct parts *parts, uint32_t page, uint32_t count, int how)
{
	return sys_call3(SYS_mprotect, page_at(parts, page), (size_t)count * PAGE, how) == 0;
}

static void note_filled(struct parts *parts, uint32_t page)
{
	if (parts->count < KEPT)
		parts->filled[parts->count] = page;
	parts->count++;
}

/* In the fault handler. */
static bool on_look(uint64_t address)
{
	uint64_t at = (address - (uintptr_t)base) / PAGE;
	struct parts *parts = &all[at / pages()];
	uint32_t page = (uint32_t)(at % pages());

	/* A pointer that was kept from another thread's event reads as zeros. */
	if (parts->tid != (uint32_t)sys_call0(SYS_gettid))
		return false;
	if (!allow(parts, page, 1, PROT_READ | PROT_WRITE))
		return false;
	fill_page(parts, page);
	note_filled(parts, page);
	return true;
}

static void *map_pages(size_t size)
{
	int64_t at = sys_call(SYS_mmap, 0, size, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);

	return at < 0 && at > -PAGE ? NULL : (void *)at;
}

/* Who is first maps them; others wait for that. */
static void map_region(unsigned count)
{
	enum { PATIENCE = 10000 };
	static const uint32_t sizes[] = { FILES, FILES_AT_LEAST };
	void *at = NULL;

	if (__atomic_exchange_n(&begun, 1, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < PATIENCE && !__atomic_load_n(&tried, __ATOMIC_ACQUIRE); i++)
			sys_yield();
		return;
	}
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes) && !at; i++) {
		shown = sizes[i];
		at = map_pages((size_t)count * pages() * PAGE);
	}
	if (at) {
		base = at;
		fault_fill_range(at, (uint8_t *)at + (size_t)count * pages() * PAGE, on_look);
		__atomic_store_n(&stretches, count, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&tried, 1, __ATOMIC_RELEASE);
}

static unsigned stretches_of(unsigned vcpus)
{
	return THREADS + (vcpus < VCPUS ? vcpus : VCPUS);
}

uint64_t task_parts_size(unsigned vcpus)
{
	/* See pages(). */
	const uint64_t each = PAGE_POINTERS + FILES / POINTERS + 2 * (uint64_t)FILES;

	return stretches_of(vcpus) * each * PAGE;
}

void task_parts_reserve(unsigned vcpus)
{
	if (!__atomic_load_n(&tried, __ATOMIC_ACQUIRE))
		map_region(stretches_of(vcpus));
}

void task_parts_done(void)
{
	if (base)
		sys_call2(SYS_munmap, (uintptr_t)base, (size_t)stretches * pages() * PAGE);
	base = NULL;
	stretches = 0;
	begun = tried = 0;
}

static void forget_filled(struct parts *parts)
{
	if (parts->count > KEPT)
		allow(parts, 0, pages(), PROT_NONE);
	for (unsigned i = 0; parts->count <= KEPT && i < parts->count; i++)
		allow(parts, parts->filled[i], 1, PROT_NONE);
	parts->count = 0;
}

/* A thread's own pages, which it keeps; NULL: others have them. */
static struct parts *claim_parts(uint32_t tid)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < WINDOW; i++) {
			struct parts *parts = &all[(tid + i) % THREADS];
			uint32_t owner = __atomic_load_n(&parts->tid, __ATOMIC_RELAXED);

			/* Only when none is free is it asked who is gone. */
			if (owner && (!pass || sys_call2(SYS_kill, owner, 0) != -ESRCH))
				continue;
			if (__atomic_compare_exchange_n(&parts->tid, &owner, tid, false,
							__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				return parts;
		}
	}
	return NULL;
}

static struct parts *parts_of(uint32_t tid, const struct vcpu *cpu)
{
	unsigned count = __atomic_load_n(&stretches, __ATOMIC_ACQUIRE);
	struct parts *parts = NULL;

	if (!count)
		return NULL;
	for (unsigned i = 0; i < WINDOW && !parts; i++)
		if (__atomic_load_n(&all[(tid + i) % THREADS].tid, __ATOMIC_RELAXED) == tid)
			parts = &all[(tid + i) % THREADS];
	if (!parts)
		parts = claim_parts(tid);
	if (!parts && cpu->id < count - THREADS)
		parts = &all[THREADS + cpu->id];
	return parts;
}

void task_parts_use(struct own_task *task, const struct task_facts *facts, struct vcpu *cpu,
		    unsigned vcpus, uint64_t machine)
{
	uint32_t of = task_asked(facts);
	uint32_t tid = of ? (uint32_t)sys_call0(SYS_gettid) : task_own_tid(facts);
	struct parts *parts = NULL;
	struct files_page *files;

	task_parts_reserve(vcpus);
	if (cpu)
		parts = parts_of(tid, cpu);
	if (!parts) {
		task->mm = NULL;
		task->files = NULL;
		task->fs = NULL;
		task->nsproxy = NULL;
		task->signal = NULL;
		task->thread_pid = NULL;
		task->cgroups = NULL;
		return;
	}
	if (parts->machine != machine || parts->takes != cpu->takes || parts->cpu != cpu->id ||
	    parts->tid != tid || parts->of != of)
		forget_filled(parts);
	parts->machine = machine;
	parts->takes = cpu->takes;
	parts->cpu = cpu->id;
	parts->tid = tid;
	parts->known_as = (uint32_t)task->pid;
	parts->of = of;
	parts->end = facts ? facts->end : NULL;
	parts->cred = task->cred;
	files = page_at(parts, PAGE_FILES);
	task->mm = page_at(parts, PAGE_MM);
	task->files = &files->files;
	task->fs = &files->fs;
	task->nsproxy = page_at(parts, PAGE_NAMESPACES);
	task->real_cred = task->cred = page_at(parts, PAGE_CRED);
	task->signal = page_at(parts, PAGE_SIGNAL);
	task->thread_pid = page_at(parts, PAGE_PID);
	task->cgroups = &((struct cgroup_page *)page_at(parts, PAGE_CGROUP))->set;
}
