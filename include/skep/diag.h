/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diag.h - what went wrong, where, and what to do about it.
 *
 * A failing call appends at least one item and returns a negative errno: the
 * errno says what a program should do, the item what a person should know.
 * Every function accepts a NULL skep_diag and then only computes the errno.
 *
 * Threads: confined.
 */
#ifndef SKEP_DIAG_H
#define SKEP_DIAG_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum skep_code {
#define DIAG(name, id, err, title, help) SKEP_##name,
#include <skep/diag.def>
	SKEP_CODE_COUNT
};

enum {
#define DIAG(name, id, err, title, help) SKEP_##name##_ERRNO = err,
#include <skep/diag.def>
	SKEP_CODE_ERRNO_END = 0
};

/*
 * A place in a program. Every string is borrowed for the call that takes it
 * and copied where it is kept; NULL and -1 mean "does not apply".
 */
struct skep_where {
	const char *object;  /* file name as the user wrote it */
	const char *section;
	const char *program;
	const char *file;    /* source file */
	const char *text;    /* source line, without its newline */
	uint32_t line;       /* 1-based; 0: unknown */
	uint32_t column;     /* 1-based; 0: unknown */
	int64_t insn;        /* instruction index; -1: none */
};

#define SKEP_NOWHERE ((struct skep_where){ .insn = -1 })

/*
 * A remark, or an event on the way to an error. Events are in the order in which
 * they happened; their kinds:
 *
 *   start      what a function or program was given
 *   value      a value was read, set or returned
 *   change     it was computed with, copied or moved
 *   check      a branch taken or not, and what follows from it
 *   call       something was called
 *   acquire    a reference, lock or section that must be given back
 *   release    it was given back
 *   lost       what was known or allowed before is not any more
 *   loop       a loop goes round
 *   stop       what the verifier does not allow
 */
struct skep_note {
	struct skep_where where;
	const char *message;
	const char *event;   /* its kind; NULL: a remark */
	const char *state;   /* events: the instruction and what it found, as in the verifier's
			      * log; NULL: unknown */
	int detail;          /* only for who wants every step */
};

struct skep_diag_item {
	enum skep_code code;
	struct skep_where where;
	const char *message; /* one line, no final newline */
	const char *cause;   /* the same for this very case and in plain words; may be NULL */
	struct skep_where blame; /* the line at fault, where that is another; else line is 0 */
	const char *help;    /* what usually fixes it; may be NULL */
	const struct skep_note *notes; /* in the order they were added */
	size_t note_count;
};

struct skep_diag;

/* NULL when out of memory. Free with skep_diag_free(), which accepts NULL. */
struct skep_diag *skep_diag_new(void);
void skep_diag_free(struct skep_diag *diag);
void skep_diag_clear(struct skep_diag *diag);

size_t skep_diag_count(const struct skep_diag *diag);
/* Borrowed until the next report, clear or free. NULL past the end. */
const struct skep_diag_item *skep_diag_get(const struct skep_diag *diag, size_t index);

/* The stable id ("L003"), one-line title and default help of a code. */
const char *skep_code_id(enum skep_code code);
const char *skep_code_title(enum skep_code code);
const char *skep_code_help(enum skep_code code);
int skep_code_errno(enum skep_code code);

/* Append an item. where may be NULL. Returns the code's negative errno. */
int skep_report(struct skep_diag *diag, enum skep_code code, const struct skep_where *where,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int skep_vreport(struct skep_diag *diag, enum skep_code code, const struct skep_where *where,
		 const char *fmt, va_list args) __attribute__((format(printf, 4, 0)));
/* Add a note to, or replace the help of, the item reported last. */
void skep_note(struct skep_diag *diag, const struct skep_where *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void skep_help(struct skep_diag *diag, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Add an event: its message, kind, state and detail are note's. */
void skep_event(struct skep_diag *diag, const struct skep_note *note);
/* Say what is at fault, and where (NULL: where it was found). */
void skep_blame(struct skep_diag *diag, const struct skep_where *where, const char *cause);

/* A macro, so that compilers and analysers know the result is negative. */
#define skep_fail(diag, code, ...) (skep_report((diag), (code), __VA_ARGS__), -code##_ERRNO)

enum skep_diag_style {
	SKEP_DIAG_COLOUR = 1, /* escape sequences for a terminal */
	SKEP_DIAG_DETAIL = 2, /* every event, with its state */
};

/*
 * Render every item: text for people ("error[L003]: ..." with the source line
 * and a caret, and the events that led to it), or one JSON object a line. The
 * caller frees the string; NULL when out of memory.
 */
char *skep_diag_text(const struct skep_diag *diag, int style); /* enum skep_diag_style */
char *skep_diag_json(const struct skep_diag *diag);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
