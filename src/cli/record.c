/* SPDX-License-Identifier: BSD-2-Clause */
/* record.c - a verification recorded (see record.h). */
#include "cli/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- strings, each kept once --- */

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h;
}

static bool grow_buckets(struct recording *rec)
{
	size_t count = rec->bucket_count ? rec->bucket_count * 2 : 4096;
	uint32_t *buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return false;
	for (uint32_t i = 0; i < rec->string_count; i++) {
		size_t at = hash(rec->strings[i]) & (count - 1);

		while (buckets[at])
			at = (at + 1) & (count - 1);
		buckets[at] = i + 1;
	}
	free(rec->buckets);
	rec->buckets = buckets;
	rec->bucket_count = count;
	return true;
}

static uint32_t intern(struct recording *rec, const char *text)
{
	size_t at;

	if (rec->string_count * 2 >= rec->bucket_count && !grow_buckets(rec))
		goto fail;
	at = hash(text) & (rec->bucket_count - 1);
	for (; rec->buckets[at]; at = (at + 1) & (rec->bucket_count - 1))
		if (strcmp(rec->strings[rec->buckets[at] - 1], text) == 0)
			return rec->buckets[at] - 1;
	if (rec->string_count == rec->string_size) {
		size_t size = rec->string_size ? rec->string_size * 2 : 1024;
		char **strings = realloc(rec->strings, size * sizeof(*strings));

		if (!strings)
			goto fail;
		rec->strings = strings;
		rec->string_size = size;
	}
	rec->strings[rec->string_count] = strdup(text);
	if (!rec->strings[rec->string_count])
		goto fail;
	rec->bytes += strlen(text) + 4;
	rec->buckets[at] = (uint32_t)++rec->string_count;
	return (uint32_t)rec->string_count - 1;
fail:
	rec->failed = true;
	return 0;
}

/* --- first time: what there is --- */

static int count_visit(void *arg, const struct skep_visit *visit, const struct skep_state *state)
{
	struct recording *rec = arg;

	(void)state;
	if (*rec->stop)
		return 1;
	if (rec->count == rec->size) {
		uint32_t size = rec->size ? rec->size * 2 : 1024;
		struct recorded_visit *visits = realloc(rec->visits, size * sizeof(*visits));

		if (!visits) {
			rec->failed = true;
			return 1;
		}
		rec->visits = visits;
		rec->size = size;
	}
	/* Numbers have no gaps; were there any, what is between is no visit. */
	if (visit->number != rec->count + 1 || visit->insn >= rec->insns) {
		rec->failed = true;
		return 1;
	}
	rec->visits[rec->count++] = (struct recorded_visit){
		.insn = (uint32_t)visit->insn,
		.from = (uint32_t)visit->from,
		.covered_by = (uint32_t)visit->covered_by,
		.ordinal = rec->heat[visit->insn]++,
		.live = visit->live,
		.flags = (uint8_t)((visit->kept ? VISIT_KEPT : 0) |
				   (visit->covered_by ? VISIT_COVERED : 0) |
				   (visit->covered_whole ? VISIT_COVERED_WHOLE : 0)),
	};
	return 0;
}

/* --- which states to record --- */

static bool choose(struct recording *rec, uint32_t number, size_t *left)
{
	struct recorded_visit *visit;

	if (!number || number > rec->count || !*left)
		return false;
	visit = &rec->visits[number - 1];
	*left -= !(visit->flags & VISIT_RECORDED);
	visit->flags |= VISIT_RECORDED;
	return true;
}

/* How many visits there are when each instruction has at most `most`. */
static size_t visits_within(const struct recording *rec, uint32_t most)
{
	size_t sum = 0;

	for (size_t i = 0; i < rec->insns; i++)
		sum += rec->heat[i] < most ? rec->heat[i] : most;
	return sum;
}

/*
 * All, if there is room. Else what led to a rejection, going back from it; where
 * paths ended and what covered them; and of each instruction as many first visits.
 */
static void choose_states(struct recording *rec, bool rejected, size_t max)
{
	size_t left = max;
	uint32_t low = 0, high = rec->count;

	if (rejected)
		for (uint32_t at = rec->count; at && left > max / 2; at = rec->visits[at - 1].from)
			choose(rec, at, &left);
	for (uint32_t i = 0; i < rec->count && left > max / 4 && rec->count > max; i++)
		if (rec->visits[i].covered_by && choose(rec, i + 1, &left))
			choose(rec, rec->visits[i].covered_by, &left);
	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;

		if (visits_within(rec, middle) <= left)
			low = middle;
		else
			high = middle - 1;
	}
	for (uint32_t i = 0; i < rec->count; i++)
		if (rec->visits[i].ordinal < low || rec->count <= max)
			choose(rec, i + 1, &left);
	/* What is left goes to the hotter ones. */
	for (uint32_t i = 0; i < rec->count && left; i++)
		choose(rec, i + 1, &left);
}

/* --- second time: the states --- */

