/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story_held.c - the stories of what must be given back: references, locks and
 * sections that a program still holds where it ends, or where it does something
 * that they forbid.
 */
#include "verify/explain.h"

#include <inttypes.h>
#include <stdio.h>

/* What opens and what closes. */
static const struct pair {
	const char *opens, *closes[6];
	const char *what;
} pairs[] = {
	{ "bpf_ringbuf_reserve", { "bpf_ringbuf_submit", "bpf_ringbuf_discard" }, "the record" },
	{ "bpf_ringbuf_reserve_dynptr", { "bpf_ringbuf_submit_dynptr", "bpf_ringbuf_discard_dynptr" },
	  "the record" },
	{ "bpf_spin_lock", { "bpf_spin_unlock" }, "the lock" },
	{ "bpf_res_spin_lock", { "bpf_res_spin_unlock" }, "the lock" },
	{ "bpf_res_spin_lock_irqsave", { "bpf_res_spin_unlock_irqrestore" }, "the lock" },
	{ "bpf_rcu_read_lock", { "bpf_rcu_read_unlock" }, "the RCU section" },
	{ "bpf_preempt_disable", { "bpf_preempt_enable" }, "the section" },
	{ "bpf_local_irq_save", { "bpf_local_irq_restore" }, "the section" },
	{ "bpf_sk_lookup_tcp", { "bpf_sk_release" }, "the socket" },
	{ "bpf_skc_lookup_tcp", { "bpf_sk_release" }, "the socket" },
	{ "bpf_sk_lookup_udp", { "bpf_sk_release" }, "the socket" },
	{ "bpf_task_acquire", { "bpf_task_release" }, "the task" },
	{ "bpf_task_from_pid", { "bpf_task_release" }, "the task" },
	{ "bpf_task_from_vpid", { "bpf_task_release" }, "the task" },
	{ "bpf_cgroup_acquire", { "bpf_cgroup_release" }, "the control group" },
	{ "bpf_cgroup_from_id", { "bpf_cgroup_release" }, "the control group" },
	{ "bpf_cpumask_create", { "bpf_cpumask_release" }, "the CPU mask" },
	{ "bpf_cpumask_acquire", { "bpf_cpumask_release" }, "the CPU mask" },
	{ "bpf_obj_new_impl", { "bpf_obj_drop_impl" }, "the object" },
	{ "bpf_obj_new", { "bpf_obj_drop" }, "the object" },
	{ "bpf_percpu_obj_new_impl", { "bpf_percpu_obj_drop_impl" }, "the object" },
	{ "bpf_get_task_exe_file", { "bpf_put_file" }, "the file" },
	{ "bpf_get_mem_cgroup", { "bpf_put_mem_cgroup" }, "the memory group" },
	{ "bpf_kptr_xchg", { "bpf_kptr_xchg", "bpf_task_release", "bpf_cgroup_release", "bpf_cpumask_release",
			     "bpf_obj_drop_impl", "bpf_obj_drop" },
	  "what was taken out of the map" },
};

static const struct pair *pair_of(struct env *env, const char *opens)
{
	size_t len = strlen(opens);
	struct pair *made;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (strcmp(pairs[i].opens, opens) == 0)
			return &pairs[i];
	made = env_alloc(env, sizeof(*made));
	if (!made)
		return NULL;
	/* Iterators: bpf_iter_KIND_new and bpf_iter_KIND_destroy. */
	*made = (struct pair){ .opens = opens, .what = "the reference" };
	if (strncmp(opens, "bpf_iter_", 9) == 0 && len > 13 && strcmp(opens + len - 4, "_new") == 0) {
		made->closes[0] = words(env, "%.*s_destroy", (int)len - 4, opens);
		made->what = "the iterator";
	}
	return made;
}

/* Does this call close it? */
static bool closes(struct env *env, uint32_t insn, const struct pair *pair)
{
	const struct insn *call = &env->insns[insn];
	const char *name = call->kind == INSN_CALL && call->op != CALL_LOCAL ? callee_name(env, insn)
									     : "";

	for (size_t i = 0; *name && i < ARRAY_SIZE(pair->closes) && pair->closes[i]; i++)
		if (strcmp(pair->closes[i], name) == 0)
			return true;
	return false;
}

