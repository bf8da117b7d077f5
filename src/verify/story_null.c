/* SPDX-License-Identifier: BSD-2-Clause */
/* story_null.c - the story of a pointer that may be NULL where it is used. */
#include "verify/explain.h"

/* The register of an argument that a message counts; from 1 on. */
static int named_argument(const char *message)
{
	const char *helper = strstr(message, "helper arg"), *trusted = strstr(message, "trusted arg");
	const char *arg = strstr(message, "arg#");

	if (helper)
		return atoi(helper + 10);
	if (trusted)
		return atoi(trusted + 11) + 1;
	return arg ? atoi(arg + 4) + 1 : -1;
}

static const struct {
	const char *name, *when;
} null_when[] = {
	{ "bpf_map_lookup_elem", "when the map has no such key" },
	{ "bpf_map_lookup_percpu_elem", "when the map has no such key or CPU" },
	{ "bpf_ringbuf_reserve", "when the ring buffer is full" },
	{ "bpf_obj_new_impl", "when there is no memory" },
	{ "bpf_obj_new", "when there is no memory" },
	{ "bpf_iter_num_next", "when the loop is over" },
	{ "bpf_kptr_xchg", "when nothing was stored there" },
	{ "bpf_dynptr_data", "when the range is not inside, or the dynptr not valid" },
	{ "bpf_dynptr_slice", "when the range is not inside" },
	{ "bpf_dynptr_slice_rdwr", "when the range is not inside" },
	{ "bpf_task_acquire", "when the task is gone already" },
	{ "bpf_task_from_pid", "when there is no such task" },
	{ "bpf_sk_lookup_tcp", "when there is no such socket" },
	{ "bpf_skc_lookup_tcp", "when there is no such socket" },
	{ "bpf_sk_lookup_udp", "when there is no such socket" },
	{ "bpf_sk_storage_get", "when there is no storage and none was created" },
	{ "bpf_task_storage_get", "when there is no storage and none was created" },
};

static const char *when_null(const char *callee)
{
	for (size_t i = 0; i < ARRAY_SIZE(null_when); i++)
		if (strcmp(null_when[i].name, callee) == 0)
			return null_when[i].when;
	return "when it fails";
}

static void fix_null_argument(struct story *story, const char *name)
{
	story_fix(story, "tag the parameter: '%s __arg_nonnull', if every caller has a pointer that "
		  "is not NULL; or test it: if (!%s) return ...;", name, name);
}

void tell_null(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	const struct link *origin;
	struct chain chain = { 0 };
	uint32_t insn, start;
	const char *name, *callee;

	if (regno < 0)
		regno = named_argument(story->message);
	if (!story->has_path || regno < 0 || regno > REG_FP)
		return;
	chain_find(env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
	story_chain(story, &chain);
	origin = chain_origin(&chain);
	insn = story->path->moments.items[origin->moment].insn;
	start = story->path->moments.items[0].insn;
	name = source_assigned(env, insn);
	story_event(story, story->moment, "stop", "%s, and nothing before rules out that it is NULL",
		    env->insns[story->insn].kind == INSN_CALL
			    ? words(env, "passed to %s", callee_words(env, (uint32_t)story->insn))
			    : "used here");
	if (origin->how == LINK_ARGUMENT && !origin->moment && origin->place < REG_FP) {
		uint32_t subprog = subprog_of(env, start);

		name = param_name(env, subprog, origin->place - 1);
		story_cause(story, subprog && env->subprog[subprog].is_global ? (int64_t)start
									   : story->insn,
			    "'%s' may be NULL: %s is global, so it must be safe whoever calls it",
			    name, subprog_words(env, subprog));
		fix_null_argument(story, name);
		return;
	}
	callee = callee_name(env, insn);
	if (subprog_of(env, insn) != subprog_of(env, (uint32_t)story->insn))
		name = "";
	if (origin->how == LINK_RETURNED && *callee)
		story_cause(story, story->insn, "%s%s%s may be NULL here: %s() returns NULL %s",
			    *name ? "'" : "", *name ? name : "the pointer", *name ? "'" : "", callee,
			    when_null(callee));
	else
		story_cause(story, story->insn, "%s%s%s may be NULL here, and is not tested",
			    *name ? "'" : "", *name ? name : "the pointer", *name ? "'" : "");
	if (subprog_of(env, insn) != subprog_of(env, (uint32_t)story->insn) ||
	    source_line(env, insn) >= source_line(env, (uint32_t)story->insn))
		story_fix(story, "test it before it is used: if (!%s) return ...;", *name ? name : "pointer");
	else
		story_fix(story, "test it between line %u and line %u: if (!%s) return ...;",
			  source_line(env, insn), source_line(env, (uint32_t)story->insn),
			  *name ? name : "pointer");
}
