/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree.c - the end of a run with targets: which processes there were, what was missed and
 * why, what is not attached and why (see tree.h).
 *
 * A process stands below its parent if that is a target too. Process ids are used again, so
 * that a parent is the last one of its id that came before.
 */
#include "cli/tree.h"

#include <stdlib.h>
#include <string.h>

struct tree {
	struct skep_target_info *all; /* in the order they came */
	size_t count;
	bool json;
};

/* --- processes --- */

/* A machine with a name remembers others, that were before. */
static bool tree_read(struct tree *tree, struct skep_machine *machine, uint64_t since_ns)
{
	size_t room = skep_target_list(machine, NULL, 0) + 16, count;

	tree->all = calloc(room, sizeof(*tree->all));
	if (!tree->all)
		return false;
	count = skep_target_list(machine, tree->all, room);
	for (size_t i = 0; i < count && i < room; i++)
		if (tree->all[i].start_ns >= since_ns || tree->all[i].state == SKEP_TARGET_FOLLOWED)
			tree->all[tree->count++] = tree->all[i];
	return true;
}

/* The index of its parent; its own where that is no target. */
static size_t parent_of(const struct tree *tree, size_t index)
{
	for (size_t i = index; i > 0; i--)
		if (tree->all[i - 1].pid == tree->all[index].parent)
			return i - 1;
	return index;
}

static const char *state_name(const struct skep_target_info *info)
{
	static const char *const names[] = {
		[SKEP_TARGET_FOLLOWED] = "runs", [SKEP_TARGET_NOT_FOLLOWED] = "not followed",
		[SKEP_TARGET_DETACHED] = "let go", [SKEP_TARGET_ENDED] = "ended",
	};

	return names[info->state];
}

static void print_reason(const struct skep_target_info *info)
{
	printf("  %snot followed: %s%s", colour(stdout, COLOUR_WARN), info->reason,
	       colour(stdout, COLOUR_NONE));
	if (info->tracer)
		printf(" (process %d)", info->tracer);
	else if (info->error)
		printf(" (%s)", strerror(info->error));
}

static void print_process(const struct tree *tree, size_t index, unsigned depth)
{
	const struct skep_target_info *info = &tree->all[index];

	printf("  %*s%d %s", (int)depth * 2, "", info->pid, info->comm);
	if (info->exe[0])
		printf("  %s%s%s", colour(stdout, COLOUR_DIM), info->exe, colour(stdout, COLOUR_NONE));
	if (info->state == SKEP_TARGET_NOT_FOLLOWED)
		print_reason(info);
	else if (info->state != SKEP_TARGET_ENDED)
		printf("  %s", state_name(info));
	if (info->unreached)
		printf("  %sdoes not have yet what was attached last (%s)%s", colour(stdout, COLOUR_WARN),
		       strerror(info->unreached), colour(stdout, COLOUR_NONE));
	if (info->missed)
		printf("  %llu events missed", (unsigned long long)info->missed);
	if (info->unlike)
		printf("  %snot probed: %u place%s whose code is not the file's%s",
		       colour(stdout, COLOUR_WARN), info->unlike, info->unlike == 1 ? "" : "s",
		       colour(stdout, COLOUR_NONE));
	if (info->unsampled)
		printf("  %u threads not sampled", info->unsampled);
	printf("\n");
	for (size_t i = index + 1; i < tree->count; i++)
		if (parent_of(tree, i) == index)
			print_process(tree, i, depth + 1);
}

static void json_process(const struct skep_target_info *info)
{
	struct json json;

	json_begin(&json, stdout);
	json_int(&json, "process", info->pid);
	json_int(&json, "parent", info->parent);
	json_text(&json, "comm", info->comm);
	json_text(&json, "exe", info->exe);
	json_text(&json, "state", state_name(info));
	json_text(&json, "reason",
		  info->state == SKEP_TARGET_NOT_FOLLOWED ? info->reason : NULL);
	json_uint(&json, "execs", info->execs);
	json_uint(&json, "missed", info->missed);
	json_uint(&json, "unsampled", info->unsampled);
	json_uint(&json, "unlike", info->unlike);
	json_uint(&json, "unreached", (uint64_t)info->unreached);
	json_end(&json);
}

