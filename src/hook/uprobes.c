/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uprobes.c - the places in files' code that sections name: PATH:FUNCTION, PATH:PATTERN and
 * PATH:PROVIDER:NAME.
 */
#include <errno.h>

#include "hook/attach.h"
#include "hook/files.h"
#include "hook/usdt.h"
#include "map/map.h"

#define SPECS_MAP "__bpf_usdt_specs"

enum { SPEC_MAX = 4096, SPECS_MAX = 1 << 20 };

/* "PATH:REST": opens the file; *rest is behind the colon. */
static struct scanned_file *open_target(struct attaching *a, const char **rest)
{
	const char *slash = strrchr(a->target, '/');
	const char *colon = strchr(slash ? slash : a->target, ':');
	struct scanned_file *scanned;
	char *name, *path;

	if (!colon || colon == a->target || !colon[1]) {
		skep_report(a->diag, SKEP_ATTACH_PLACE, &a->where,
			    "'%s': what is probed is named as PATH:FUNCTION", a->target);
		return NULL;
	}
	*rest = colon + 1;
	name = strndup(a->target, (size_t)(colon - a->target));
	path = name ? binary_find(name, a->diag) : NULL;
	scanned = path ? files_scan(a->machine, path, a->diag) : NULL;
	free(path);
	free(name);
	return scanned;
}

static int check_return(const struct attaching *a, const struct scanned_file *scanned,
			uint64_t address)
{
	enum return_use use;

	if (scanned->binary->is_go)
		return skep_fail(a->diag, SKEP_PROBE_RETURN, &a->where,
				 "%s is a Go program, whose stacks move: the return of a function "
				 "cannot be watched by its return address", scanned->binary->path);
	if (!scan_is_start(scanned->scan, address))
		return skep_fail(a->diag, SKEP_PROBE_RETURN, &a->where,
				 "0x%llx of %s is not the start of a function",
				 (unsigned long long)address, scanned->binary->path);
	use = scan_return_use(scanned->scan, address);
	if (use == RETURN_NONE)
		return skep_fail(a->diag, SKEP_PROBE_RETURN, &a->where,
				 "no call leads to 0x%llx of %s, so nothing returns from there: it is a "
				 "part of a function, or where a program begins",
				 (unsigned long long)address, scanned->binary->path);
	if (use == RETURN_KEPT)
		return skep_fail(a->diag, SKEP_PROBE_RETURN, &a->where,
				 "the function at 0x%llx of %s keeps its return address and returns by "
				 "it again, as setjmp and vfork do", (unsigned long long)address,
				 scanned->binary->path);
	return 0;
}

/* Adds the place at an address of the file. */
static int add_place(struct attaching *a, const struct attach_row *row,
		     struct scanned_file *scanned, uint64_t address, uint64_t semaphore,
		     struct place place)
{
	struct probe *probe;

	if (row->stage != PROBE_ENTER && check_return(a, scanned, address) < 0)
		return -SKEP_PROBE_RETURN_ERRNO;
	probe = files_probe(a->machine, scanned, address, semaphore, a->diag);
	if (!probe)
		return -EINVAL;
	place.slot = row->stage == PROBE_ENTER ? &probe->enter
		     : row->stage == PROBE_LEAVE ? &probe->leave : &probe->session;
	place.form = row->form;
	place.room = sizeof(struct target_regs);
	place.user = true;
	place.watches = row->stage != PROBE_ENTER;
	return attach_to(a, place);
}

int find_uprobe(struct attaching *a, const struct attach_row *row)
{
	const char *function;
	struct scanned_file *scanned = open_target(a, &function);
	uint64_t address;

	if (!scanned || binary_address(scanned->binary, function, &address, a->diag) < 0)
		return -ENOENT;
	return add_place(a, row, scanned, address, 0, (struct place){ 0 });
}

struct matching {
	struct attaching *a;
	const struct attach_row *row;
	struct scanned_file *scanned;
	size_t count;
};

/* Whoever asks for all functions has not asked for those that it would change, for what is none,
 * and for what cannot be probed, as a breakpoint. */
static bool can_match(const struct matching *m, uint64_t address)
{
	struct scan *scan = m->scanned->scan;

	if (m->row->stage != PROBE_ENTER &&
	    (!scan_is_start(scan, address) || scan_return_use(scan, address) != RETURN_UNUSED))
		return false;
	return scan_can_probe(scan, address);
}

static int add_match(void *arg, const struct function *function)
{
	struct matching *m = arg;

	if (!can_match(m, function->address))
		return 0;
	m->count++;
	return add_place(m->a, m->row, m->scanned, function->address, 0, (struct place){ 0 });
}

