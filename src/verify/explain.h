/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.h - why a program was rejected: the path that led there, and the few
 * events on it that a person needs to see.
 *
 * A rejected program is verified once more by somebody who watches (see
 * observe.h): which steps made up the failing path, then what each of them
 * changed. Accepted programs pay nothing. On that recording one can ask where a
 * value came from, step by step backwards, and from the answers a story is made:
 *
 *   path.c      the recording                     what was in a place at a moment
 *   origin.c    from a value back to its source   the chain of what made it
 *   words.c     registers, places and lines in words
 *   story*.c    which events matter to which kind of rejection, and the usual fix
 *   explain.c   puts the story into the diagnostic
 *   log_report.c  and from there into the log
 *
 * Threads: confined. Memory: the environment's arena.
 */
#ifndef VERIFY_EXPLAIN_H
#define VERIFY_EXPLAIN_H

#include "verify/observe.h"
#include "verify/passes.h"

/* --- the recording (path.c) --- */

/* Places of a call chain: eleven registers and the stack's slots, per frame. */
enum { FRAME_PLACES = 16 + STACK_SLOTS, PLACES = FRAMES_MAX * FRAME_PLACES };

static inline uint32_t place_reg(uint32_t frame, unsigned regno)
{
	return frame * FRAME_PLACES + regno;
}
static inline uint32_t place_slot(uint32_t frame, unsigned slot)
{
	return frame * FRAME_PLACES + 16 + slot;
}
static inline bool place_is_slot(uint32_t place) { return place % FRAME_PLACES >= 16; }
static inline unsigned place_slot_of(uint32_t place) { return place % FRAME_PLACES - 16; }
static inline uint32_t place_frame(uint32_t place) { return place / FRAME_PLACES; }

/* A step of the failing path: the instruction, in the state before it. */
struct moment {
	uint32_t insn;
	uint8_t depth;
	uint8_t locks, rcu, preempt, irq; /* nesting before it */
	bool gap;                /* steps before it are left out */
};

/* What a place holds from a moment on. */
struct change {
	uint32_t moment;
	uint32_t before;         /* 1 + the change of the same place before; 0: none */
	uint16_t place;
	uint8_t byte[SLOT_SIZE]; /* slots */
	struct reg reg;
};

struct path {
	VEC(struct moment) moments;
	VEC(struct change) changes;
	uint32_t last[PLACES];       /* 1 + the newest change of each place */
	VEC(uint32_t) of_place[PLACES]; /* all of its changes, oldest first */
	uint64_t frame_uid[FRAMES_MAX];
	bool cut;                    /* steps in its middle are left out */
};

/* What is in a place in the state before a moment's instruction; NULL: nothing yet. */
const struct change *path_value(const struct path *path, uint32_t moment, uint32_t place);
/* The state before a moment, as far as it was recorded; NULL: out of memory. */
struct state *path_state(struct env *env, const struct path *path, uint32_t moment);
/* The moment of an instruction last executed before another moment; -1: none. */
int64_t path_find(const struct path *path, uint32_t before, uint32_t insn);
void path_done_recording(struct path *path);

/* --- where a value came from (origin.c) --- */

enum link_how {
	LINK_COPIED,     /* moved, spilled, filled, passed or returned: the same value */
	LINK_COMPUTED,   /* by an ALU instruction */
	LINK_CHECKED,    /* a branch taught something of it */
	LINK_LOADED,     /* read from memory: the source is there */
	LINK_RETURNED,   /* by a helper or kernel function */
	LINK_ARGUMENT,   /* given when the function started */
	LINK_CONSTANT,
	LINK_LOST,       /* a call made it useless, or widened it */
	LINK_UNKNOWN,    /* never written, or the recording does not say */
};

/* Something happened to the value when the instruction of a moment was executed. */
struct link {
	uint32_t moment;
	uint32_t place;          /* what was written, or refined */
	uint8_t how;             /* enum link_how */
};

enum { CHAIN_MAX = 64, EVENTS_MAX = 200 };

/* Newest first; ends with where the value came from. */
struct chain {
	struct link link[CHAIN_MAX];
	unsigned count;
};

/* scalars: where a number was added to a pointer, follow the number. */
void chain_find(const struct env *env, const struct path *path, uint32_t moment, uint32_t place,
		struct chain *chain);
static inline const struct link *chain_origin(const struct chain *chain)
{
	return chain->count ? &chain->link[chain->count - 1] : NULL;
}

/* --- the story --- */

struct event {
	uint32_t moment, insn;
	const char *kind;        /* see diag.h */
	bool detail;
	const char *text;
};

