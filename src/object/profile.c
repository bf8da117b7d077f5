/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile.c - would this program load on that Linux release?
 *
 * The verifier judges the program, held to what that release's could follow;
 * it says which instructions can be reached: a helper behind a test of the
 * kernel's version is not needed where that test fails. What is reached is
 * looked up in the table of first releases. Where that verifier refuses, later
 * releases are tried upwards, to learn since when one does not.
 */
#include <skep/kernel.h>

#include <inttypes.h>
#include <stdio.h>
#include "helper/helper.h"
#include "object/object.h"
#include "prog/kernel.h"
#include "verify/verify.h"

struct profile {
	struct skep_object_prog *prog;
	struct skep_verify_opts opts;
	uint32_t kernel;
	struct prog_spec spec;
	struct verified verified;
	struct skep_kernel_verdict *verdict;
	bool failed;             /* out of memory */
};

const char *skep_gap_kind_name(enum skep_gap_kind kind)
{
	static const char *const names[] = {
		[SKEP_GAP_PROG_TYPE] = "program type", [SKEP_GAP_ATTACH_TYPE] = "attach type",
		[SKEP_GAP_PROG_FLAG] = "program flag", [SKEP_GAP_MAP_TYPE] = "map type",
		[SKEP_GAP_MAP_FLAG] = "map flag", [SKEP_GAP_MAP_FIELD] = "map value",
		[SKEP_GAP_INSN] = "instructions", [SKEP_GAP_HELPER] = "helper",
		[SKEP_GAP_KFUNC] = "kernel function", [SKEP_GAP_CTX_FIELD] = "context field",
		[SKEP_GAP_CORE] = "kernel type", [SKEP_GAP_TARGET] = "attach target",
		[SKEP_GAP_ABILITY] = "verifier", [SKEP_GAP_OTHER] = "program",
	};

	return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "";
}

/* --- gaps --- */

static bool has_gap(const struct profile *p, enum skep_gap_kind kind, const char *name)
{
	for (size_t i = 0; i < p->verdict->count; i++)
		if (p->verdict->gaps[i].kind == kind && strcmp(p->verdict->gaps[i].name, name) == 0)
			return true;
	return false;
}

static void __attribute__((format(printf, 5, 6)))
add_gap(struct profile *p, enum skep_gap_kind kind, uint32_t since, int64_t insn,
	const char *fmt, ...)
{
	struct skep_gap gap = { .kind = kind, .since = since, .insn = insn }, *gaps;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(gap.name, sizeof(gap.name), fmt, ap);
	va_end(ap);
	if (has_gap(p, kind, gap.name))
		return;
	gaps = realloc(p->verdict->gaps, (p->verdict->count + 1) * sizeof(*gaps));
	if (!gaps) {
		p->failed = true;
		return;
	}
	gaps[p->verdict->count++] = gap;
	p->verdict->gaps = gaps;
}

static bool lacks(const struct profile *p, uint32_t since)
{
	return since > p->kernel;
}

/* --- what the program is --- */

static void compare_type(struct profile *p)
{
	const struct prog_spec *spec = &p->spec;
	const char *words = NULL;
	uint32_t since = prog_type_since(spec->type->id);

	if (lacks(p, since)) {
		add_gap(p, SKEP_GAP_PROG_TYPE, since, -1, "%s", spec->type->name);
		return;
	}
	since = spec->type->id == BPF_PROG_TYPE_STRUCT_OPS ? 0 : attach_since(spec->attach);
	if (lacks(p, since))
		add_gap(p, SKEP_GAP_ATTACH_TYPE, since, -1, "%s", attach_type_name(spec->attach));
	since = prog_flags_since(spec->flags | p->opts.flags, &words);
	if (lacks(p, since))
		add_gap(p, SKEP_GAP_PROG_FLAG, since, -1, "%s", words);
}

