/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print_c.c - types as C: one definition, or everything as one header.
 *
 * Before something is written, what it needs is: completely, where it is
 * contained by value, or only by name, where a pointer leads to it. C lets one
 * name any record at file scope, but a name that first appears inside of a
 * parameter list is known only there, so such records are declared before. A
 * typedef is always written first, since C has no way to declare one.
 */
#include "btf/print.h"

#include <errno.h>

enum progress { TODO, DOING, DONE, DECLARED = 4 /* with the others */ };

/* How much of a type must come first. */
enum need { BY_NAME, IN_PARAMETERS, COMPLETE };

enum { MAX_REQUIRE = 4096 };

int printer_init(struct printer *p, const struct skep_btf *btf, bool plain,
		 struct skep_text *out)
{
	size_t count = (size_t)skep_btf_count(btf) + 1;

	*p = (struct printer){ .btf = btf, .out = out, .plain = plain };
	p->aligns = calloc(count, 1);
	p->done = calloc(plain ? 1 : count, 1);
	p->names = calloc(plain ? 1 : count, sizeof(*p->names));
	if (p->aligns && p->done && p->names)
		return 0;
	printer_done(p);
	return -ENOMEM;
}

void printer_done(struct printer *p)
{
	for (size_t i = 0; i < NAMES_COUNT; i++)
		free(p->names_in[i].slots);
	free(p->aligns);
	free(p->done);
	free(p->names);
	arena_done(&p->arena);
}

static void require(struct printer *p, uint32_t id, enum need need);

static void declare_record(struct printer *p, uint32_t id)
{
	const struct btf_type *t = btf_type(p->btf, id);
	uint32_t record = btf_kind(t) == BTF_FWD ?
		skep_btf_find(p->btf, btf_name(p->btf, t),
			      btf_kind_flag(t) ? BTF_UNION : BTF_STRUCT) : 0;

	if (record)
		id = record;
	if (p->done[id] & (DECLARED | DONE))
		return;
	text_add(p->out, "%s %s;\n\n", btf_tag_word(t), printer_name(p, id));
	p->done[id] |= DECLARED;
}

static void require_all(struct printer *p, const struct btf_type *t, enum need need)
{
	for (uint32_t i = 0; i < btf_ref_count(t); i++)
		require(p, btf_ref(t, i), need);
}

static void define_record(struct printer *p, uint32_t id)
{
	const struct btf_type *t = btf_type(p->btf, id);

	if (p->done[id] & (DONE | DOING))
		return;
	p->done[id] |= DOING;
	require_all(p, t, COMPLETE);
	p->done[id] = DONE;
	if (!t->name_off)
		return; /* written where it is used */
	printer_record(p, id, 0);
	text_add(p->out, ";\n\n");
}

static void define_enum(struct printer *p, uint32_t id)
{
	if (p->done[id] == DONE || !btf_vlen(btf_type(p->btf, id)))
		return;
	p->done[id] = DONE;
	printer_enum(p, id, 0);
	text_add(p->out, ";\n\n");
}

/* Compilers bring this one, and forbid to define it. */
static bool is_builtin(const char *name)
{
	return strcmp(name, "__builtin_va_list") == 0;
}

static void define_typedef(struct printer *p, uint32_t id)
{
	const struct btf_type *t = btf_type(p->btf, id);

	if (p->done[id] != TODO)
		return;
	p->done[id] = DOING;
	if (!is_builtin(btf_name(p->btf, t))) {
		require(p, t->type, BY_NAME);
		text_add(p->out, "typedef ");
		printer_declare(p, t->type, printer_name(p, id), 0);
		text_add(p->out, ";\n\n");
	}
	p->done[id] = DONE;
}

/* A number that C has no name for, as languages other than C have them. */
static void define_number(struct printer *p, uint32_t id)
{
	const struct btf_type *t = btf_type(p->btf, id);
	bool known;
	const char *number = printer_number(t, btf_name(p->btf, t), &known);

	if (known || !t->name_off || p->done[id] == DONE)
		return;
	p->done[id] = DONE;
	if (number)
		text_add(p->out, "typedef %s %s;\n\n", number, printer_name(p, id));
	else
		text_add(p->out, "typedef struct { unsigned char bytes[%u]; } %s;\n\n", t->size,
			 printer_name(p, id));
}

static void require(struct printer *p, uint32_t id, enum need need)
{
	const struct btf_type *t = btf_type(p->btf, id);

	if (p->depth > MAX_REQUIRE) {
		p->too_deep = true;
		return;
	}
	p->depth++;
	switch (btf_kind(t)) {
	case BTF_INT:
	case BTF_FLOAT:
		define_number(p, id);
		break;
	case BTF_PTR:
		require(p, t->type, need == COMPLETE ? BY_NAME : need);
		break;
	case BTF_CONST:
	case BTF_VOLATILE:
	case BTF_RESTRICT:
	case BTF_TYPE_TAG:
		require(p, t->type, need);
		break;
	case BTF_ARRAY:
		require(p, btf_ref(t, 0), COMPLETE);
		break;
	case BTF_FUNC_PROTO:
		require_all(p, t, IN_PARAMETERS);
		break;
	case BTF_TYPEDEF:
		define_typedef(p, id);
		if (need == COMPLETE)
			require(p, t->type, need);
		break;
	case BTF_STRUCT:
	case BTF_UNION:
		if (need == COMPLETE || !t->name_off)
			define_record(p, id);
		else if (need == IN_PARAMETERS)
			declare_record(p, id);
		break;
	case BTF_FWD:
		declare_record(p, id);
		break;
	case BTF_ENUM:
	case BTF_ENUM64:
		if (t->name_off)
			define_enum(p, id);
		break;
	case BTF_VOID:
	case BTF_FUNC:
	case BTF_VAR:
	case BTF_DATASEC:
	case BTF_DECL_TAG:
	case BTF_KIND_COUNT:
		break;
	}
	p->depth--;
}

