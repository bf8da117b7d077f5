/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c - links: putting programs on the board and taking them off.
 *
 * What a target may be reading is never changed: each list is replaced by a copy
 * with one program more or less, and the old one retired. Wanted bits are set after
 * a list has its program and cleared before it loses it; a target that sees a bit
 * too many finds nothing to run.
 */
#include "hook/attach.h"

#include <errno.h>
#include <sys/syscall.h>

#include "hook/context.h"
#include "hook/files.h"
#include "map/memory.h"
#include "map/owner.h"

enum { SAMPLE_HZ = 99 };

struct skep_link {
	struct skep_machine *machine;
	struct skep_prog *prog;
	uint32_t id;
	char *target;            /* owned */
	uint64_t cookie;
	struct place *places;    /* owned */
	size_t count;
};

static const struct attach_row rows[] = {
	{ "tracepoint+", find_tracepoint, 0, FORM_RECORD, false },
	{ "tp+", find_tracepoint, 0, FORM_RECORD, false },
	{ "raw_tracepoint+", find_raw, 0, FORM_RAW, false },
	{ "raw_tp+", find_raw, 0, FORM_RAW, false },
	{ "raw_tracepoint.w+", find_raw, 0, FORM_RAW, false },
	{ "raw_tp.w+", find_raw, 0, FORM_RAW, false },
	{ "tp_btf+", find_raw, 0, FORM_RAW, false },
	{ "ksyscall+", find_call, CALL_ENTER, FORM_KPROBE, false },
	{ "kretsyscall+", find_call, CALL_EXIT, FORM_KPROBE, false },
	{ "kprobe+", find_function, CALL_ENTER, FORM_KPROBE, false },
	{ "kretprobe+", find_function, CALL_EXIT, FORM_KPROBE, false },
	{ "kprobe.multi+", find_pattern, CALL_ENTER, FORM_KPROBE, false },
	{ "kretprobe.multi+", find_pattern, CALL_EXIT, FORM_KPROBE, false },
	{ "fentry+", find_function, CALL_ENTER, FORM_FUNCTION, false },
	{ "fentry.s+", find_function, CALL_ENTER, FORM_FUNCTION, false },
	{ "fmod_ret+", find_function, CALL_ENTER, FORM_FUNCTION, true },
	{ "fmod_ret.s+", find_function, CALL_ENTER, FORM_FUNCTION, true },
	{ "fexit+", find_function, CALL_EXIT, FORM_FUNCTION, false },
	{ "fexit.s+", find_function, CALL_EXIT, FORM_FUNCTION, false },
	{ "perf_event", find_sample, 0, FORM_RECORD, false },
	{ "uprobe+", find_uprobe, PROBE_ENTER, FORM_REGS, false },
	{ "uprobe.s+", find_uprobe, PROBE_ENTER, FORM_REGS, false },
	{ "uretprobe+", find_uprobe, PROBE_LEAVE, FORM_REGS, false },
	{ "uretprobe.s+", find_uprobe, PROBE_LEAVE, FORM_REGS, false },
	{ "uprobe.multi+", find_uprobes, PROBE_ENTER, FORM_REGS, false },
	{ "uprobe.multi.s+", find_uprobes, PROBE_ENTER, FORM_REGS, false },
	{ "uretprobe.multi+", find_uprobes, PROBE_LEAVE, FORM_REGS, false },
	{ "uretprobe.multi.s+", find_uprobes, PROBE_LEAVE, FORM_REGS, false },
	{ "uprobe.session+", find_uprobes, PROBE_SESSION, FORM_REGS, false },
	{ "uprobe.session.s+", find_uprobes, PROBE_SESSION, FORM_REGS, false },
	{ "usdt+", find_usdt, PROBE_ENTER, FORM_REGS, false },
	{ "usdt.s+", find_usdt, PROBE_ENTER, FORM_REGS, false },
};

/* --- the board --- */

/* Calls that the gate takes part in, whoever waits for them. */
static const uint16_t gated[] = {
#define GATED(name, fn) SYS_##name,
#include "hook/gated.def"
#undef GATED
};

/* The calls that the kernel's own pages make in a process (vDSO), which nobody patches. */
static const uint16_t kernels[] = {
	SYS_gettimeofday, SYS_time, SYS_clock_gettime, SYS_clock_getres, SYS_getcpu, SYS_getrandom,
};

