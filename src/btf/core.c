/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core.c - applying CO-RE relocations to instructions.
 *
 * Candidates are the kernel's types of the same name, flavours aside. All that
 * fit must agree; none is no error but a poisoned instruction, because a
 * program may well check for a field first and never reach it.
 */
#include "btf/core.h"

#include <errno.h>
#include <stdio.h>
#include <skep/insn.h>

/* Named types by the hash of their essential name; a chain goes up by id. */
struct core_target {
	const struct skep_btf *btf; /* borrowed; NULL: no types at all */
	uint32_t *heads, *next;
	uint32_t mask;
};

/* What becomes of one instruction. */
struct outcome {
	struct core_value local, target;
	bool poison;
	bool bad_size;           /* a load whose size may not be adapted */
};

struct job {
	struct core_target *target;
	const struct btf_core_relo *relo;
	struct core_spec local;
	struct core_spec found;  /* the first that fitted */
	struct skep_insn *insns;
	size_t count, at;
	bool candidates;         /* there was a type of that name */
	struct skep_diag *diag;
};

static bool is_candidate_kind(enum btf_kind kind)
{
	return kind != BTF_FUNC && kind != BTF_VAR && kind != BTF_DATASEC &&
	       kind != BTF_DECL_TAG && kind != BTF_TYPE_TAG;
}

static uint32_t *bucket(struct core_target *target, const char *name)
{
	return &target->heads[hash_bytes(name, btf_essential_len(name), 0) & target->mask];
}

struct core_target *core_target_new(const struct skep_btf *kernel)
{
	struct core_target *target = calloc(1, sizeof(*target));
	uint32_t count = kernel ? skep_btf_count(kernel) : 0, size = 16;

	while (size < count / 4)
		size *= 2;
	if (!target)
		return NULL;
	target->btf = kernel;
	target->mask = size - 1;
	target->heads = calloc(size, sizeof(*target->heads));
	target->next = calloc((size_t)count + 1, sizeof(*target->next));
	if (!target->heads || !target->next) {
		core_target_free(target);
		return NULL;
	}
	for (uint32_t id = count; id > 0; id--) {
		const struct btf_type *t = btf_type(kernel, id);
		uint32_t *head;

		if (!t->name_off || !is_candidate_kind(btf_kind(t)))
			continue;
		head = bucket(target, btf_name(kernel, t));
		target->next[id] = *head;
		*head = id;
	}
	return target;
}

void core_target_free(struct core_target *target)
{
	if (!target)
		return;
	free(target->heads);
	free(target->next);
	free(target);
}

static int fail(const struct job *job, enum skep_code code, const char *what)
{
	struct skep_where where = SKEP_NOWHERE;
	const struct skep_btf *btf = job->local.btf;
	char type[128];

	where.insn = (int64_t)job->at;
	btf_type_text(btf, job->relo->type_id, type, sizeof(type));
	skep_report(job->diag, code, &where, "CO-RE relocation <%s> of %s (%s): %s",
		    core_kind_name(job->relo->kind), type,
		    btf_str(btf, job->relo->access_str_off), what);
	return -EINVAL;
}

/* --- what it becomes --- */

/* Pointers may differ in width, and so may unsigned numbers; nothing else. */
static bool may_resize(const struct job *job, const struct outcome *out)
{
	const struct btf_type *l = btf_type(job->local.btf, out->local.type);
	const struct btf_type *t = btf_type(job->found.btf, out->target.type);

	if (btf_kind(l) == BTF_PTR && btf_kind(t) == BTF_PTR)
		return true;
	return btf_kind(l) == BTF_INT && btf_kind(t) == BTF_INT &&
	       !(btf_int_encoding(l) & BTF_INT_SIGNED) && !(btf_int_encoding(t) & BTF_INT_SIGNED);
}

