/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks.c - from addresses in processes to stacks of names (see stacks.h).
 *
 * What is told of processes is kept as it comes and put in the order of time when
 * names are asked for. A process is then a list of images, one for each program it
 * executed, each with what was mapped. A sample says of which process and, by its
 * name, of which image it is; among equals the newest has what an address means.
 */
#include <skep/stacks.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "hook/flame.h"
#include "hook/symbols.h"

enum tale_kind { TALE_MAP, TALE_FORK, TALE_EXEC };

/* Something told of a process. */
struct tale {
	uint64_t time, order;    /* order: of the telling, for equal times */
	enum tale_kind kind;
	uint32_t pid, child;
	uint64_t start, end, offset;
	const char *text;        /* path or name; in the arena */
};

struct mapping {
	uint64_t start, end, offset;
	const char *path;
};

/* A program that a process executed. */
struct image {
	const char *comm;        /* NULL: as it was when we came */
	VEC(struct mapping) mappings;
};

struct process {
	uint32_t pid;
	VEC(struct image) images;
};

struct sample {
	uint32_t pid;
	const char *comm;
	const uint64_t *ips;     /* user, then kernel; in the arena */
	uint32_t user, kernel;
	uint64_t count;
};

/* A file with its functions; binary is NULL if it cannot be read. */
struct file {
	const char *path;
	struct binary *binary;
};

struct kernel_symbol {
	uint64_t address;
	const char *name;
};

struct skep_stacks {
	struct arena strings;
	VEC(struct tale) tales;
	VEC(struct sample) samples;
	VEC(struct process) processes; /* by pid */
	VEC(struct file) files;
	VEC(struct kernel_symbol) kernel;
	bool settled, kernel_read;
	struct flame root;
	bool failed;             /* out of memory */
};

struct skep_stacks *skep_stacks_new(void)
{
	return calloc(1, sizeof(struct skep_stacks));
}

static void forget_processes(struct skep_stacks *s)
{
	for (size_t i = 0; i < s->processes.count; i++) {
		struct process *process = &s->processes.items[i];

		for (size_t n = 0; n < process->images.count; n++)
			vec_done(&process->images.items[n].mappings);
		vec_done(&process->images);
	}
	vec_done(&s->processes);
}

void skep_stacks_free(struct skep_stacks *s)
{
	if (!s)
		return;
	forget_processes(s);
	for (size_t i = 0; i < s->files.count; i++)
		binary_free(s->files.items[i].binary);
	vec_done(&s->files);
	vec_done(&s->kernel);
	vec_done(&s->tales);
	vec_done(&s->samples);
	flame_done(&s->root);
	arena_done(&s->strings);
	free(s);
}

/* --- being told --- */

static int tell(struct skep_stacks *s, const struct tale *tale)
{
	struct tale *kept = vec_push(&s->tales);
	char *text = kept && tale->text ? arena_strdup(&s->strings, tale->text) : NULL;

	if (!kept || (tale->text && !text))
		return -ENOMEM;
	*kept = *tale;
	kept->text = text;
	kept->order = s->tales.count;
	s->settled = false;
	return 0;
}

int skep_stacks_map(struct skep_stacks *s, uint64_t time_ns, uint32_t pid, uint64_t start,
		    uint64_t end, uint64_t offset, const char *path)
{
	return tell(s, &(struct tale){ .time = time_ns, .kind = TALE_MAP, .pid = pid,
				       .start = start, .end = end, .offset = offset,
				       .text = path });
}

int skep_stacks_fork(struct skep_stacks *s, uint64_t time_ns, uint32_t parent, uint32_t child)
{
	return tell(s, &(struct tale){ .time = time_ns, .kind = TALE_FORK, .pid = parent,
				       .child = child });
}

int skep_stacks_exec(struct skep_stacks *s, uint64_t time_ns, uint32_t pid, const char *comm)
{
	return tell(s, &(struct tale){ .time = time_ns, .kind = TALE_EXEC, .pid = pid,
				       .text = comm });
}

int skep_stacks_read(struct skep_stacks *s, uint64_t time_ns, uint32_t pid)
{
	char path[64], line[4400], access[8], file[4100];
	uint64_t start, end, offset;
	int error = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return -ESRCH;
	while (!error && fgets(line, sizeof(line), maps)) {
		*file = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %4099[^\n]",
			   &start, &end, access, &offset, file) >= 4 && access[2] == 'x')
			error = skep_stacks_map(s, time_ns, pid, start, end, offset, file);
	}
	fclose(maps);
	return error;
}