int find_uprobes(struct attaching *a, const struct attach_row *row)
{
	const char *pattern;
	struct matching m = { a, row, open_target(a, &pattern), 0 };
	uint64_t address;
	int count;

	if (!m.scanned)
		return -ENOENT;
	if (!strpbrk(pattern, "*?[")) {
		if (binary_address(m.scanned->binary, pattern, &address, a->diag) < 0)
			return -ENOENT;
		return add_place(a, row, m.scanned, address, 0, (struct place){ 0 });
	}
	count = binary_match(m.scanned->binary, pattern, add_match, &m);
	if (count == 0)
		return skep_fail(a->diag, SKEP_TARGET_FUNCTION, &a->where,
				 "no function of %s matches '%s'", m.scanned->binary->path,
				 pattern);
	if (count > 0 && m.count == 0)
		return skep_fail(a->diag, SKEP_PROBE_RETURN, &a->where,
				 "no function of %s that matches '%s' can be watched",
				 m.scanned->binary->path, pattern);
	return count < 0 ? count : 0;
}

/* --- statically defined probes --- */

struct describing {
	struct matching m;
	struct skep_map *map;      /* of the object's argument descriptions; NULL: it has none */
	struct usdt_layout layout;
	uint8_t *used;             /* keys of the map */
	uint32_t count;
	bool failed;               /* reported */
};

static struct skep_map *specs_of(const struct attaching *a)
{
	for (size_t i = 0; i < a->machine->maps.count; i++) {
		struct skep_map *map = a->machine->maps.items[i];

		if (map->object == a->prog->object && strcmp(map->name, SPECS_MAP) == 0)
			return map;
	}
	return NULL;
}

/* Puts the description into the map; its key is the program's cookie there. */
static int describe(struct describing *d, const struct usdt_place *at, struct place *place)
{
	const struct attaching *a = d->m.a;
	uint8_t spec[SPEC_MAX];
	uint32_t key = 0;

	if (!usdt_write(&d->layout, at, 0, spec))
		return skep_fail(a->diag, SKEP_USDT_ARGS, &a->where,
				 "%s:%s: an argument has an index register, which the <bpf/usdt.bpf.h> "
				 "that the program was built with cannot describe", at->provider,
				 at->name);
	while (key < d->count && d->used[key])
		key++;
	if (key == d->count)
		return skep_fail(a->diag, SKEP_USDT_MAP, &a->where,
				 "all %u entries of " SPECS_MAP " are in use", d->count);
	d->used[key] = 1;
	place->has_spec = true;
	place->cookie = key;
	return map_user_update(d->map->map, &key, spec, 0);
}

static int add_usdt(void *arg, const struct usdt_place *at)
{
	struct describing *d = arg;
	struct place place = { 0 };

	if (d->map && describe(d, at, &place) < 0)
		return -EINVAL;
	return add_place(d->m.a, d->m.row, d->m.scanned, at->address, at->semaphore, place);
}

/* "PATH:PROVIDER:NAME" */
static int add_all(struct describing *d, const char *target)
{
	const char *colon = strchr(target, ':');
	struct attaching *a = d->m.a;
	char *provider;
	int count;

	if (!colon || colon == target || !colon[1])
		return skep_fail(a->diag, SKEP_ATTACH_PLACE, &a->where,
				 "'%s': a static probe is named as PATH:PROVIDER:NAME", a->target);
	provider = strndup(target, (size_t)(colon - target));
	if (!provider)
		return skep_fail(a->diag, SKEP_OOM, &a->where, "the name of a probe");
	count = usdt_each(d->m.scanned->binary, provider, colon + 1, add_usdt, d, a->diag);
	free(provider);
	return count < 0 ? count : 0;
}

int find_usdt(struct attaching *a, const struct attach_row *row)
{
	const char *rest;
	struct describing d = { .m = { a, row, open_target(a, &rest), 0 }, .map = specs_of(a) };
	int error;

	if (!d.m.scanned)
		return -ENOENT;
	usdt_layout(d.map ? d.map->btf : NULL, &d.layout);
	if (d.map) {
		d.count = MIN(d.map->map->max_entries, (uint32_t)SPECS_MAX);
		if (d.map->map->value_size != d.layout.size)
			return skep_fail(a->diag, SKEP_USDT_MAP, &a->where,
					 SPECS_MAP " has values of %u bytes, not %u",
					 d.map->map->value_size, d.layout.size);
		d.used = calloc(d.count + 1, 1);
		if (!d.used)
			return skep_fail(a->diag, SKEP_OOM, &a->where, "the keys of " SPECS_MAP);
		attach_specs_used(a, d.used, d.count);
	}
	error = add_all(&d, rest);
	free(d.used);
	return error;
}