static void compare_map(struct profile *p, const struct map_spec *map, int64_t insn)
{
	const struct map_type *type = map_type(map->type);
	const char *words = NULL;
	uint32_t since = map_type_since(map->type);

	if (lacks(p, since)) {
		add_gap(p, SKEP_GAP_MAP_TYPE, since, insn, "%s (map '%s')",
			type ? type->name : "unknown", map->name);
		return;
	}
	/* A loader leaves out what lets user space map global data, where that is not known. */
	since = map_flags_since(map->internal ? map->flags & ~(uint32_t)BPF_F_MMAPABLE : map->flags,
				&words);
	if (lacks(p, since))
		add_gap(p, SKEP_GAP_MAP_FLAG, since, insn, "%s (map '%s')", words, map->name);
	since = map_value_since(map, &words);
	if (lacks(p, since))
		add_gap(p, SKEP_GAP_MAP_FIELD, since, insn, "%s in map '%s'", words, map->name);
	if (map->inner)
		compare_map(p, map->inner, insn);
}

/* --- what it does --- */

/* Loaders fall back on the older call that could read either address space. */
static bool has_fallback(uint32_t helper)
{
	static const char *const names[] = {
		"probe_read_kernel", "probe_read_user", "probe_read_kernel_str",
		"probe_read_user_str",
	};
	const struct helper *h = helper_by_id(helper);

	for (size_t i = 0; h && i < ARRAY_SIZE(names); i++)
		if (strcmp(h->name, names[i]) == 0)
			return true;
	return false;
}

static void compare_call(struct profile *p, const struct insn *insn, uint32_t at)
{
	const struct skep_btf *kernel = p->spec.kernel_btf;
	uint32_t id = (uint32_t)insn->imm, since;
	const char *name;

	if (insn->op == CALL_HELPER) {
		const struct helper *h = helper_by_id(id);

		since = helper_since(id);
		if (h && lacks(p, since) && !has_fallback(id))
			add_gap(p, SKEP_GAP_HELPER, since, at, "bpf_%s", h->name);
	} else if (insn->op == CALL_KFUNC && !p->verdict->fields_judged && kernel) {
		name = skep_btf_type_name(kernel, id);
		since = name ? kfunc_since(name) : 0;
		if (lacks(p, since))
			add_gap(p, SKEP_GAP_KFUNC, since, at, "%s", name);
	}
}

static void compare_insn(struct profile *p, uint32_t at)
{
	const struct insn_fact *fact = p->verified.facts ? &p->verified.facts[at] : NULL;
	struct insn insn = insn_decode(p->spec.insns, p->spec.len, at, NULL);
	const char *words = NULL;
	bool reached = !fact || fact->reached;
	uint32_t since = insn_since(&insn, &words);

	/* A call that is not reached may name what is not there. */
	if (lacks(p, since) && (reached || insn.kind != INSN_CALL))
		add_gap(p, SKEP_GAP_INSN, since, at, "%s", words);
	if (insn.kind == INSN_IMM64 && (insn.op == IMM64_MAP_INDEX || insn.op == IMM64_MAP_INDEX_VALUE) &&
	    (uint32_t)insn.imm < p->spec.map_count)
		compare_map(p, p->spec.maps[(uint32_t)insn.imm], at);
	if (insn.kind == INSN_CALL && reached)
		compare_call(p, &insn, at);
	since = fact && fact->ctx_field ? ctx_field_since(p->spec.type->ctx->name, fact->ctx_field) : 0;
	if (lacks(p, since))
		add_gap(p, SKEP_GAP_CTX_FIELD, since, at, "%s.%s", p->spec.type->ctx->name,
			fact->ctx_field);
}

/* --- what its verifier could follow --- */

/* Does it pass, held to that release? */
static int passes_on(struct profile *p, uint32_t kernel, struct skep_verify_result *result)
{
	struct skep_verify_opts opts = p->opts;
	struct skep_diag *quiet = skep_diag_new();
	struct prog_spec spec;
	int error;

	if (!quiet)
		return -ENOMEM;
	opts.kernel = kernel;
	opts.log_level = 0;
	verified_done(&p->verified);
	error = object_verify(p->prog, &opts, &spec, result, &p->verified, quiet);
	skep_diag_free(quiet);
	if (error)
		return error == -ENOMEM ? error : 0;
	return result->error == 0;
}

/* The first release after p->kernel whose verifier gained something. */
static uint32_t next_release(uint32_t kernel)
{
	uint32_t next = UINT32_MAX;

	for (int i = 0; i < ABILITY_COUNT; i++)
		if (ability_since(i) > kernel && ability_since(i) < next)
			next = ability_since(i);
	return next;
}