int skep_stacks_add(struct skep_stacks *s, const struct skep_stack *stack, uint64_t count)
{
	size_t total = stack->user_count + stack->kernel_count;
	uint64_t *ips = arena_alloc(&s->strings, (total + 1) * sizeof(*ips));
	const char *comm = stack->comm ? arena_strdup(&s->strings, stack->comm) : "[unknown]";
	struct sample *sample = ips && comm ? vec_push(&s->samples) : NULL;

	if (!sample)
		return -ENOMEM;
	if (stack->user_count)
		memcpy(ips, stack->user, stack->user_count * sizeof(*ips));
	if (stack->kernel_count)
		memcpy(ips + stack->user_count, stack->kernel, stack->kernel_count * sizeof(*ips));
	*sample = (struct sample){ .pid = stack->pid, .comm = comm, .ips = ips,
				   .user = (uint32_t)stack->user_count,
				   .kernel = (uint32_t)stack->kernel_count, .count = count };
	s->settled = false;
	return 0;
}

size_t skep_stacks_count(const struct skep_stacks *s)
{
	return s->samples.count;
}

/* --- processes as they were --- */

static int compare_tales(const void *a, const void *b)
{
	const struct tale *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Where a process is in the list, or where it would be. */
static size_t process_place(const struct skep_stacks *s, uint32_t pid)
{
	size_t low = 0, high = s->processes.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->processes.items[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct process *find_process(const struct skep_stacks *s, uint32_t pid)
{
	size_t at = process_place(s, pid);

	return at < s->processes.count && s->processes.items[at].pid == pid ?
	       &s->processes.items[at] : NULL;
}

static struct process *need_process(struct skep_stacks *s, uint32_t pid)
{
	size_t at = process_place(s, pid);
	struct process *found = find_process(s, pid);

	if (found)
		return found;
	if (!vec_push(&s->processes))
		return NULL;
	memmove(&s->processes.items[at + 1], &s->processes.items[at],
		(s->processes.count - 1 - at) * sizeof(*s->processes.items));
	s->processes.items[at] = (struct process){ .pid = pid };
	return &s->processes.items[at];
}

static struct image *newest_image(struct process *process)
{
	if (!process->images.count)
		return vec_push(&process->images);
	return &process->images.items[process->images.count - 1];
}

static bool add_mapping(struct image *image, const struct mapping *mapping)
{
	struct mapping *kept = image ? vec_push(&image->mappings) : NULL;

	if (kept)
		*kept = *mapping;
	return kept != NULL;
}

/* A number may be used again: what is copied goes behind what another process left. */
static bool settle_fork(struct skep_stacks *s, const struct tale *tale)
{
	struct process *child = need_process(s, tale->child);
	struct image *image = child ? vec_push(&child->images) : NULL;
	struct process *parent = find_process(s, tale->pid);
	const struct image *from;

	if (!image)
		return false;
	if (!parent || !parent->images.count)
		return true;
	from = &parent->images.items[parent->images.count - 1];
	image->comm = from->comm;
	for (size_t i = 0; i < from->mappings.count; i++)
		if (!add_mapping(image, &from->mappings.items[i]))
			return false;
	return true;
}

static bool settle_tale(struct skep_stacks *s, const struct tale *tale)
{
	struct process *process;
	struct image *image;

	if (tale->kind == TALE_FORK)
		return settle_fork(s, tale);
	process = need_process(s, tale->pid);
	if (!process)
		return false;
	if (tale->kind == TALE_MAP)
		return add_mapping(newest_image(process),
				   &(struct mapping){ tale->start, tale->end, tale->offset,
						      tale->text });
	image = vec_push(&process->images);
	if (image)
		image->comm = tale->text;
	return image != NULL;
}

/* --- names --- */

static const struct mapping *mapping_in(const struct image *image, uint64_t ip)
{
	for (size_t i = image->mappings.count; i > 0; i--) {
		const struct mapping *mapping = &image->mappings.items[i - 1];

		if (ip >= mapping->start && ip < mapping->end)
			return mapping;
	}
	return NULL;
}

/* By the image of the sample's name first; a thread may have a name of its own. */
static const struct mapping *mapping_of(const struct process *process, const char *comm,
					uint64_t ip)
{
	const struct mapping *found = NULL;

	for (int any = 0; process && any < 2 && !found; any++) {
		for (size_t i = process->images.count; i > 0 && !found; i--) {
			const struct image *image = &process->images.items[i - 1];

			if (any || (image->comm && strcmp(image->comm, comm) == 0))
				found = mapping_in(image, ip);
		}
	}
	return found;
}

static struct binary *binary_of(struct skep_stacks *s, const char *path)
{
	struct file *file;

	for (size_t i = s->files.count; i > 0; i--)
		if (strcmp(s->files.items[i - 1].path, path) == 0)
			return s->files.items[i - 1].binary;
	file = vec_push(&s->files);
	if (!file)
		return NULL;
	file->path = path;
	file->binary = *path == '/' ? binary_open(path, NULL, NULL) : NULL;
	return file->binary;
}

static const char *file_name(struct skep_stacks *s, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (*path == '[')
		return path;
	if (!*path || strncmp(path, "//anon", 6) == 0)
		return "[anonymous]";
	return arena_printf(&s->strings, "[%s]", slash ? slash + 1 : path);
}

/* A return address belongs to the call before it. */
static const char *user_name(struct skep_stacks *s, const struct sample *sample, size_t n)
{
	uint64_t ip = sample->ips[n] - (n ? 1 : 0);
	const struct mapping *mapping = mapping_of(find_process(s, sample->pid), sample->comm, ip);
	struct binary *binary = mapping ? binary_of(s, mapping->path) : NULL;
	const struct function *function = NULL;
	int64_t address;

	if (!mapping)
		return "[unknown]";
	if (binary) {
		address = binary_from_offset(binary, ip - mapping->start + mapping->offset);
		if (address >= 0)
			function = binary_function_at(binary, (uint64_t)address);
	}
	return function ? function->name : file_name(s, mapping->path);
}

static int compare_symbols(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static void read_kernel(struct skep_stacks *s)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[640], name[512], type;
	uint64_t address;

	s->kernel_read = true;
	while (file && fgets(line, sizeof(line), file)) {
		struct kernel_symbol *symbol;

		if (sscanf(line, "%" SCNx64 " %c %511s", &address, &type, name) != 3 || !address ||
		    (type != 't' && type != 'T' && type != 'w' && type != 'W'))
			continue;
		symbol = vec_push(&s->kernel);
		if (!symbol)
			break;
		*symbol = (struct kernel_symbol){ address,
						  arena_printf(&s->strings, "%s_[k]", name) };
	}
	if (file)
		fclose(file);
	if (s->kernel.count)
		qsort(s->kernel.items, s->kernel.count, sizeof(*s->kernel.items), compare_symbols);
}

static const char *kernel_name(struct skep_stacks *s, uint64_t ip)
{
	size_t low = 0, high;

	if (!s->kernel_read)
		read_kernel(s);
	high = s->kernel.count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->kernel.items[mid].address <= ip)
			low = mid + 1;
		else
			high = mid;
	}
	return low && s->kernel.items[low - 1].name ? s->kernel.items[low - 1].name
						     : "[kernel]_[k]";
}

/* --- the tree --- */

static bool plant(struct skep_stacks *s, const struct sample *sample)
{
	struct flame *at = flame_child(&s->root, sample->comm);

	for (size_t i = sample->user; at && i > 0; i--)
		at = flame_child(at, user_name(s, sample, i - 1));
	for (size_t i = sample->kernel; at && i > 0; i--)
		at = flame_child(at, kernel_name(s, sample->ips[sample->user + i - 1]));
	if (at)
		at->own += sample->count;
	return at != NULL;
}

static void settle(struct skep_stacks *s)
{
	if (s->settled)
		return;
	s->settled = true;
	s->failed = false;
	forget_processes(s);
	flame_done(&s->root);
	if (s->tales.count)
		qsort(s->tales.items, s->tales.count, sizeof(*s->tales.items), compare_tales);
	for (size_t i = 0; i < s->tales.count && !s->failed; i++)
		s->failed = !settle_tale(s, &s->tales.items[i]);
	for (size_t i = 0; i < s->samples.count && !s->failed; i++)
		s->failed = !plant(s, &s->samples.items[i]);
	flame_sort(&s->root);
}

void skep_stacks_folded(struct skep_stacks *s, struct skep_text *text)
{
	settle(s);
	flame_folded(&s->root, text);
	text->failed |= s->failed;
}

void skep_stacks_flame(struct skep_stacks *s, const char *title, struct skep_text *text)
{
	settle(s);
	flame_svg(&s->root, title, text);
	text->failed |= s->failed;
}
