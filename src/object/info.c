/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info.c - function and line records of a linked program, and the questions
 * they answer.
 *
 * Records are the compiler's, by place in a section; each placed function
 * brings those of its own range, moved to where it was placed. If the program
 * itself has none, it gets none at all: half of them help nobody.
 */
#include "object/object.h"

static size_t count_records(const struct skep_object *object, const struct linked *linked,
			    const struct located_list *list)
{
	size_t total = 0;

	for (size_t i = 0; i < linked->placed_count; i++) {
		const struct func *func = &object->funcs.items[linked->placed[i].func];
		struct located_span span = located_in(list, func);

		if (i == 0 && (!span.count || span.items[0].slot != func->first))
			return 0;
		total += span.count;
	}
	return total;
}

/* Calls fn for each record, with its slot in the program; skips repetitions. */
typedef void record_fn(struct linked *linked, uint32_t insn, const void *record);

static void each_record(const struct skep_object *object, struct linked *linked,
			const struct located_list *list, record_fn *fn)
{
	for (size_t i = 0; i < linked->placed_count; i++) {
		const struct placed *placed = &linked->placed[i];
		const struct func *func = &object->funcs.items[placed->func];
		struct located_span span = located_in(list, func);

		for (size_t n = 0; n < span.count; n++) {
			const struct located *item = &span.items[n];

			if (n && span.items[n - 1].slot == item->slot)
				continue;
			fn(linked, placed->at + item->slot - func->first, item->record);
		}
	}
}

static void add_func(struct linked *linked, uint32_t insn, const void *record)
{
	const struct btf_ext_func *func = record;

	linked->funcs[linked->func_count++] = (struct func_info){ insn, func->type_id };
}

static void add_line(struct linked *linked, uint32_t insn, const void *record)
{
	const struct btf_ext_line *line = record;

	linked->lines[linked->line_count++] = (struct line_info){
		insn, line->file_name_off, line->line_off, line->line_col,
	};
}

int link_info(struct skep_object *object, struct linked *linked, struct skep_diag *diag)
{
	size_t funcs = count_records(object, linked, &object->func_records);
	size_t lines = count_records(object, linked, &object->line_records);

	linked->funcs = calloc(funcs + 1, sizeof(*linked->funcs));
	linked->lines = calloc(lines + 1, sizeof(*linked->lines));
	if (!linked->funcs || !linked->lines)
		return skep_fail(diag, SKEP_OOM, NULL, "line records of '%s'", object->name);
	if (funcs)
		each_record(object, linked, &object->func_records, add_func);
	if (lines)
		each_record(object, linked, &object->line_records, add_line);
	return 0;
}

/* The function an instruction belongs to. */
static const struct placed *placed_of(const struct linked *linked, size_t insn)
{
	const struct placed *found = NULL;

	for (size_t i = 0; i < linked->placed_count && linked->placed[i].at <= insn; i++)
		found = &linked->placed[i];
	return found;
}

static const struct line_info *line_of(const struct linked *linked, size_t insn)
{
	const struct placed *placed = placed_of(linked, insn);
	size_t low = 0, high = linked->line_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (linked->lines[mid].insn <= insn)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || !placed || linked->lines[low - 1].insn < placed->at)
		return NULL;
	return &linked->lines[low - 1];
}

bool skep_object_prog_source(const struct skep_object_prog *prog, size_t insn,
			     struct skep_where *where)
{
	const struct skep_btf *btf = prog->object->btf;
	const struct line_info *line;

	if (!prog->is_linked || insn >= prog->linked.len)
		return false;
	line = line_of(&prog->linked, insn);
	if (!line)
		return false;
	*where = object_where(prog->object, prog->section, skep_object_prog_name(prog));
	where->insn = (int64_t)insn;
	where->file = btf_str(btf, line->file_off);
	where->text = btf_str(btf, line->line_off);
	where->line = line->line_col >> 10;
	where->column = line->line_col & 0x3ff;
	return true;
}

const char *skep_object_prog_subprog_at(const struct skep_object_prog *prog, size_t insn)
{
	const struct placed *placed = prog->is_linked ? placed_of(&prog->linked, insn) : NULL;

	return placed && placed->at == insn ? prog->object->funcs.items[placed->func].name : NULL;
}
