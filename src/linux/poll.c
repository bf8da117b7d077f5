/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll.c - what programs in the running kernel send: ring buffers, perf event
 * arrays (a ring for each CPU), and the lines of bpf_trace_printk().
 *
 * Both kinds of ring are memory that the kernel writes ahead in and this
 * process reads behind, each with a position of its own:
 *
 *   ring buffer   | consumer's page | producer's page | data, mapped twice in a row |
 *                 record: length and two bits (busy, discarded), 4 bytes; data; to 8
 *   perf          | page with both positions | data |
 *                 record: type, size; for a sample: length, data
 */
#include "linux/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PERF_PAGES = 64, SPACE_PAGES = 256, BUSY = INT32_MIN, DISCARDED = 1 << 30, RECORD_HEAD = 8 };

/* --- opening --- */

static int watch(const struct skep_linux *kernel, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(kernel->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int cannot_map(const struct skep_linux_map *map, int error, struct skep_diag *diag)
{
	if (error == -EPERM || error == -EACCES)
		return sys_denied(error, "read what programs send", NULL, diag);
	return skep_fail(diag, SKEP_LINUX_MAP, NULL, "the buffer of map '%s' cannot be read: %s",
			 map->from->name, strerror(-error));
}

static int open_ringbuf(struct skep_linux *kernel, const struct skep_linux_map *map,
			struct skep_diag *diag)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct linux_ring *ring = vec_push(&kernel->rings);
	int error;

	if (!ring)
		return skep_fail(diag, SKEP_OOM, NULL, "map '%s'", map->from->name);
	*ring = (struct linux_ring){ .map = map, .fd = map->fd };
	ring->control = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	if (ring->control == MAP_FAILED) {
		ring->control = NULL;
		return cannot_map(map, -errno, diag);
	}
	ring->control_size = page;
	ring->data_size = page + 2 * (size_t)map->spec.max_entries;
	ring->data = mmap(NULL, ring->data_size, PROT_READ, MAP_SHARED, map->fd, (off_t)page);
	if (ring->data == MAP_FAILED) {
		ring->data = NULL;
		return cannot_map(map, -errno, diag);
	}
	error = watch(kernel, map->fd);
	return error < 0 ? cannot_map(map, error, diag) : 0;
}

/* An event on a CPU with its ring, not yet counting. Negative errno. */
static int open_event(struct skep_linux *kernel, const struct skep_linux_map *map, uint32_t cpu,
		      struct perf_event_attr *attr, size_t pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct linux_ring *ring = vec_push(&kernel->rings);

	if (!ring)
		return -ENOMEM;
	*ring = (struct linux_ring){ .map = map, .perf = true, .owned = true, .cpu = cpu };
	ring->fd = (int)sys_perf_event_open(attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0)
		return ring->fd;
	ring->control_size = (pages + 1) * page;
	ring->control = mmap(NULL, ring->control_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			     0);
	if (ring->control == MAP_FAILED) {
		ring->control = NULL;
		return -errno;
	}
	ring->data = ring->control + page;
	ring->data_size = pages * page;
	return watch(kernel, ring->fd);
}

/* One CPU's; its descriptor goes into the map. */
static int open_perf(struct skep_linux *kernel, const struct skep_linux_map *map, uint32_t cpu,
		     struct skep_diag *diag)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW, .sample_period = 1, .wakeup_events = 1,
	};
	struct sys_elem elem = { .fd = (uint32_t)map->fd, .key = (uintptr_t)&cpu };
	int error = open_event(kernel, map, cpu, &attr, PERF_PAGES), fd;

	if (!error) {
		fd = kernel->rings.items[kernel->rings.count - 1].fd;
		elem.value = (uintptr_t)&fd;
		error = (int)sys_bpf(BPF_MAP_UPDATE_ELEM, &elem, sizeof(elem));
		if (!error && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
			error = -errno;
	}
	return error < 0 ? cannot_map(map, error, diag) : 0;
}

/* What processes map from now on, and what they have by then. */
static int open_space(struct skep_linux *kernel, struct skep_diag *diag)
{
	struct perf_event_attr attr = linux_space_event();
	int error = 0;

	for (uint32_t cpu = 0; cpu < kernel->possible && !error; cpu++)
		if (sys_cpu_online(cpu))
			error = open_event(kernel, NULL, cpu, &attr, SPACE_PAGES);
	if (error == -EPERM || error == -EACCES)
		return sys_denied(error, "see what processes map", NULL, diag);
	if (error)
		return skep_fail(diag, SKEP_LINUX_ATTACH, NULL, "what processes map cannot be seen: "
				 "%s", strerror(-error));
	if (!kernel->opts.tree)
		linux_space_read(kernel->opts.stacks);
	return 0;
}