/* A function of the program's own may do it. */
static void mark_closing(struct env *env, const struct pair *pair, uint8_t *can)
{
	bool function[SUBPROGS_MAX + 2] = { false };

	for (uint32_t s = 0; s < env->subprog_count; s++)
		for (uint32_t i = env->subprog[s].start; i < env->subprog[s].end; i++) {
			can[i] = closes(env, i, pair);
			function[s] |= can[i];
		}
	for (uint32_t i = 0; i < env->len; i++) {
		int callee = env->insns[i].kind == INSN_CALL && env->insns[i].op == CALL_LOCAL
				     ? subprog_at(env, (uint32_t)insn_target(&env->insns[i], i)) : -1;

		can[i] |= callee >= 0 && function[callee];
	}
}

/*
 * For each instruction: can one that closes be reached from it, inside its function?
 * One byte each; NULL out of memory. A few rounds do, since code mostly goes forward.
 */
static const uint8_t *find_reaching(struct env *env, const struct pair *pair)
{
	enum { ROUNDS = 64 };
	uint8_t *can = env_alloc(env, env->len + 1);
	bool changed = true;

	if (!can)
		return NULL;
	mark_closing(env, pair, can);
	for (int round = 0; changed && round < ROUNDS; round++) {
		changed = false;
		for (uint32_t i = env->len; i-- > 0;) {
			uint32_t own[2];
			unsigned n;
			const uint32_t *next = insn_successors(env, i, own, &n);

			if (can[i])
				continue;
			for (unsigned k = 0; k < n; k++)
				if (next[k] < env->len && can[next[k]])
					can[i] = 1;
			changed |= n && can[i];
		}
	}
	return can;
}

static const char *closers(struct env *env, const struct pair *pair)
{
	if (!pair->closes[0])
		return "its release function";
	if (strcmp(pair->opens, "bpf_kptr_xchg") == 0)
		return "bpf_kptr_xchg() to put it back, or the release function of its type";
	if (!pair->closes[1])
		return words(env, "%s()", pair->closes[0]);
	return words(env, "%s() or %s()", pair->closes[0], pair->closes[1]);
}

/* The step after which nothing that closes can be reached any more. */
static uint32_t point_of_no_return(struct story *story, uint32_t opened, const uint8_t *can)
{
	uint32_t depth = story->path->moments.items[opened].depth;
	uint32_t last = opened;

	for (uint32_t i = opened + 1; i < story->path->moments.count; i++) {
		const struct moment *m = &story->path->moments.items[i];

		if (m->depth > depth)
			continue;
		depth = m->depth; /* returned to the caller */
		if (!can[m->insn])
			return last;
		last = i;
	}
	return last;
}

/* The line of the return behind the branch: the last one before code that ways share. */
static int64_t return_line(struct story *story, uint32_t branch)
{
	const struct path *path = story->path;
	int64_t found = -1;

	for (uint32_t i = branch + 1; i < path->moments.count; i++) {
		uint32_t insn = path->moments.items[i].insn;
		uint32_t line = source_line(story->env, insn);

		if (line > source_line(story->env, path->moments.items[branch].insn) &&
		    story->env->insns[insn].kind != INSN_EXIT && found < 0)
			found = i;
	}
	return found;
}

/* How the program goes. */
static const char *leaves(const struct story *story)
{
	const struct insn *insn = &story->env->insns[story->insn];

	if (insn->kind == INSN_EXIT)
		return "the program ends here";
	return insn->kind == INSN_CALL ? "the program may leave for good here"
				       : "the program may end here";
}

static void tell_not_closed(struct story *story, uint32_t opened, const struct pair *pair)
{
	struct env *env = story->env;
	const struct path *path = story->path;
	uint32_t insn = path->moments.items[opened].insn, branch;
	const char *name = source_assigned(env, insn);
	const uint8_t *can = pair ? find_reaching(env, pair) : NULL;
	bool anywhere, after;

	if (!can)
		return;
	anywhere = can[env->subprog[subprog_of(env, insn)].start];
	after = can[insn + 1];
	story->origin = insn;
	story_event(story, opened, "acquire", "%s: %s%s%s must be given back on every way out",
		    callee_words(env, insn), pair->what, *name ? " in " : "", name);
	if (!after) {
		story_event(story, story->moment, "stop", "%s, still having it", leaves(story));
		story_cause(story, insn, "%s is never given back%s", pair->what,
			    anywhere ? " after this" : "");
		story_fix(story, "call %s on every way from here to the end", closers(env, pair));
		return;
	}
	branch = point_of_no_return(story, opened, can);
	if (env->insns[path->moments.items[branch].insn].kind == INSN_JUMP)
		story_event(story, branch, "check", "here the way branches off that misses %s",
			    closers(env, pair));
	if (return_line(story, branch) >= 0)
		story_detail(story, (uint32_t)return_line(story, branch), "change", "on to the end");
	story_event(story, story->moment, "stop", "%s, still having it", leaves(story));
	story_cause(story, path->moments.items[branch].insn, "the way that is taken here ends the program "
		    "without giving %s back, which %s got at line %u", pair->what,
		    callee_words(env, insn), source_line(env, insn));
	story_fix(story, "before this way leaves, call %s", closers(env, pair));
}