/* Of all runs for the machine, if it has a name. */
static void show_lost(struct skep_machine *machine, bool json)
{
	struct skep_target_lost lost;
	struct json line;

	skep_target_lost(machine, &lost);
	if (json && (lost.ended || lost.alive)) {
		json_begin(&line, stdout);
		json_uint(&line, "unlisted_ended", lost.ended);
		json_uint(&line, "unlisted_alive", lost.alive);
		json_end(&line);
		return;
	}
	if (lost.ended)
		printf("  %s%u that ended before are not listed%s\n", colour(stdout, COLOUR_WARN),
		       lost.ended, colour(stdout, COLOUR_NONE));
	if (lost.alive)
		printf("  %s%u that lived at the same time are not listed; programs that they became "
		       "are not followed%s\n", colour(stdout, COLOUR_WARN), lost.alive,
		       colour(stdout, COLOUR_NONE));
}

void show_targets(struct skep_machine *machine, uint64_t since_ns, bool json)
{
	struct tree tree = { .json = json };

	if (!tree_read(&tree, machine, since_ns))
		return;
	if (!json)
		printf("%sprocesses%s\n", colour(stdout, COLOUR_BOLD), colour(stdout, COLOUR_NONE));
	for (size_t i = 0; i < tree.count; i++) {
		if (json)
			json_process(&tree.all[i]);
		else if (parent_of(&tree, i) == i)
			print_process(&tree, i, 0);
	}
	show_lost(machine, json);
	free(tree.all);
}

/* --- what was missed --- */

static void print_counts(const struct skep_link_counts *counts, bool json)
{
	struct json line;

	if (json) {
		json_begin(&line, stdout);
		json_uint(&line, "missed_inside", counts->missed_inside);
		json_uint(&line, "missed_busy", counts->missed_busy);
		json_uint(&line, "missed_returns", counts->missed_returns);
		json_uint(&line, "missed_samples", counts->missed_samples);
		json_uint(&line, "faults", counts->faults);
		json_end(&line);
		return;
	}
	if (counts->missed_inside)
		printf("missed: %llu events that happened in a thread that was inside a program\n",
		       (unsigned long long)counts->missed_inside);
	if (counts->missed_busy)
		printf("missed: %llu events that found no virtual CPU free\n",
		       (unsigned long long)counts->missed_busy);
	if (counts->missed_returns)
		printf("missed: %llu returns, of calls that were nested too deep\n",
		       (unsigned long long)counts->missed_returns);
	if (counts->missed_samples)
		printf("missed: %llu samples, of CPU time that the kernel told of too late\n",
		       (unsigned long long)counts->missed_samples);
	if (counts->faults)
		printf("%llu runs of programs were ended by a bad memory access\n",
		       (unsigned long long)counts->faults);
}

static void print_program(const struct skep_prog_info *info, bool json)
{
	struct json line;

	if (!json) {
		if (info->missed)
			printf("  %s: ran %llu times, missed %llu\n", info->name,
			       (unsigned long long)info->run_count,
			       (unsigned long long)info->missed);
		return;
	}
	json_begin(&line, stdout);
	json_text(&line, "program", info->name);
	json_uint(&line, "runs", info->run_count);
	json_uint(&line, "missed", info->missed);
	json_end(&line);
}

void show_missed(struct skep_machine *machine, const struct skep_object *object, bool json)
{
	struct skep_link_counts counts;
	struct skep_prog_info info;

	skep_machine_link_counts(machine, &counts);
	print_counts(&counts, json);
	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		struct skep_prog *prog = skep_machine_prog(machine, skep_object_prog_at(object, i));

		if (!prog)
			continue;
		skep_prog_info(prog, &info);
		print_program(&info, json);
	}
}

void show_unattached(const struct unattached *list, size_t count, bool json)
{
	struct json line;

	for (size_t i = 0; i < count; i++) {
		if (!json) {
			printf("not attached: %s (%s): %s\n", list[i].program, list[i].section,
			       list[i].reason);
			continue;
		}
		json_begin(&line, stdout);
		json_text(&line, "unattached", list[i].program);
		json_text(&line, "section", list[i].section);
		json_text(&line, "reason", list[i].reason);
		json_end(&line);
	}
}