static int open_perf_all(struct skep_linux *kernel, const struct skep_linux_map *map,
			 struct skep_diag *diag)
{
	int error = 0;

	for (uint32_t cpu = 0; cpu < MIN(kernel->possible, map->spec.max_entries) && !error; cpu++)
		if (sys_cpu_online(cpu))
			error = open_perf(kernel, map, cpu, diag);
	return error;
}

/* Lines are read as they come: those of before are nobody's here. */
static int open_trace(struct skep_linux *kernel, struct skep_diag *diag)
{
	char old[4096];

	kernel->trace = tracefs_open("trace_pipe", O_RDONLY | O_NONBLOCK);
	if (kernel->trace == -EPERM || kernel->trace == -EACCES)
		return sys_denied(kernel->trace, "read what programs print", NULL, diag);
	if (kernel->trace < 0)
		return skep_fail(diag, SKEP_LINUX_ATTACH, NULL, "what programs print cannot be "
				 "read: trace_pipe of tracefs: %s", strerror(-kernel->trace));
	while (read(kernel->trace, old, sizeof(old)) > 0)
		;
	watch(kernel, kernel->trace);
	return 0;
}

int linux_open_rings(struct skep_linux *kernel, struct skep_diag *diag)
{
	bool prints = false;
	int error = 0;

	kernel->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (kernel->epoll < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "epoll: %s", strerror(errno));
	for (size_t i = 0; i < kernel->object->maps.count && !error; i++) {
		const struct skep_linux_map *map = &kernel->maps[i];

		if (map->fd >= 0 && map->spec.type == BPF_MAP_TYPE_RINGBUF)
			error = open_ringbuf(kernel, map, diag);
		else if (map->fd >= 0 && map->spec.type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			error = open_perf_all(kernel, map, diag);
	}
	for (size_t i = 0; i < kernel->object->prog_count; i++)
		prints |= kernel->progs[i].prints;
	if (prints && !error)
		error = open_trace(kernel, diag);
	return kernel->opts.stacks && !error ? open_space(kernel, diag) : error;
}

void linux_close_rings(struct skep_linux *kernel)
{
	for (size_t i = 0; i < kernel->rings.count; i++) {
		struct linux_ring *ring = &kernel->rings.items[i];

		if (!ring->perf && ring->data)
			munmap(ring->data, ring->data_size);
		if (ring->control)
			munmap(ring->control, ring->control_size);
		if (ring->owned && ring->fd >= 0)
			close(ring->fd);
	}
	vec_done(&kernel->rings);
	if (kernel->trace >= 0)
		close(kernel->trace);
	if (kernel->epoll >= 0)
		close(kernel->epoll);
}

/* --- reading --- */

struct delivery {
	skep_linux_event_fn *fn;
	void *arg;
	int count, result;
};

static void deliver(struct delivery *d, const struct skep_linux_event *event)
{
	d->result = d->fn(d->arg, event);
	d->count++;
}

/* Partner of each acquire: the kernel's store of the position, or of a record's length. */
static void read_ringbuf(struct linux_ring *ring, struct delivery *d)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), mask = ring->map->spec.max_entries - 1;
	unsigned long *consumer = (unsigned long *)(void *)ring->control;
	unsigned long *producer = (unsigned long *)(void *)ring->data;
	unsigned long at = *consumer, end = __atomic_load_n(producer, __ATOMIC_ACQUIRE);

	while (at < end && !d->result) {
		uint8_t *head = ring->data + page + (at & mask);
		uint32_t word = __atomic_load_n((uint32_t *)(void *)head, __ATOMIC_ACQUIRE);
		uint32_t size = word & ~(uint32_t)(BUSY | DISCARDED);

		if (word & (uint32_t)BUSY)
			break;
		if (!(word & DISCARDED))
			deliver(d, &(struct skep_linux_event){
				.kind = SKEP_EVENT_RINGBUF, .map = ring->map->from,
				.data = head + RECORD_HEAD, .size = size });
		at += (RECORD_HEAD + size + 7u) & ~7u;
		__atomic_store_n(consumer, at, __ATOMIC_RELEASE);
	}
}

/* Bytes of a ring whose end goes on at its beginning. */
static void copy_out(const struct linux_ring *ring, uint64_t at, void *to, size_t size)
{
	size_t off = (size_t)at & (ring->data_size - 1);
	size_t first = MIN(size, ring->data_size - off);

	memcpy(to, ring->data + off, first);
	memcpy((uint8_t *)to + first, ring->data, size - first);
}