static bool waits_for_kernels(const struct board *board)
{
	bool waits = board->event[EVENT_SYS_ENTER] || board->event[EVENT_SYS_EXIT];

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		waits |= board->wanted[kernels[i] / 64] >> kernels[i] % 64 & 1;
	return waits;
}

/*
 * What nobody waits for goes at once, unless samples interrupt it: the gate lets it wait on.
 * What no patch catches need be caught only where somebody waits for it, and then patched sites
 * may not make calls by themselves, which would be caught, too.
 */
static void settle_ways(struct board *board)
{
	bool dispatched = waits_for_kernels(board);
	uint8_t way[256];

	memset(way, dispatched || board->event[EVENT_SAMPLE], sizeof(way));
	for (size_t i = 0; i < ARRAY_SIZE(gated); i++)
		way[gated[i] % 256] = 1;
	for (uint32_t nr = 0; nr < BOARD_CALLS; nr++)
		way[nr % 256] |= board->wanted[nr / 64] >> nr % 64 & 1;
	for (unsigned i = 0; i < 256; i++)
		__atomic_store_n(&board->ways.way[i], way[i], __ATOMIC_RELAXED);
	__atomic_store_n(&board->ways.dispatched, dispatched, __ATOMIC_RELEASE);
}

struct board *machine_board(struct skep_machine *machine)
{
	struct vm_world *world = machine->world;
	struct board *board = __atomic_load_n(&world->board, __ATOMIC_ACQUIRE), *first = NULL;

