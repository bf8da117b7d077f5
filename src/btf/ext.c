/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext.c - .BTF.ext: which instruction belongs to which function, which source
 * line, and which CO-RE relocations it needs.
 *
 *   | header | func list | line list | relo list |
 *   list:    | record size | section, count, records | section, ... |
 *
 * Records may be larger than the ones known here: newer producers append
 * fields. They are copied to the known size, as host words.
 */
#include "btf/impl.h"

struct list {
	const char *what;        /* for messages */
	uint32_t off, len;       /* from the end of the header */
	uint32_t record;         /* bytes known here */
	struct btf_ext_section **sections;
	size_t *count;
};

struct source {
	const struct skep_btf *btf;
	struct view body;        /* what follows the header */
	bool swapped;
	struct skep_diag *diag;
};

static int bad(const struct source *src, const char *what, const char *problem)
{
	struct skep_where where = SKEP_NOWHERE;

	where.object = src->btf->name;
	return skep_fail(src->diag, SKEP_BTF_EXT_BAD, &where, ".BTF.ext %s: %s", what, problem);
}

/* The word at off, which the caller knows to be inside. */
static uint32_t word(const struct source *src, uint64_t off)
{
	uint32_t w;

	memcpy(&w, (const char *)src->body.data + off, sizeof(w));
	return src->swapped ? __builtin_bswap32(w) : w;
}

static bool inside(const struct source *src, uint64_t off, uint64_t size)
{
	return view_range(src->body, off, size, 1) != NULL;
}

static void *copy_records(const struct source *src, uint64_t off, uint32_t stride,
			  uint32_t count, uint32_t record)
{
	uint32_t words = record / 4;
	uint32_t *out = malloc((size_t)count * record + 1);

	if (!out)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t w = 0; w < words; w++)
			out[(size_t)i * words + w] = word(src, off + (uint64_t)i * stride + 4 * w);
	return out;
}

static int read_list(const struct source *src, const struct list *list)
{
	VEC(struct btf_ext_section) sections = { 0 };
	uint64_t off = list->off, end = off + list->len;
	uint32_t stride;
	const char *problem = NULL;
	bool oom = false;

	if (!list->len)
		return 0;
	if (list->off % 4 || !inside(src, list->off, list->len) || list->len < 4)
		return bad(src, list->what, "lies outside of its section");
	stride = word(src, off);
	if (stride < list->record || stride % 4)
		return bad(src, list->what, "has records of a size that cannot be");
	for (off += 4; off < end && !problem;) {
		struct btf_ext_section *section;
		uint32_t count;

		if (end - off < 8) {
			problem = "ends too early";
			break;
		}
		count = word(src, off + 4);
		if (!count || (uint64_t)count * stride > end - off - 8) {
			problem = count ? "ends too early" : "has a section without records";
			break;
		}
		section = vec_push(&sections);
		if (section) {
			section->section = btf_str(src->btf, word(src, off));
			section->count = count;
			section->records = copy_records(src, off + 8, stride, count,
							list->record);
		}
		if (!section || !section->records) {
			oom = true;
			break;
		}
		off += 8 + (uint64_t)count * stride;
	}
	*list->sections = sections.items;
	*list->count = sections.count;
	if (oom)
		return skep_fail(src->diag, SKEP_OOM, NULL, ".BTF.ext of '%s'", src->btf->name);
	return problem ? bad(src, list->what, problem) : 0;
}

struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len;
	uint32_t func_off, func_len, line_off, line_len;
	uint32_t relo_off, relo_len; /* since the header grew to 32 bytes */
};

static int read_header(struct source *src, struct ext_header *h)
{
	size_t core = offsetof(struct ext_header, relo_off);
	uint32_t *words = &h->hdr_len;

	if (src->body.size < core)
		return bad(src, "header", "ends too early");
	memcpy(h, src->body.data, core);
	src->swapped = h->magic == 0x9feb;
	if (h->magic != 0xeb9f && !src->swapped)
		return bad(src, "header", "wrong magic number");
	if (h->version != 1 || h->flags)
		return bad(src, "header", "unknown version or flags");
	h->hdr_len = word(src, offsetof(struct ext_header, hdr_len));
	if (h->hdr_len < core || h->hdr_len > src->body.size)
		return bad(src, "header", "wrong length");
	for (size_t i = 0; i < (MIN(h->hdr_len, sizeof(*h)) - 4) / 4; i++)
		words[i] = word(src, 4 + 4 * i);
	src->body.data = (const char *)src->body.data + h->hdr_len;
	src->body.size -= h->hdr_len;
	return 0;
}

int btf_ext_open(const struct skep_btf *btf, const void *bytes, size_t size,
		 struct btf_ext *ext, struct skep_diag *diag)
{
	struct source src = { btf, { bytes, size }, false, diag };
	struct btf_ext out = { 0 };
	struct ext_header h = { 0 };
	int error = read_header(&src, &h);

	const struct list lists[] = {
		{ "function list", h.func_off, h.func_len, sizeof(struct btf_ext_func),
		  &out.funcs, &out.func_count },
		{ "line list", h.line_off, h.line_len, sizeof(struct btf_ext_line),
		  &out.lines, &out.line_count },
		{ "relocation list", h.relo_off, h.relo_len, sizeof(struct btf_core_relo),
		  &out.relos, &out.relo_count },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists) && !error; i++)
		error = read_list(&src, &lists[i]);
	if (error) {
		btf_ext_done(&out);
		return error;
	}
	*ext = out;
	return 0;
}

static void sections_done(struct btf_ext_section *sections, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)sections[i].records);
	free(sections);
}

void btf_ext_done(struct btf_ext *ext)
{
	sections_done(ext->funcs, ext->func_count);
	sections_done(ext->lines, ext->line_count);
	sections_done(ext->relos, ext->relo_count);
	*ext = (struct btf_ext){ 0 };
}