static void add_ability(struct profile *p, uint32_t since, const struct skep_verify_result *why)
{
	const char *found[4];
	size_t count = 0;

	for (int i = 0; i < ABILITY_COUNT; i++)
		if (ability_since(i) == since && (why->lacked >> i & 1) && count < ARRAY_SIZE(found))
			found[count++] = ability_words(i);
	add_gap(p, SKEP_GAP_ABILITY, since, why->insn, "%s%s%s: %s", count ? found[0] : "",
		count > 1 ? ", or " : "", count > 1 ? found[1] : "", why->message);
}

/* Refused for now: which later release takes it? Leaves what it found in p->verified. */
static int find_later(struct profile *p, const struct skep_verify_result *why)
{
	for (uint32_t release = next_release(p->kernel); release != UINT32_MAX;
	     release = next_release(release)) {
		struct skep_verify_result later = { 0 };
		int passes = passes_on(p, release, &later);

		skep_verify_result_done(&later);
		if (passes == 1)
			add_ability(p, release, why);
		if (passes)
			return passes < 0 ? passes : 1;
	}
	return 0;
}

/* --- the verdict --- */

static enum skep_gap_kind kind_of_failure(const struct skep_diag *diag)
{
	const struct skep_diag_item *item;

	for (size_t i = 0; (item = skep_diag_get(diag, i)); i++) {
		if (item->code == SKEP_OBJECT_CORE || item->code == SKEP_OBJECT_EXTERN)
			return SKEP_GAP_CORE;
		if (item->code == SKEP_OBJECT_ATTACH)
			return SKEP_GAP_TARGET;
	}
	return SKEP_GAP_OTHER;
}

static const char *last_words(const struct skep_diag *diag)
{
	size_t count = skep_diag_count(diag);
	const struct skep_diag_item *item = count ? skep_diag_get(diag, count - 1) : NULL;

	return item ? item->message : "it cannot be loaded";
}

static int judge(struct profile *p)
{
	struct skep_diag *quiet = skep_diag_new();
	struct skep_verify_result result = { .insn = -1 };
	struct skep_verify_opts opts = p->opts;
	int error, later = 0;

	if (!quiet)
		return -ENOMEM;
	opts.kernel = p->kernel;
	opts.log_level = 0;
	error = object_verify(p->prog, &opts, &p->spec, &result, &p->verified, quiet);
	if (!error && result.error)
		later = find_later(p, &result);
	if (error == -ENOMEM || later < 0)
		error = -ENOMEM;
	else if (error || (result.error && !later))
		add_gap(p, error ? kind_of_failure(quiet) : SKEP_GAP_OTHER, 0, result.insn, "%s",
			error ? last_words(quiet) : result.message);
	if (error != -ENOMEM) {
		for (uint32_t i = 0; p->spec.type && i < p->spec.len; i++)
			compare_insn(p, i);
		if (p->spec.type)
			compare_type(p);
		error = p->failed ? -ENOMEM : 0;
	}
	skep_verify_result_done(&result);
	skep_diag_free(quiet);
	return error;
}

int skep_object_check_kernel(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
			     unsigned kernel, struct skep_kernel_verdict *verdict,
			     struct skep_diag *diag)
{
	static const struct skep_verify_opts defaults;
	struct profile p = { .prog = prog, .opts = opts ? *opts : defaults, .kernel = kernel,
			     .verdict = verdict };
	int error;

	*verdict = (struct skep_kernel_verdict){ .fields_judged = p.opts.kernel_btf != NULL };
	prog->object->release = kernel;
	prog->object->kconfig_filled = false;
	error = judge(&p);
	verified_done(&p.verified);
	prog->object->release = 0;
	prog->object->kconfig_filled = false;
	if (error) {
		skep_kernel_verdict_done(verdict);
		return skep_fail(diag, SKEP_OOM, NULL, "program '%s'", skep_object_prog_name(prog));
	}
	verdict->loads = verdict->count == 0;
	return 0;
}

void skep_kernel_verdict_done(struct skep_kernel_verdict *verdict)
{
	if (!verdict)
		return;
	free(verdict->gaps);
	*verdict = (struct skep_kernel_verdict){ 0 };
}