static void set_part(struct recording *rec, uint32_t part, const char *text)
{
	uint32_t string = intern(rec, text);

	if (rec->now[part] == string)
		return;
	rec->now[part] = string;
	if (rec->change_count == rec->change_size) {
		size_t size = rec->change_size ? rec->change_size * 2 : 4096;
		struct change *changes = realloc(rec->changes, size * sizeof(*changes));

		if (!changes) {
			rec->failed = true;
			return;
		}
		rec->changes = changes;
		rec->change_size = size;
	}
	rec->changes[rec->change_count++] = (struct change){ part, string };
	rec->bytes += 10;
}

static void record_frame(struct recording *rec, const struct skep_state *state, unsigned f)
{
	uint32_t base = f * FRAME_PARTS;
	struct skep_frame frame;
	char text[256];

	skep_state_frame(state, f, &frame);
	snprintf(text, sizeof(text), "%lld %d %.200s", (long long)frame.call, frame.callback,
		 frame.name);
	set_part(rec, base + PART_FRAME, text);
	for (unsigned r = 0; r <= 10; r++) {
		if (!skep_state_reg_text(state, f, r, text, sizeof(text)))
			*text = '\0';
		set_part(rec, base + PART_REG + r, text);
	}
	for (unsigned s = 0; s < 64; s++) {
		if (s >= frame.slots || !skep_state_slot_text(state, f, s, text, sizeof(text)))
			*text = '\0';
		if (*text || rec->now[base + PART_SLOT + s])
			set_part(rec, base + PART_SLOT + s, text);
	}
}

static void record_holds(struct recording *rec, const struct skep_state *state)
{
	char text[256] = "";
	size_t len = 0;

	for (unsigned i = 0; i < skep_state_holds(state) && len < sizeof(text); i++) {
		struct skep_hold hold;

		skep_state_hold(state, i, &hold);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "; " : "",
					hold.what);
		if (hold.id && len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %u", hold.id);
		if (hold.insn >= 0 && len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						" from instruction %lld", (long long)hold.insn);
	}
	set_part(rec, PART_HOLDS, text);
}

static int record_visit(void *arg, const struct skep_visit *visit, const struct skep_state *state)
{
	struct recording *rec = arg;
	struct recorded_visit *row;
	unsigned frames = skep_state_frames(state);

	if (visit->number > rec->count || rec->failed || *rec->stop)
		return 1;
	row = &rec->visits[visit->number - 1];
	for (; rec->at < visit->number; rec->at++)
		rec->first_change[rec->at] = (uint32_t)rec->change_count;
	if (!(row->flags & VISIT_RECORDED))
		return 0;
	if (rec->bytes > rec->bytes_max) {
		row->flags &= (uint8_t)~VISIT_RECORDED;
		return 0;
	}
	for (unsigned f = 0; f < frames && f < 8; f++)
		record_frame(rec, state, f);
	for (uint32_t part = frames * FRAME_PARTS; part < 8 * FRAME_PARTS; part++)
		if (rec->now[part])
			set_part(rec, part, "");
	record_holds(rec, state);
	rec->recorded++;
	return 0;
}

static void record_states(struct recording *rec, struct skep_object_prog *prog,
			  struct skep_verify_opts opts, size_t bytes_max)
{
	struct skep_observer observer = { .arg = rec, .visit = record_visit };
	struct skep_verify_result again = { .insn = -1 };

	rec->first_change = calloc(rec->count + 1, sizeof(*rec->first_change));
	if (!rec->first_change || intern(rec, "") != 0) {
		rec->failed = true;
		return;
	}
	rec->bytes_max = bytes_max;
	opts.observer = &observer;
	opts.log_level = 0;
	opts.explain = opts.all = false;
	skep_object_check(prog, &opts, &again, NULL);
	skep_verify_result_done(&again);
	for (; rec->at <= rec->count; rec->at++)
		rec->first_change[rec->at] = (uint32_t)rec->change_count;
}

int record_check(struct recording *rec, struct skep_object_prog *prog,
		 const struct skep_verify_opts *opts, size_t insns, size_t states_max,
		 size_t bytes_max, const volatile sig_atomic_t *stop,
		 struct skep_verify_result *result, struct skep_diag *diag)
{
	struct skep_observer observer = { .arg = rec, .visit = count_visit };
	struct skep_verify_opts watched = *opts;
	int error;

	*rec = (struct recording){ .insns = insns, .stop = stop, .heat = calloc(insns + 1, sizeof(uint32_t)) };
	if (!rec->heat)
		return skep_fail(diag, SKEP_OOM, NULL, "recording a verification");
	watched.observer = &observer;
	error = skep_object_check(prog, &watched, result, diag);
	if (!error && rec->count) {
		choose_states(rec, result->error != 0, states_max);
		record_states(rec, prog, *opts, bytes_max);
	}
	if (rec->failed && !error)
		error = skep_fail(diag, SKEP_OOM, NULL, "recording a verification");
	return error;
}

void record_done(struct recording *rec)
{
	for (size_t i = 0; i < rec->string_count; i++)
		free(rec->strings[i]);
	free(rec->strings);
	free(rec->buckets);
	free(rec->changes);
	free(rec->first_change);
	free(rec->heat);
	free(rec->visits);
	*rec = (struct recording){ 0 };
}