	if (board)
		return board;
	board = memory_alloc(machine->memory, sizeof(*board), 64);
	if (!board)
		return NULL;
	board->world = world;
	board->interpreted = machine->engine == SKEP_ENGINE_INTERPRETER;
	settle_ways(board);
	if (__atomic_compare_exchange_n(&world->board, &first, board, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return board;
	memory_release(machine->memory, board, sizeof(*board));
	return first; /* another process was faster */
}

/* What somebody who dies leaves half-done is swept by links_sweep(). */
void board_lock(struct skep_machine *machine)
{
	struct owner_table *owners = memory_owners(machine->memory);
	struct board *board;

	pthread_mutex_lock(&machine->lock);
	board = machine_board(machine);
	while (board && owner_lock(owners, &board->lock, owner_self(owners)) < 0)
		continue;
}

void board_unlock(struct skep_machine *machine)
{
	struct owner_table *owners = memory_owners(machine->memory);
	struct board *board = __atomic_load_n(&machine->world->board, __ATOMIC_ACQUIRE);

	/* Had there been no memory for one, it may be another process's by now. */
	if (board && __atomic_load_n(&board->lock, __ATOMIC_RELAXED) == owner_self(owners))
		owner_unlock(&board->lock);
	pthread_mutex_unlock(&machine->lock);
}

static bool call_has_programs(const struct board *board, uint32_t nr)
{
	for (unsigned stage = 0; stage < CALL_STAGES; stage++)
		if (board->call[nr][stage])
			return true;
	return false;
}

static void settle_wanted(struct board *board)
{
	bool all = board->event[EVENT_SYS_ENTER] || board->event[EVENT_SYS_EXIT];
	bool signals = board->event[EVENT_SIGNAL] != NULL;
	uint64_t wanted[BOARD_CALLS / 64] = { 0 };

	for (uint32_t nr = 0; nr < BOARD_CALLS; nr++)
		if (all || call_has_programs(board, nr) || (signals && context_sends_signal(nr)) ||
		    (board->links && board_changes_task(nr)))
			wanted[nr / 64] |= UINT64_C(1) << nr % 64;
	for (uint32_t i = 0; i < BOARD_CALLS / 64; i++)
		__atomic_store_n(&board->wanted[i], wanted[i], __ATOMIC_RELEASE);
	__atomic_store_n(&board->wants_all, all, __ATOMIC_RELEASE);
	if (!board->event[EVENT_SAMPLE])
		__atomic_store_n(&board->sample_ns, 0, __ATOMIC_RELEASE);
	settle_ways(board);
}

/* --- lists --- */

static size_t list_size(uint32_t count)
{
	return sizeof(struct board_list) + count * sizeof(struct board_link);
}

static void replace(struct skep_machine *machine, const struct board_list **slot,
		    struct board_list *list)
{
	const struct board_list *old = *slot;

	__atomic_store_n(slot, list, __ATOMIC_RELEASE);
	if (old)
		memory_retire(machine->memory, (void *)(uintptr_t)old, list_size(old->count));
}

static int list_add(struct skep_machine *machine, const struct place *place,
		    const struct board_link *link)
{
	const struct board_list *old = *place->slot;
	uint32_t count = old ? old->count : 0;
	struct board_list *list = memory_alloc(machine->memory, list_size(count + 1), 16);

	if (!list)
		return -ENOMEM;
	if (count)
		memcpy(list->links, old->links, count * sizeof(*link));
	list->links[count] = *link;
	list->links[count].form = place->form;
	list->links[count].modifies = place->modifies;
	if (place->has_spec)
		list->links[count].cookie = place->cookie;
	list->count = count + 1;
	replace(machine, place->slot, list);
	return 0;
}

typedef bool leaves_fn(struct skep_machine *machine, const struct board_link *link, uint32_t id);

/* Without memory for a shorter list, the program stays on the old one, as a link
 * that runs nothing: only its code is taken away. */
static void list_filter(struct skep_machine *machine, const struct board_list **slot, leaves_fn *leaves,
			uint32_t id)
{
	const struct board_list *old = *slot;
	struct board_list *list = NULL;
	uint32_t kept = 0;

	for (uint32_t i = 0; old && i < old->count; i++)
		kept += !leaves(machine, &old->links[i], id);
	if (!old || kept == old->count)
		return;
	if (kept) {
		list = memory_alloc(machine->memory, list_size(kept), 16);
		if (!list) {
			for (uint32_t i = 0; i < old->count; i++)
				if (leaves(machine, &old->links[i], id))
					__atomic_store_n((const struct code **)(uintptr_t)&old->links[i].code,
							 NULL, __ATOMIC_RELEASE);
			return;
		}
		for (uint32_t i = 0; i < old->count; i++)
			if (!leaves(machine, &old->links[i], id))
				list->links[list->count++] = old->links[i];
	}
	replace(machine, slot, list);
}

static bool is_link(struct skep_machine *machine, const struct board_link *link, uint32_t id)
{
	(void)machine;
	return link->id == id;
}

static void list_remove(struct skep_machine *machine, const struct place *place, uint32_t id)
{
	list_filter(machine, place->slot, is_link, id);
}

/* --- what the dead have left --- */

static bool is_dead(struct skep_machine *machine, const struct board_link *link, uint32_t id)
{
	(void)id;
	return owner_dead(memory_owners(machine->memory), link->owner);
}

/* True: others' are left. */
static bool list_sweep(struct skep_machine *machine, const struct board_list **slot)
{
	list_filter(machine, slot, is_dead, 0);
	return *slot != NULL;
}

static bool sweep_files(struct skep_machine *machine, struct patch_files *files)
{
	bool left = false;

	for (struct patch_file *file = files->first; file; file = file->next) {
		for (struct probe *probe = file->probes; probe; probe = probe->next) {
			left |= list_sweep(machine, &probe->enter);
			left |= list_sweep(machine, &probe->leave);
			left |= list_sweep(machine, &probe->session);
		}
	}
	if (!left)
		files->returns = 0;
	files_changed(machine, 0);
	return left;
}

/* Of a named machine whose supervisor was killed. What targets have of it goes when they look. */
static void links_sweep(struct skep_machine *machine)
{
	struct board *board = machine->world->board;
	bool left = board->files && sweep_files(machine, board->files);

	for (uint32_t i = 0; i < EVENT_COUNT; i++)
		left |= list_sweep(machine, &board->event[i]);
	for (uint32_t nr = 0; nr < BOARD_CALLS; nr++)
		for (uint32_t stage = 0; stage < CALL_STAGES; stage++)
			left |= list_sweep(machine, &board->call[nr][stage]);
	if (!left)
		board->links = 0;
}

/* --- links --- */

int attach_to(struct attaching *a, struct place place)
{
	struct place *added = vec_push(&a->places);

	if (!added)
		return skep_fail(a->diag, SKEP_OOM, &a->where, "a link");
	*added = place;
	return 0;
}

static void link_free(struct skep_link *link)
{
	if (!link)
		return;
	free(link->places);
	free(link->target);
	free(link);
}

/* Targets that have a file's code patched look at it again. */
static void tell_targets(const struct skep_link *link, bool up)
{
	int returns = 0;
	bool user = false;

	for (size_t i = 0; i < link->count; i++) {
		user |= link->places[i].user;
		returns += link->places[i].watches;
	}
	if (user)
		files_changed(link->machine, up ? returns : -returns);
}

void attach_specs_used(const struct attaching *a, uint8_t *used, size_t count)
{
	for (size_t i = 0; i < a->machine->links.count; i++) {
		const struct skep_link *link = a->machine->links.items[i];

		for (size_t k = 0; link->prog->object == a->prog->object && k < link->count; k++)
			if (link->places[k].has_spec && link->places[k].cookie < count)
				used[link->places[k].cookie] = 1;
	}
	for (size_t k = 0; k < a->places.count; k++)
		if (a->places.items[k].has_spec && a->places.items[k].cookie < count)
			used[a->places.items[k].cookie] = 1;
}

static void link_remove(struct skep_link *link)
{
	struct board *board = link->machine->world->board;

	for (size_t i = 0; i < link->count; i++)
		list_remove(link->machine, &link->places[i], link->id);
	board->links--;
	settle_wanted(board);
	tell_targets(link, false);
}

/* Before the machine goes. */
static void links_done(struct skep_machine *machine)
{
	board_lock(machine);
	for (size_t i = 0; i < machine->links.count; i++) {
		link_remove(machine->links.items[i]);
		link_free(machine->links.items[i]);
	}
	machine->links.count = 0;
	board_unlock(machine);
}

/* Linux checks it at the same time: only now is it known how much there is. */
static int check_room(const struct attaching *a, const struct skep_prog *prog)
{
	for (size_t i = 0; i < a->places.count; i++) {
		if (prog->code->ctx_end > a->places.items[i].room)
			return skep_fail(a->diag, SKEP_ATTACH_CONTEXT, &a->where, "'%s' reads up to "
					 "byte %u of its context; '%s' has %u", prog->name,
					 prog->code->ctx_end, a->target, a->places.items[i].room);
	}
	if (prog->code->buffer_end)
		return skep_fail(a->diag, SKEP_ATTACH_CONTEXT, &a->where, "'%s' accesses a buffer; "
				 "'%s' has none that programs may write", prog->name, a->target);
	return 0;
}

static int find_row(const struct attaching *a, const struct attach_row **row)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!a->match.prefix || strcmp(rows[i].prefix, a->match.prefix) != 0)
			continue;
		*row = &rows[i];
		return 0;
	}
	return skep_fail(a->diag, SKEP_ATTACH_PLACE, &a->where,
			 "programs of section '%s' run at nothing that targets do",
			 a->where.section);
}