static void perf_record(const struct linux_ring *ring, const struct perf_event_header *header,
			const uint8_t *record, struct delivery *d)
{
	struct skep_linux_event event = { .map = ring->map->from, .cpu = ring->cpu };
	uint64_t lost;
	uint32_t size;

	if (header->type == PERF_RECORD_SAMPLE && header->size >= sizeof(*header) + 4) {
		memcpy(&size, record + sizeof(*header), sizeof(size));
		event.kind = SKEP_EVENT_PERF;
		event.data = record + sizeof(*header) + 4;
		event.size = MIN(size, header->size - sizeof(*header) - 4);
		deliver(d, &event);
	} else if (header->type == PERF_RECORD_LOST && header->size >= sizeof(*header) + 16) {
		memcpy(&lost, record + sizeof(*header) + 8, sizeof(lost));
		event.kind = SKEP_EVENT_LOST;
		event.size = (size_t)lost;
		deliver(d, &event);
	}
}

static void read_perf(struct skep_linux *kernel, struct linux_ring *ring, struct delivery *d)
{
	struct perf_event_mmap_page *control = (void *)ring->control;
	uint64_t at = control->data_tail, end = __atomic_load_n(&control->data_head,
								 __ATOMIC_ACQUIRE);

	while (at < end && !d->result) {
		struct perf_event_header header;

		copy_out(ring, at, &header, sizeof(header));
		if (header.size < sizeof(header))
			break;
		copy_out(ring, at, kernel->record, header.size);
		if (ring->map)
			perf_record(ring, &header, kernel->record, d);
		else
			linux_space_record(kernel->opts.stacks, &header, kernel->record);
		at += header.size;
		__atomic_store_n(&control->data_tail, at, __ATOMIC_RELEASE);
	}
}

/* --- lines --- */

/*
 * "  comm-123  [000] d..31  12.345678: bpf_trace_printk: text": the text begins behind the
 * name of the function. Lines without a head belong to the text before.
 */
static void deliver_line(char *line, size_t len, struct delivery *d)
{
	static const char mark[] = ": bpf_trace_printk: ";
	struct skep_linux_event event = { .kind = SKEP_EVENT_TRACE, .data = line, .size = len };
	char *text, *cpu;

	line[len] = '\0';
	text = strstr(line, mark);
	cpu = strstr(line, " [");
	if (text && cpu && cpu < text) {
		char *id = cpu;

		while (id > line && id[-1] == ' ')
			id--;
		while (id > line && id[-1] >= '0' && id[-1] <= '9')
			id--;
		event.tid = (uint32_t)strtoul(id, NULL, 10);
		event.cpu = (uint32_t)strtoul(cpu + 2, NULL, 10);
		event.data = text + sizeof(mark) - 1;
		event.size = len - (size_t)((const char *)event.data - line);
	} else if (cpu && strstr(line, "LOST") == line) {
		return;
	}
	deliver(d, &event);
}

static void read_trace(struct skep_linux *kernel, struct delivery *d)
{
	while (!d->result) {
		ssize_t got = read(kernel->trace, kernel->line + kernel->line_len,
				   sizeof(kernel->line) - 1 - kernel->line_len);
		char *at = kernel->line, *end;

		if (got <= 0)
			return;
		kernel->line_len += (size_t)got;
		while (!d->result &&
		       (end = memchr(at, '\n', kernel->line_len - (size_t)(at - kernel->line)))) {
			deliver_line(at, (size_t)(end - at), d);
			at = end + 1;
		}
		kernel->line_len -= (size_t)(at - kernel->line);
		memmove(kernel->line, at, kernel->line_len);
		if (kernel->line_len == sizeof(kernel->line) - 1)
			kernel->line_len = 0; /* no line is so long */
	}
}

static void read_all(struct skep_linux *kernel, struct delivery *d)
{
	if (kernel->trace >= 0)
		read_trace(kernel, d);
	for (size_t i = 0; i < kernel->rings.count && !d->result; i++) {
		struct linux_ring *ring = &kernel->rings.items[i];

		if (ring->perf)
			read_perf(kernel, ring, d);
		else
			read_ringbuf(ring, d);
	}
}

int skep_linux_poll(struct skep_linux *kernel, int milliseconds, skep_linux_event_fn *fn, void *arg)
{
	struct delivery d = { .fn = fn, .arg = arg };
	struct epoll_event event;

	read_all(kernel, &d);
	if (!d.count && milliseconds && epoll_wait(kernel->epoll, &event, 1, milliseconds) > 0)
		read_all(kernel, &d);
	return d.result ? d.result : d.count;
}