/* Enums without a name that nothing contains: constants, as kernels have them. */
static uint8_t *find_contained(const struct skep_btf *btf)
{
	uint8_t *contained = calloc((size_t)skep_btf_count(btf) + 1, 1);

	for (uint32_t id = 1; contained && id <= skep_btf_count(btf); id++) {
		const struct btf_type *t = btf_type(btf, id);

		if (btf_kind(t) == BTF_VAR || btf_kind(t) == BTF_DECL_TAG)
			continue;
		for (uint32_t i = 0; i < btf_ref_count(t); i++)
			contained[btf_ref(t, i)] = 1;
	}
	return contained;
}

static void define_all(struct printer *p, const uint8_t *contained)
{
	for (uint32_t id = p->btf->start_id; id <= skep_btf_count(p->btf); id++) {
		const struct btf_type *t = btf_type(p->btf, id);
		enum btf_kind kind = btf_kind(t);

		if (btf_is_record(kind) && !t->name_off)
			continue;
		if (btf_is_enum(kind) && !t->name_off && !contained[id])
			define_enum(p, id);
		else if (btf_is_record(kind) || btf_is_enum(kind) || kind == BTF_TYPEDEF ||
			 kind == BTF_FWD)
			require(p, id, COMPLETE);
		if (p->too_deep || p->oom || p->out->failed)
			return;
	}
}

/* Functions of the kernel that programs may call. */
static void declare_kfuncs(struct printer *p)
{
	const struct skep_btf *btf = p->btf;
	bool any = false;

	for (uint32_t id = btf->start_id; id <= skep_btf_count(btf); id++) {
		const struct btf_type *t = btf_type(btf, id);

		if (btf_kind(t) != BTF_FUNC || !btf_decl_tag(btf, id, -1, "bpf_kfunc"))
			continue;
		if (!any)
			text_add(p->out, "#ifndef BPF_NO_KFUNC_PROTOTYPES\n");
		any = true;
		text_add(p->out, "extern ");
		printer_declare(p, t->type, btf_name(btf, t), 0);
		text_add(p->out, " __attribute__((weak, section(\".ksyms\")));\n");
	}
	if (any)
		text_add(p->out, "#endif\n\n");
}

static const char prologue[] =
	"#ifndef __VMLINUX_H__\n"
	"#define __VMLINUX_H__\n\n"
	"#if defined(__clang__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)\n"
	"#pragma clang attribute push (__attribute__((preserve_access_index)), "
	"apply_to = record)\n"
	"#endif\n\n";

static const char epilogue[] =
	"#if defined(__clang__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)\n"
	"#pragma clang attribute pop\n"
	"#endif\n\n"
	"#endif /* __VMLINUX_H__ */\n";

/* The parameters of kfuncs are declared before their block is opened. */
static void require_kfuncs(struct printer *p)
{
	for (uint32_t id = p->btf->start_id; id <= skep_btf_count(p->btf); id++) {
		const struct btf_type *t = btf_type(p->btf, id);

		if (btf_kind(t) == BTF_FUNC && btf_decl_tag(p->btf, id, -1, "bpf_kfunc"))
			require(p, t->type, BY_NAME);
	}
}

int skep_btf_print_c(const struct skep_btf *btf, struct skep_text *out, struct skep_diag *diag)
{
	struct skep_text text = { 0 };
	struct printer p;
	uint8_t *contained;

	if (printer_init(&p, btf, false, &text) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "printing types");
	contained = find_contained(btf);
	if (contained) {
		text_add(&text, "%s", prologue);
		define_all(&p, contained);
		require_kfuncs(&p);
		declare_kfuncs(&p);
		text_add(&text, "%s", epilogue);
	}
	p.oom |= !contained || text.failed;
	printer_done(&p);
	free(contained);
	if (!p.oom && !p.too_deep)
		text_add_bytes(out, text.data, text.len);
	text_done(&text);
	if (p.too_deep)
		return skep_fail(diag, SKEP_BTF_DEEP, NULL, "types of '%s'", btf->name);
	return p.oom || out->failed ? skep_fail(diag, SKEP_OOM, NULL, "printing types") : 0;
}

void skep_btf_print_type(const struct skep_btf *btf, uint32_t id, struct skep_text *out)
{
	const struct btf_type *t = btf_type(btf, id);
	struct printer p;

	if (printer_init(&p, btf, true, out) < 0) {
		out->failed = true;
		return;
	}
	if (btf_is_record(btf_kind(t))) {
		printer_record(&p, id, 0);
	} else if (btf_is_enum(btf_kind(t))) {
		printer_enum(&p, id, 0);
	} else if (btf_kind(t) == BTF_TYPEDEF) {
		text_add(out, "typedef ");
		printer_declare(&p, t->type, btf_name(btf, t), 0);
	} else if (btf_kind(t) == BTF_FUNC || btf_kind(t) == BTF_VAR) {
		printer_declare(&p, t->type, btf_name(btf, t), 0);
	} else {
		printer_declare(&p, id, "", 0);
	}
	if (btf_kind(t) != BTF_VOID)
		text_add(out, ";");
	text_add(out, "\n");
	printer_done(&p);
}