static int find_places(struct attaching *a)
{
	const struct attach_row *row = NULL;
	int error = find_row(a, &row);

	return error < 0 ? error : row->find(a, row);
}

/* The board itself has a place for each system call and event: any board will do. */
static bool is_on_any_board(const struct attach_row *row)
{
	return row->find == find_tracepoint || row->find == find_raw || row->find == find_call ||
	       row->find == find_function || row->find == find_pattern ||
	       row->find == find_sample;
}

static struct skep_link *link_new(struct attaching *a, struct skep_prog *prog, uint64_t cookie)
{
	struct skep_link *link = calloc(1, sizeof(*link));
	struct skep_link **listed = vec_push(&a->machine->links);

	if (listed)
		a->machine->links.count--; /* room; it is taken when nothing can fail any more */
	if (link)
		link->target = strdup(a->target);
	if (!listed || !link || !link->target) {
		skep_report(a->diag, SKEP_OOM, &a->where, "a link");
		link_free(link);
		return NULL;
	}
	link->machine = a->machine;
	link->prog = prog;
	link->cookie = cookie;
	link->id = __atomic_add_fetch(&a->board->next_link, 1, __ATOMIC_RELAXED);
	link->places = a->places.items;
	link->count = a->places.count;
	a->places.items = NULL;
	vec_done(&a->places);
	return link;
}

static struct skep_link *link_up(struct attaching *a, struct skep_prog *prog, uint64_t cookie)
{
	struct skep_link *link = link_new(a, prog, cookie);
	struct board_link entry = { .code = prog->code, .cookie = cookie };