struct story {
	struct env *env;
	struct path *path;
	const char *message;         /* Linux's line */
	const char *remark;          /* the line before it, "" */
	enum skep_code code;
	uint32_t moment;             /* of the failing instruction */
	bool has_path;               /* false: rejected without running anything */
	int64_t insn;                /* -1: none */
	VEC(struct event) events;
	const char *cause;           /* one sentence; NULL: the message says it all */
	const char *fix;
	int64_t blame;               /* the instruction whose line is at fault; -1 */
	int64_t origin;              /* instruction that the offending value came from; -1 */
};

/* Chooses what to tell. */
void story_tell(struct story *story);

/* For the tellers (story.c). Strings are kept. */
void story_event(struct story *story, uint32_t moment, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void story_detail(struct story *story, uint32_t moment, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* At an instruction that was not executed on the path. */
void story_event_at(struct story *story, uint32_t insn, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void story_cause(struct story *story, int64_t blame, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void story_fix(struct story *story, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The register in a place before a moment; never NULL. */
const struct reg *story_reg(const struct story *story, uint32_t moment, uint32_t place);
/* The value after the moment's instruction. */
const struct reg *story_reg_after(const struct story *story, uint32_t moment, uint32_t place);
static inline uint32_t story_place(const struct story *story, unsigned regno)
{
	return place_reg(story->path->moments.items[story->moment].depth, regno);
}
static inline const struct insn *story_insn(const struct story *story, uint32_t moment)
{
	return &story->env->insns[story->path->moments.items[moment].insn];
}
/* Events for a chain: where it came from, what happened to it. */
void story_chain(struct story *story, const struct chain *chain);
/* The origin alone. */
void story_origin(struct story *story, const struct link *origin);
/* The R in "R3 ..."; -1: the message names none. */
int story_message_reg(const char *message);

/* A cause and fix by the message alone (story_plain.c); false: it is not in the table. */
bool story_plain(struct story *story);

/* The tellers, one per kind of rejection. */
void tell_null(struct story *story);
void tell_packet(struct story *story);
void tell_bounds(struct story *story);
void tell_unset_reg(struct story *story);
void tell_unset_stack(struct story *story);
void tell_gone(struct story *story);
void tell_leak(struct story *story);
void tell_region(struct story *story);
void tell_loop(struct story *story);
void tell_stack(struct story *story);
void tell_ctx(struct story *story);
void tell_call(struct story *story);
void tell_return(struct story *story);
void tell_argument(struct story *story);
void tell_read_only(struct story *story);
void tell_address(struct story *story);
void tell_arithmetic(struct story *story);
void tell_offset(struct story *story);
void tell_object(struct story *story);
void tell_other_lock(struct story *story);
void tell_value(struct story *story);
/* The story of a pointer that something on its way made useless; false: nothing did. */
bool tell_lost(struct story *story, const struct chain *chain);

/* --- words (words.c); the texts live as long as the environment --- */

/* "a number from 0 to 255", "a pointer to a value of map 'counts', or NULL". */
const char *reg_words(struct env *env, const struct reg *reg);
/* Only the range: "0 to 255", "any number". */
const char *range_words(struct env *env, struct scalar var);
/* "bpf_map_lookup_elem()", "parse()" of the call at insn. */
const char *callee_words(struct env *env, uint32_t insn);
/* The name without parentheses, or "". */
const char *callee_name(struct env *env, uint32_t insn);
/* "reads", "writes": what the instruction does to memory. */
const char *accesses_words(struct env *env, uint32_t insn);
/* What the source calls the thing at the instruction's column: "ip->protocol"; "" unknown. */
const char *source_expression(struct env *env, uint32_t insn);
/* The variable that a line assigns to: "value"; "" unknown. */
const char *source_assigned(struct env *env, uint32_t insn);
/* Is insn on another source line than other? */
bool source_differs(const struct env *env, uint32_t insn, uint32_t other);
uint32_t source_line(const struct env *env, uint32_t insn); /* 0: unknown */
/* The name of parameter index (from 0) of a subprogram; "" unknown. */
const char *param_name(struct env *env, uint32_t subprog, unsigned index);
const char *subprog_words(struct env *env, uint32_t subprog);
const char *words(struct env *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- explain.c --- */

/*
 * Verifies a rejected program again to explain it: adds what it finds to the
 * newest item of diag, and with opts->all an item for each further, independent
 * error. Says nothing where it fails.
 */
void explain_rejection(const struct prog_spec *spec, const struct skep_verify_opts *opts,
		       const struct skep_verify_result *result, struct skep_diag *diag);

/* --- log_report.c --- */

/* The explanation of an item as the last part of the log of a rejected program. */
void trace_report(struct skep_text *log, const struct prog_spec *spec,
		  const struct skep_btf *kernel_btf, const struct skep_diag_item *item);

#endif
