/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * types.c - an object's BTF in the running kernel.
 *
 * Ids must stay what the object's records say, so types that the kernel does
 * not take in an object, those of what is outside of it, are put in another
 * form of the same length:
 *
 *   a function outside         a typedef of its prototype
 *   a variable outside         a variable of the object
 *   the section that lists     a structure without a name, of as many integers
 *   them (it has no size)
 */
#include "btf/btf.h"
#include "linux/impl.h"

enum { FUNC_STATIC = 0, FUNC_EXTERN = 2, VAR_GLOBAL = 1, VAR_EXTERN = 2, FOUR = 4 };

static uint32_t info_of(enum btf_kind kind, uint32_t vlen)
{
	return (uint32_t)kind << 24 | vlen;
}

bool linux_keeps_section(const struct skep_btf *btf, uint32_t id)
{
	const struct btf_type *t = btf_type(btf, id);

	return btf_kind(t) == BTF_DATASEC && t->size;
}

static uint32_t find_int(const struct skep_btf *btf)
{
	for (uint32_t id = 1; id <= skep_btf_count(btf); id++)
		if (btf_kind(btf_type(btf, id)) == BTF_INT && btf_type(btf, id)->size == FOUR)
			return id;
	return 0;
}

static void section_to_struct(struct btf_type *t, uint32_t int_id)
{
	struct btf_member *members = (void *)(t + 1);

	_Static_assert(sizeof(struct btf_member) == sizeof(struct btf_secinfo), "same length");
	t->name_off = 0;
	t->size = btf_vlen(t) * FOUR;
	t->info = info_of(BTF_STRUCT, btf_vlen(t));
	for (uint32_t i = 0; i < btf_vlen(t); i++)
		members[i] = (struct btf_member){ 0, int_id, i * FOUR * 8 };
}

/* t is a copy; what follows it is too. */
static void put_inside(const struct skep_btf *btf, struct btf_type *t, uint32_t int_id)
{
	uint32_t *linkage = (void *)(t + 1);

	if (btf_kind(t) == BTF_FUNC && btf_vlen(t) == FUNC_EXTERN)
		t->info = info_of(BTF_TYPEDEF, 0);
	if (btf_kind(t) == BTF_DATASEC && !t->size)
		section_to_struct(t, int_id);
	if (btf_kind(t) != BTF_VAR || *linkage != VAR_EXTERN)
		return;
	*linkage = VAR_GLOBAL;
	if (!btf_skip_mods_and_typedefs(btf, t->type))
		t->type = int_id;
}

int linux_load_types(const struct skep_btf *btf)
{
	char *raw = malloc(btf_raw_size(btf));
	struct sys_btf attr = { .bytes = (uintptr_t)raw, .size = (uint32_t)btf_raw_size(btf) };
	uint32_t int_id = find_int(btf);
	int fd;

	if (!raw)
		return -ENOMEM;
	btf_raw_write(btf, raw);
	for (uint32_t id = 1; id <= skep_btf_count(btf); id++)
		put_inside(btf, (void *)(raw + btf_raw_offset(btf, id)), int_id);
	fd = (int)sys_bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
	free(raw);
	return fd;
}