	if (!link)
		return NULL;
	entry.id = link->id;
	if (a->machine->links.count == 0)
		links_sweep(a->machine);
	entry.owner = owner_self(memory_owners(a->machine->memory));
	for (size_t i = 0; i < link->count; i++) {
		if (list_add(a->machine, &link->places[i], &entry) == 0)
			continue;
		skep_report(a->diag, SKEP_OOM, &a->where, "the machine's arena is full");
		while (i-- > 0)
			list_remove(a->machine, &link->places[i], link->id);
		link_free(link);
		return NULL;
	}
	a->board->links++;
	a->machine->links.items[a->machine->links.count++] = link;
	a->machine->links_done = links_done;
	settle_wanted(a->board);
	tell_targets(link, true);
	return link;
}

static struct skep_link *attach(struct attaching *a, struct skep_prog *prog, uint64_t cookie)
{
	a->prog = prog;
	a->board = machine_board(a->machine);
	if (!a->board) {
		skep_report(a->diag, SKEP_OOM, &a->where, "the machine's arena is full");
		return NULL;
	}
	if (find_places(a) < 0 || check_room(a, prog) < 0) {
		settle_wanted(a->board);
		return NULL;
	}
	return link_up(a, prog, cookie);
}

static int attaching(struct attaching *a, const struct skep_object_prog *definition,
		     const struct skep_link_opts *opts, struct skep_diag *diag)
{
	const char *place = opts ? opts->place : NULL;

	*a = (struct attaching){ .diag = diag };
	a->where = object_where(definition->object, place ? place : definition->section,
				skep_object_prog_name(definition));
	a->sample_hz = opts && opts->sample_hz ? opts->sample_hz : SAMPLE_HZ;
	if (object_prog_place(definition, place, &a->match, diag) < 0)
		return -EINVAL;
	a->target = a->match.target ? a->match.target : "";
	return 0;
}

int skep_link_check(const struct skep_object_prog *definition, const struct skep_link_opts *opts,
		    struct skep_diag *diag)
{
	const struct attach_row *row = NULL;
	struct board any = { 0 };
	struct attaching a;
	int error = attaching(&a, definition, opts, diag);

	if (!error)
		error = find_row(&a, &row);
	if (error < 0 || !is_on_any_board(row))
		return error;
	a.board = &any;
	error = row->find(&a, row);
	vec_done(&a.places);
	return error;
}

struct skep_link *skep_link_attach(struct skep_machine *machine,
				   const struct skep_object_prog *definition,
				   const struct skep_link_opts *opts, struct skep_diag *diag)
{
	struct skep_prog *prog = skep_machine_prog(machine, definition);
	struct skep_link *link;
	struct attaching a;

	if (attaching(&a, definition, opts, diag) < 0)
		return NULL;
	a.machine = machine;
	if (!prog) {
		skep_report(diag, SKEP_ARG, &a.where, "the program is not loaded into the machine");
		return NULL;
	}
	board_lock(machine);
	link = attach(&a, prog, opts ? opts->cookie : 0);
	board_unlock(machine);
	vec_done(&a.places);
	return link;
}

void skep_link_detach(struct skep_link *link)
{
	struct skep_machine *machine;

	if (!link)
		return;
	machine = link->machine;
	board_lock(machine);
	link_remove(link);
	for (size_t i = 0; i < machine->links.count; i++) {
		if (machine->links.items[i] != link)
			continue;
		memmove(&machine->links.items[i], &machine->links.items[i + 1],
			(machine->links.count - i - 1) * sizeof(link));
		machine->links.count--;
		break;
	}
	board_unlock(machine);
	link_free(link);
}

void skep_link_info(const struct skep_link *link, struct skep_link_info *info)
{
	*info = (struct skep_link_info){ .id = link->id, .prog = link->prog,
					 .target = link->target, .places = link->count,
					 .cookie = link->cookie };
}

void skep_machine_link_counts(struct skep_machine *machine, struct skep_link_counts *counts)
{
	const struct board *board = machine->world->board;

	*counts = (struct skep_link_counts){ 0 };
	if (!board)
		return;
	counts->missed_inside = __atomic_load_n(&board->missed_inside, __ATOMIC_RELAXED);
	counts->missed_busy = __atomic_load_n(&board->missed_busy, __ATOMIC_RELAXED);
	counts->missed_returns = __atomic_load_n(&board->missed_returns, __ATOMIC_RELAXED);
	counts->missed_samples = __atomic_load_n(&board->missed_samples, __ATOMIC_RELAXED);
	counts->faults = __atomic_load_n(&board->faults, __ATOMIC_RELAXED);
}
