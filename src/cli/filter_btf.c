/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_btf.c - the BTF of a filter's object: the program's prototype, the map of tables, and as the
 * source of each instruction the line of the filter's listing that it came from.
 *
 *   .BTF:      header | types | strings        .BTF.ext:  header | functions | lines
 */
#include "cli/filter.h"

#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0xeb9f, VERSION = 1 };
enum { KIND_INT = 1, KIND_PTR = 2, KIND_ARRAY = 3, KIND_FWD = 7, KIND_FUNC = 12, KIND_FUNC_PROTO = 13,
       KIND_VAR = 14, KIND_DATASEC = 15 };
enum { GLOBAL = 1, SIGNED = 1 << 24 };
enum { TYPE_INT = 1, TYPE_CONTEXT, TYPE_POINTER, TYPE_PROTOTYPE, TYPE_FUNCTION, TYPE_BYTE, TYPE_ARRAY,
       TYPE_TABLES };
enum { LINE_MAX = 200 };

static void add_bytes(struct filter_bytes *bytes, const void *data, size_t size)
{
	if (bytes->size + size > bytes->room) {
		size_t room = 2 * (bytes->size + size);
		uint8_t *more = bytes->failed ? NULL : realloc(bytes->data, room);

		if (!more) {
			bytes->failed = true;
			return;
		}
		bytes->data = more;
		bytes->room = room;
	}
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void add_words(struct filter_bytes *bytes, const uint32_t *words, size_t count)
{
	add_bytes(bytes, words, count * sizeof(*words));
}

#define ADD(bytes, ...) \
	add_words((bytes), (const uint32_t[]){ __VA_ARGS__ }, \
		  sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static uint32_t add_string(struct filter_bytes *strings, const char *text)
{
	uint32_t at = (uint32_t)strings->size;

	add_bytes(strings, text, strlen(text) + 1);
	return at;
}

static uint32_t info(uint32_t kind, uint32_t count)
{
	return kind << 24 | count;
}

/* name, info, size or type, and what a kind has behind that */
static void add_types(struct filter_bytes *types, struct filter_bytes *strings, bool xdp, uint32_t tables)
{
	uint32_t context = add_string(strings, xdp ? "xdp_md" : "__sk_buff");

	ADD(types, add_string(strings, "int"), info(KIND_INT, 0), 4, SIGNED | 32);
	ADD(types, context, info(KIND_FWD, 0), 0);
	ADD(types, 0, info(KIND_PTR, 0), TYPE_CONTEXT);
	ADD(types, 0, info(KIND_FUNC_PROTO, 1), TYPE_INT, add_string(strings, "ctx"), TYPE_POINTER);
	ADD(types, add_string(strings, "filter"), info(KIND_FUNC, GLOBAL), TYPE_PROTOTYPE);
	if (!tables)
		return;
	ADD(types, add_string(strings, "unsigned char"), info(KIND_INT, 0), 1, 8);
	ADD(types, 0, info(KIND_ARRAY, 0), 0, TYPE_BYTE, TYPE_INT, tables);
	ADD(types, add_string(strings, FILTER_TABLES), info(KIND_VAR, 0), TYPE_ARRAY, GLOBAL);
	ADD(types, add_string(strings, ".rodata"), info(KIND_DATASEC, 1), tables, TYPE_TABLES, 0, tables);
}

struct lines {
	struct filter_bytes records;
	uint32_t count;
	size_t last;             /* the slot of the latest */
};

/* Two lines at one slot: only the later one has instructions. */
static void add_line(struct lines *lines, size_t slot, uint32_t file, uint32_t text, size_t number)
{
	if (lines->count && lines->last == slot) {
		lines->records.size -= 4 * sizeof(uint32_t);
		lines->count--;
	}
	ADD(&lines->records, (uint32_t)(slot * 8), file, text, (uint32_t)number << 10);
	lines->last = slot;
	lines->count++;
}

static void add_lines(struct lines *lines, struct filter_bytes *strings, const struct filter_code *code,
		      const struct skep_cbpf_ebpf *ebpf)
{
	char text[LINE_MAX], line[LINE_MAX + 16];
	uint32_t file = add_string(strings, "filter");

	snprintf(text, sizeof(text), "%.*s", LINE_MAX - 1, code->name);
	add_line(lines, 0, file, add_string(strings, text), 1);
	for (size_t i = 0; i < ebpf->start_count; i++) {
		if (ebpf->starts[i] >= ebpf->count)
			continue;
		skep_cbpf_program_line(code->program, i, text, sizeof(text));
		for (char *at = text; *at; at++)
			*at = *at == '\t' ? ' ' : *at;
		snprintf(line, sizeof(line), "(%03zu) %s", i, text);
		add_line(lines, ebpf->starts[i], file, add_string(strings, line), i + 1);
	}
}

static void add_header(struct filter_bytes *out, uint32_t size)
{
	ADD(out, MAGIC | VERSION << 16, size);
}

bool filter_btf_make(struct filter_btf *btf, const struct filter_code *code,
		     enum skep_cbpf_target target, const struct skep_cbpf_ebpf *ebpf)
{
	struct filter_bytes types = { 0 }, strings = { 0 };
	struct lines lines = { 0 };
	bool xdp = target == SKEP_CBPF_TO_XDP;
	uint32_t section, functions = 4 + 8 + 8, size;

	add_string(&strings, "");
	section = add_string(&strings, xdp ? "xdp" : "tc");
	add_types(&types, &strings, xdp, (uint32_t)ebpf->data_size);
	add_lines(&lines, &strings, code, ebpf);
	size = (uint32_t)types.size;
	add_header(&btf->types, 24);
	ADD(&btf->types, 0, size, size, (uint32_t)strings.size);
	add_bytes(&btf->types, types.data, types.size);
	add_bytes(&btf->types, strings.data, strings.size);
	size = 4 + 8 + (uint32_t)lines.records.size;
	add_header(&btf->lines, 32);
	ADD(&btf->lines, 0, functions, functions, size, functions + size, 0);
	ADD(&btf->lines, 8, section, 1, 0, TYPE_FUNCTION);
	ADD(&btf->lines, 16, section, lines.count);
	add_bytes(&btf->lines, lines.records.data, lines.records.size);
	btf->lines.failed |= types.failed || strings.failed || lines.records.failed || btf->types.failed;
	free(types.data);
	free(strings.data);
	free(lines.records.data);
	return !btf->lines.failed;
}

void filter_btf_done(struct filter_btf *btf)
{
	free(btf->types.data);
	free(btf->lines.data);
}
