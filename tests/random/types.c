/* SPDX-License-Identifier: BSD-2-Clause */
/* types.c - the types and maps that made programs use (see program.h). */
#include <stdlib.h>
#include <string.h>

#include "program.h"

struct random_kfuncs random_kfuncs;
struct random_types random_types;

enum {
	KIND_INT = 1, KIND_PTR, KIND_STRUCT = 4, KIND_FUNC = 12, KIND_PROTO,
	STATIC = 0, GLOBAL = 1,
};

struct image {
	uint32_t words[256], count;
	char names[256];
	uint32_t used, ids;
};

static uint32_t name(struct image *image, const char *text)
{
	uint32_t at = image->used;

	if (!text)
		return 0;
	memcpy(image->names + at, text, strlen(text) + 1);
	image->used += (uint32_t)strlen(text) + 1;
	return at;
}

static uint32_t type(struct image *image, const char *text, uint32_t kind, uint32_t more,
		     uint32_t size)
{
	image->words[image->count++] = name(image, text);
	image->words[image->count++] = kind << 24 | more;
	image->words[image->count++] = size;
	return ++image->ids;
}

static void word(struct image *image, uint32_t value)
{
	image->words[image->count++] = value;
}

static uint32_t integer(struct image *image, const char *text, uint32_t bytes, bool is_signed)
{
	uint32_t id = type(image, text, KIND_INT, 0, bytes);

	word(image, (is_signed ? 1u << 24 : 0) | bytes * 8);
	return id;
}

static void member(struct image *image, const char *text, uint32_t id, uint32_t bytes)
{
	word(image, name(image, text));
	word(image, id);
	word(image, bytes * 8);
}

static uint32_t function(struct image *image, const char *text, uint32_t linkage, uint32_t returns,
			 const uint32_t *args, uint32_t count)
{
	uint32_t proto = type(image, NULL, KIND_PROTO, count, returns);

	for (uint32_t i = 0; i < count; i++) {
		char arg[2] = { (char)('a' + i), 0 };

		word(image, name(image, arg));
		word(image, args[i]);
	}
	return type(image, text, KIND_FUNC, linkage, proto);
}

static void all_types(struct image *image)
{
	uint32_t number = integer(image, "int", 4, true), wide = integer(image, "u64", 8, false);
	uint32_t half = integer(image, "u32", 4, false), pair, lock;
	uint32_t pointer = type(image, NULL, KIND_PTR, 0, 0), to_pair;

	pair = type(image, "pair", KIND_STRUCT, 2, 16);
	member(image, "a", wide, 0);
	member(image, "b", wide, 8);
	to_pair = type(image, NULL, KIND_PTR, 0, pair);
	random_types.key = half;
	random_types.main = function(image, "main", GLOBAL, number, &pointer, 1);
	random_types.leaf = function(image, "leaf", STATIC, number,
				     (uint32_t[]){ wide, wide, wide }, 3);
	random_types.scalars = function(image, "scalars", GLOBAL, number,
					(uint32_t[]){ wide, half }, 2);
	random_types.memory = function(image, "memory", GLOBAL, number, &to_pair, 1);
	random_types.loop_callback = function(image, "loop_callback", STATIC, number,
					      (uint32_t[]){ half, pointer }, 2);
	random_types.each_callback = function(image, "each_callback", STATIC, number,
					      (uint32_t[]){ pointer, pointer, pointer, pointer }, 4);
	lock = type(image, "bpf_spin_lock", KIND_STRUCT, 1, 4);
	member(image, "val", half, 0);
	random_types.locked_value = type(image, "locked", KIND_STRUCT, 4, LOCKED_VALUE);
	member(image, "lock", lock, 0);
	member(image, "x", half, 4);
	member(image, "y", wide, 8);
	member(image, "z", wide, 16);
}

void *random_btf(size_t *size)
{
	struct image image = { .used = 1 };
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t header, type_off, type_len, name_off, name_len;
	} head = { 0xeb9f, 1, 0, 24, 0, 0, 0, 0 };
	char *bytes;

	all_types(&image);
	head.type_len = head.name_off = image.count * 4;
	head.name_len = image.used;
	*size = sizeof(head) + head.type_len + head.name_len;
	bytes = malloc(*size);
	if (!bytes)
		return NULL;
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), image.words, head.type_len);
	memcpy(bytes + sizeof(head) + head.type_len, image.names, head.name_len);
	return bytes;
}

void random_maps(struct map_spec specs[MADE_MAPS])
{
	static uint8_t constants[CONST_VALUE];
	static const struct map_spec made[MADE_MAPS] = {
		[MADE_ARRAY] = { .name = "array", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				.value_size = ARRAY_VALUE, .max_entries = ARRAY_ENTRIES },
		[MADE_HASH] = { .name = "hash", .type = BPF_MAP_TYPE_HASH, .key_size = 4,
			       .value_size = HASH_VALUE, .max_entries = HASH_ENTRIES },
		[MADE_RING] = { .name = "ring", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096 },
		[MADE_PERCPU] = { .name = "percpu", .type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4,
				 .value_size = PERCPU_VALUE, .max_entries = 2 },
		[MADE_CONST] = { .name = "const", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				.value_size = CONST_VALUE, .max_entries = 1,
				.flags = BPF_F_RDONLY_PROG, .internal = true },
		[MADE_DATA] = { .name = "data", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			       .value_size = DATA_VALUE, .max_entries = 1, .internal = true },
		[MADE_LOCKED] = { .name = "locked", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				 .value_size = LOCKED_VALUE, .max_entries = 1 },
		[MADE_PROGS] = { .name = "progs", .type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4,
				.value_size = 4, .max_entries = 4 },
	};

	memcpy(specs, made, sizeof(made));
	for (unsigned i = 0; i < sizeof(constants); i++)
		constants[i] = (uint8_t)(i * 7);
	specs[MADE_CONST].frozen = constants;
}

struct prog_spec random_spec(const struct random_program *program)
{
	const struct random_world *world = program->world;

	return (struct prog_spec){
		.name = "random", .section = "random", .object = "random",
		.type = prog_type(program->type), .attach = program->attach,
		.flags = program->flags, .insns = program->insns, .len = program->len,
		.maps = world->spec_list, .map_count = world->map_count, .btf = world->btf,
		.funcs = program->funcs, .func_count = program->func_count,
		.kernel_btf = world->kernel_btf, .license = "GPL",
	};
}
