/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach_user.c - programs to functions of executables and libraries.
 *
 * The kernel probes places in files; which function is where, src/hook/symbols.c
 * tells, as it does for probes in Skep's own targets.
 */
#include "linux/attach.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>

#include "hook/symbols.h"

/* The file and the rest of "FILE:REST"; the caller frees *path. */
static int open_target(const struct attaching *a, char **path, struct binary **binary,
		       const char **rest)
{
	const char *colon = strrchr(a->target, ':');
	char *name = colon ? strndup(a->target, (size_t)(colon - a->target)) : NULL;

	*path = NULL;
	*binary = NULL;
	if (!colon || !*name || !colon[1]) {
		free(name);
		return attach_wants_target(a, "uprobe/FILE:FUNCTION");
	}
	*rest = colon + 1;
	*path = binary_find(name, a->diag);
	free(name);
	*binary = *path ? binary_open(*path, NULL, a->diag) : NULL;
	return *binary ? 0 : -ENOENT;
}

int attach_uprobe(const struct attaching *a)
{
	struct perf_event_attr attr = { .sample_period = 1 };
	struct binary *binary;
	const char *function;
	uint64_t address;
	char *path;
	int error = open_target(a, &path, &binary, &function);

	if (!error)
		error = binary_address(binary, function, &address, a->diag);
	if (!error) {
		error = attach_device("uprobe", &attr, a->flags & RETURN);
		attr.config1 = (uintptr_t)path;
		attr.config2 = (uint64_t)binary_offset(binary, address);
		if (!error)
			error = attach_event(a, &attr, 0);
		if (error)
			error = attach_failed(a, error, "be attached to %s in %s", function, path);
	}
	binary_free(binary);
	free(path);
	return error;
}

struct places {
	const struct binary *binary;
	VEC(uint64_t) offsets;
};

static int add_place(void *arg, const struct function *function)
{
	struct places *places = arg;
	int64_t offset = binary_offset(places->binary, function->address);
	uint64_t *place = offset < 0 ? NULL : vec_push(&places->offsets);

	if (place)
		*place = (uint64_t)offset;
	return offset >= 0 && !place ? -ENOMEM : 0;
}

int attach_uprobe_multi(const struct attaching *a)
{
	struct sys_multi attr = { .prog = (uint32_t)a->loaded->fd,
				  .attach = a->prog->match.attach,
				  .probe_flags = a->flags & RETURN };
	struct places places = { 0 };
	struct binary *binary;
	const char *pattern;
	char *path;
	int error = open_target(a, &path, &binary, &pattern);

	if (!error) {
		places.binary = binary;
		error = binary_match(binary, pattern, add_place, &places);
		attr.path = (uintptr_t)path;
		attr.offsets = (uintptr_t)places.offsets.items;
		attr.count = (uint32_t)places.offsets.count;
		if (error > 0)
			error = attach_keep(a, (int)sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr)));
		else if (error == 0)
			error = -ENOENT;
		if (error)
			error = attach_failed(a, error, "be attached to functions like %s in %s",
					      pattern, path);
	}
	vec_done(&places.offsets);
	binary_free(binary);
	free(path);
	return error;
}