/* The kernel's side of the answer; found is NULL when nothing fitted. */
static const char *answer(const struct job *job, const struct core_spec *found,
			  struct outcome *out)
{
	out->target = (struct core_value){ 0 };
	out->poison = false;
	out->bad_size = false;
	if (!found) {
		/* Types that are missing are answered with 0; other things cannot be. */
		out->poison = !core_is_type(job->relo->kind) &&
			      job->relo->kind != CORE_FIELD_EXISTS &&
			      job->relo->kind != CORE_ENUMVAL_EXISTS;
		return NULL;
	}
	return core_evaluate(found, &out->target);
}

/* Every type of the right name and kind is tried; those that fit must agree. */
static int try_candidates(struct job *job, struct outcome *out)
{
	const struct skep_btf *btf = job->target->btf;
	const struct btf_type *root = btf_type(job->local.btf, job->local.root);
	const char *name = btf_name(job->local.btf, root);
	struct core_spec spec;
	bool any = false;
	uint32_t id = *name && btf ? *bucket(job->target, name) : 0;

	for (; id; id = job->target->next[id]) {
		const struct btf_type *t = btf_type(btf, id);
		struct outcome other = *out;
		const char *why;

		if (!core_same_kind(root, t) || !core_same_name(name, btf_name(btf, t)))
			continue;
		job->candidates = true;
		if (!core_match(&job->local, btf, id, &spec))
			continue;
		why = answer(job, &spec, &other);
		if (why)
			return fail(job, SKEP_CORE_BAD, why);
		if (!any) {
			any = true;
			job->found = spec;
			*out = other;
		} else if (spec.bits != job->found.bits) {
			return fail(job, SKEP_CORE_AMBIGUOUS, "field offset ambiguity");
		} else if (other.target.value != out->target.value) {
			return fail(job, SKEP_CORE_AMBIGUOUS, "relocation decision ambiguity");
		}
	}
	if (!any)
		answer(job, NULL, out);
	return 0;
}

static int decide(struct job *job, struct outcome *out)
{
	const char *why = core_evaluate(&job->local, &out->local);
	int error;

	if (why)
		return fail(job, SKEP_CORE_BAD, why);
	if (job->relo->kind == CORE_TYPE_ID_LOCAL) {
		out->target = out->local;
		return 0;
	}
	if (!*skep_btf_type_name(job->local.btf, job->local.root))
		return fail(job, SKEP_CORE_BAD, "its type has no name");
	error = try_candidates(job, out);
	if (error < 0)
		return error;
	if (job->relo->kind == CORE_FIELD_BYTE_OFFSET && !out->poison &&
	    out->local.size != out->target.size)
		out->bad_size = !may_resize(job, out);
	return 0;
}

/* --- the instruction --- */

enum {
	CLASS_LD = 0, CLASS_LDX = 1, CLASS_ST = 2, CLASS_STX = 3, CLASS_ALU = 4, CLASS_ALU64 = 7,
	CODE_CALL = 0x85, CODE_IMM64 = 0x18, SOURCE_REG = 0x08,
};

static void poison(struct job *job)
{
	struct skep_insn call = { .code = CODE_CALL, .imm = CORE_POISON_HELPER };

	/* Both halves, lest the second be taken for an unknown instruction. */
	if (job->insns[job->at].code == CODE_IMM64 && job->at + 1 < job->count)
		job->insns[job->at + 1] = call;
	job->insns[job->at] = call;
}

/* The size bits of a memory access of so many bytes; -1: none has that size. */
static int size_bits(uint32_t bytes)
{
	switch (bytes) {
	case 1:
		return 0x10;
	case 2:
		return 0x08;
	case 4:
		return 0x00;
	case 8:
		return 0x18;
	default:
		return -1;
	}
}