/* The innermost section or lock that is open: where it was entered; -1: unknown. */
static int64_t opened_at(const struct story *story, size_t count_offset)
{
	const struct moment *moments = story->path->moments.items;
	int64_t opened = -1;

	for (uint32_t i = 0; i < story->moment; i++) {
		uint8_t before = ((const uint8_t *)&moments[i])[count_offset];
		uint8_t after = ((const uint8_t *)&moments[i + 1])[count_offset];

		if (after > before)
			opened = i;
	}
	return opened;
}

static int64_t section_opened(const struct story *story)
{
	const struct moment *now = &story->path->moments.items[story->moment];

	if (now->locks)
		return opened_at(story, offsetof(struct moment, locks));
	if (now->irq)
		return opened_at(story, offsetof(struct moment, irq));
	if (now->rcu)
		return opened_at(story, offsetof(struct moment, rcu));
	if (now->preempt)
		return opened_at(story, offsetof(struct moment, preempt));
	return -1;
}

/* The program ends, and still holds something. */
void tell_leak(struct story *story)
{
	struct env *env = story->env;
	const char *at = strstr(story->remark, "alloc_insn=");
	int64_t opened;

	if (!story->has_path)
		return;
	opened = strstr(story->message, "reference leak") && at
			 ? path_find(story->path, story->moment, (uint32_t)atoi(at + 11))
			 : section_opened(story);
	if (opened < 0) {
		tell_value(story);
		return;
	}
	if (env->insns[story->insn].kind != INSN_EXIT && !strstr(story->message, "reference leak")) {
		tell_region(story);
		return;
	}
	tell_not_closed(story, (uint32_t)opened,
			pair_of(env, callee_name(env, story->path->moments.items[opened].insn)));
}

/* Unlocked through another pointer than the one that was locked. */
void tell_other_lock(struct story *story)
{
	struct env *env = story->env;
	int64_t opened = story->has_path ? section_opened(story) : -1;
	struct chain chain = { 0 };
	uint32_t insn;

	if (opened < 0)
		return;
	insn = story->path->moments.items[opened].insn;
	chain_find(env, story->path, story->moment, story_place(story, 1), &chain);
	story_origin(story, chain_origin(&chain));
	story_event(story, (uint32_t)opened, "acquire", "this lock is held");
	story_event(story, story->moment, "stop", "this one is unlocked");
	story_cause(story, story->insn, "this unlocks another lock than the one that is held since line %u",
		    source_line(env, insn));
	story_fix(story, "unlock through the pointer that was locked: looked up again, it counts as another "
		  "one");
}

/* Something is done inside a section that does not allow it. */
void tell_region(struct story *story)
{
	struct env *env = story->env;
	int64_t opened = story->has_path ? section_opened(story) : -1;
	const char *what = callee_words(env, story->insn >= 0 ? (uint32_t)story->insn : 0);
	const struct pair *pair;
	uint32_t insn;

	if (!story->has_path)
		return;
	if (opened < 0) {
		story_event(story, story->moment, "stop", "%s is called here", what);
		if (story->code == SKEP_VERIFY_SLEEP) {
			story_cause(story, story->insn, "%s may sleep, and this program may not", what);
			story_fix(story, "make the program sleepable, where its type can be: "
				  "SEC(\"fentry.s/...\"), SEC(\"lsm.s/...\"), SEC(\"iter.s/...\"), "
				  "SEC(\"syscall\")");
		} else if (strstr(story->message, "unlock")) {
			story_cause(story, story->insn, "nothing is locked on the way that leads here");
			story_fix(story, "lock before, or unlock only on the ways that locked");
		}
		return;
	}
	insn = story->path->moments.items[opened].insn;
	pair = pair_of(env, callee_name(env, insn));
	story->origin = insn;
	story_event(story, (uint32_t)opened, "acquire", "from here on the program is in a section that "
		    "%s opened", callee_words(env, insn));
	story_event(story, story->moment, "stop", "and still is where %s is called", what);
	story_cause(story, story->insn, "%s cannot be called between %s at line %u and %s", what,
		    callee_words(env, insn), source_line(env, insn), closers(env, pair));
	story_fix(story, "call %s first, or move this before line %u", closers(env, pair),
		  source_line(env, insn));
}
