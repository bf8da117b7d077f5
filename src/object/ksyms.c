/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksyms.c - finding what an object wants of the kernel by name: functions and
 * typed variables in the kernel's BTF, untyped addresses in its symbol list.
 */
#include "object/object.h"

#include <inttypes.h>
#include <stdio.h>

/* "bpf_foo___v2" asks for bpf_foo: flavours of one function live side by side. */
static size_t essential_length(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = len; i >= 5; i--)
		if (strncmp(name + i - 4, "___", 3) == 0 && name[i - 5] != '_' &&
		    name[i - 1] != '_')
			return i - 4;
	return len;
}

static uint32_t find_in_kernel(const struct skep_btf *kernel, const struct object_extern *ext)
{
	unsigned kind = ext->kind == EXTERN_KFUNC ? BTF_FUNC : BTF_VAR;
	char name[256];

	if (!kernel)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)MIN(essential_length(ext->name), (size_t)255),
		 ext->name);
	return skep_btf_find(kernel, name, kind);
}

/* 0 where the list is not there or hides its addresses. */
static uint64_t find_address(const char *wanted)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	uint64_t address, found = 0;
	char name[512];
	char type;

	if (!file)
		return 0;
	while (!found && fscanf(file, "%" SCNx64 " %c %511s%*[^\n]\n", &address, &type, name) == 3)
		if (strcmp(name, wanted) == 0)
			found = address;
	fclose(file);
	return found;
}

int ksym_resolve(struct skep_object *object, struct object_extern *ext,
		 const struct skep_where *where, struct skep_diag *diag)
{
	const struct skep_btf *kernel;

	if (ext->problem)
		return skep_fail(diag, SKEP_OBJECT_EXTERN, where, "extern '%s': %s", ext->name,
				 ext->problem);
	if (!ext->resolved && ext->untyped) {
		ext->address = find_address(ext->name);
	} else if (!ext->resolved) {
		kernel = object_kernel_btf(object);
		ext->kernel_id = find_in_kernel(kernel, ext);
	}
	ext->resolved = true;
	if (ext->weak || ext->kernel_id || ext->address)
		return 0;
	if (ext->kind == EXTERN_KFUNC)
		return skep_fail(diag, SKEP_OBJECT_EXTERN, where,
				 "extern (func ksym) '%s': not found in kernel or module BTFs",
				 ext->name);
	return skep_fail(diag, SKEP_OBJECT_EXTERN, where, "extern (var ksym) '%s': not found in "
			 "kernel %s", ext->name, ext->untyped ? "symbols" : "BTF");
}