static int patch_memory(struct job *job, const struct outcome *out, char *why, size_t why_size)
{
	struct skep_insn *insn = &job->insns[job->at];
	int bits = insn->code & 0x18;

	if (out->local.exact && (uint64_t)insn->off != out->local.value)
		return fail(job, SKEP_CORE_BAD, "the instruction holds another offset");
	if (out->target.value > INT16_MAX)
		return fail(job, SKEP_CORE_BAD, "the kernel's offset does not fit the instruction");
	if (out->bad_size) {
		const struct core_step *last = &job->local.steps[job->local.len - 1];

		snprintf(why, why_size,
			 "field %s is %u bytes in the program and %u in the kernel, and only "
			 "pointers and unsigned integers adapt",
			 btf_str(job->local.btf, last->name_off), out->local.size,
			 out->target.size);
		poison(job);
		return 0;
	}
	if (out->local.size != out->target.size) {
		if (size_bits(out->local.size) != bits)
			return fail(job, SKEP_CORE_BAD, "the access is not of the field's size");
		bits = size_bits(out->target.size);
		if (bits < 0)
			return fail(job, SKEP_CORE_BAD,
				    "no instruction accesses the kernel's field size");
	}
	insn->code = (uint8_t)((insn->code & ~0x18) | bits);
	insn->off = (int16_t)out->target.value;
	return 0;
}

static int patch_imm64(struct job *job, const struct outcome *out)
{
	struct skep_insn *insn = &job->insns[job->at];
	uint64_t held, value = out->target.value;

	if (insn->code != CODE_IMM64 || job->at + 1 >= job->count || insn->src || insn->off ||
	    insn[1].code || insn[1].dst || insn[1].src || insn[1].off)
		return fail(job, SKEP_CORE_BAD, "the instruction is no 64-bit immediate load");
	held = (uint64_t)(uint32_t)insn[1].imm << 32 | (uint32_t)insn[0].imm;
	if (out->local.unsure && held == (uint64_t)(int32_t)out->local.value) {
		/* The compiler took the enum for signed; so does the answer. */
		if (out->target.unsure && held != out->local.value)
			value = (uint64_t)(int32_t)value;
	} else if (out->local.exact && held != out->local.value) {
		return fail(job, SKEP_CORE_BAD, "the instruction holds another value");
	}
	insn[0].imm = (int32_t)(uint32_t)value;
	insn[1].imm = (int32_t)(uint32_t)(value >> 32);
	return 0;
}

static int patch(struct job *job, const struct outcome *out, char *why, size_t why_size)
{
	struct skep_insn *insn = &job->insns[job->at];

	if (out->poison) {
		core_missing_text(&job->local, job->candidates, why, why_size);
		poison(job);
		return 0;
	}
	switch (insn->code & 7) {
	case CLASS_ALU:
	case CLASS_ALU64:
		if (insn->code & SOURCE_REG)
			return fail(job, SKEP_CORE_BAD, "the instruction has no immediate");
		if (out->local.exact && (uint32_t)insn->imm != (uint32_t)out->local.value)
			return fail(job, SKEP_CORE_BAD, "the instruction holds another value");
		insn->imm = (int32_t)(uint32_t)out->target.value;
		return 0;
	case CLASS_LDX:
	case CLASS_ST:
	case CLASS_STX:
		return patch_memory(job, out, why, why_size);
	case CLASS_LD:
		return patch_imm64(job, out);
	default:
		return fail(job, SKEP_CORE_BAD, "the instruction is of a class that holds none");
	}
}

int core_relocate(struct core_target *target, const struct skep_btf *local,
		  const struct btf_core_relo *relo, struct skep_insn *insns, size_t count,
		  size_t insn, char *poison_text, size_t poison_size, struct skep_diag *diag)
{
	struct job job = { .target = target, .relo = relo, .insns = insns, .count = count,
			   .at = insn, .diag = diag };
	struct outcome out = { 0 };
	const char *why = core_parse(local, relo, &job.local);
	int error;

	if (poison_size)
		poison_text[0] = 0;
	if (why)
		return fail(&job, SKEP_CORE_BAD, why);
	if (insn >= count)
		return fail(&job, SKEP_CORE_BAD, "its instruction does not exist");
	error = decide(&job, &out);
	return error < 0 ? error : patch(&job, &out, poison_text, poison_size);
}
