/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.h - how a verb of the command is written: a descriptor, options as rows,
 * and the few helpers that all verbs share.
 *
 * The command uses public headers only: what it can do, a program using the
 * library can do.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <skep/diag.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_REJECTED = 1, EXIT_USAGE = 2 };

/* --- options --- */

enum opt_kind {
	OPT_END,
	OPT_FLAG,   /* bool */
	OPT_TEXT,   /* const char * */
	OPT_NUMBER, /* uint64_t; decimal, or hexadecimal after 0x */
	OPT_LIST,   /* struct list: may be given more than once */
	OPT_COUNT,  /* unsigned: how often it was given */
};

struct list {
	const char **items; /* the array is owned, the strings are argv's */
	size_t count;
};

struct opt {
	enum opt_kind kind;
	char letter;        /* 0: long form only */
	const char *name;
	size_t offset;      /* into the verb's struct args */
	const char *value;  /* what help calls the value; NULL for flags */
	const char *help;
};

/* A row; the verb's own file defines struct args. */
#define OPT(kind, letter, name, field, value, help) \
	{ kind, letter, name, offsetof(struct args, field), value, help }

/* --- verbs --- */

struct verb {
	const char *name;      /* one word, or noun and verb: "prog run" */
	const char *operands;  /* "OBJECT[:PROGRAM]..." */
	const char *summary;   /* one line, no full stop */
	const char *detail;    /* paragraphs for its help page; may be NULL */
	const char *example;   /* lines to type; may be NULL */
	const struct opt *opts;
	size_t args_size;
	/* argv: the operands. args is zeroed but for what options set. */
	int (*run)(const struct verb *verb, void *args, int argc, char **argv);
};

extern const struct verb *const verbs[]; /* ends with NULL */
const struct verb *verb_find(const char *name);

/*
 * Parse argv (without the verb) into args; operands are moved to the front and
 * *argc becomes their number. "--" ends options. Returns EXIT_DONE, or
 * EXIT_USAGE once the mistake was explained on stderr. *help: --help was given.
 */
int options_parse(const struct verb *verb, void *args, int *argc, char **argv, bool *help);
/* Free what OPT_LIST allocated. */
void options_done(const struct verb *verb, void *args);
void help_verb(const struct verb *verb, FILE *out);

/* The word nearest to a mistyped one, or NULL if none is near. next(i) ends with NULL. */
const char *nearest(const char *word, const char *(*next)(const void *arg, size_t i),
		    const void *arg);

/* Explain a wrong command line on stderr; returns EXIT_USAGE. */
int usage(const struct verb *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- output --- */

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN };

/* "auto", "always" or "never"; false: none of them. */
bool colour_choose(const char *when);
bool colour_on(FILE *out);
/* The escape sequence that starts (or, COLOUR_NONE, ends) a colour on out; "" without colour. */
const char *colour(FILE *out, enum colour colour);

/* Print every item of diag on stderr, or as JSON lines on stdout; returns EXIT_REJECTED. */
int report(const struct skep_diag *diag, bool json);
/* "EACCES" for EACCES or -EACCES; "E524" where it has no name. */
const char *errno_name(int error);
/* The message of the last item: what a person should read; "" if there is none. */
const char *last_message(const struct skep_diag *diag);

/* Progress on stderr, from two seconds after the first call, if that is a terminal. */
void progress(size_t done, size_t total, const char *what);
void progress_clear(void);

/* --- a table of text, columns as wide as their widest cell --- */

struct table {
	size_t columns;
	char **cells;
	size_t count, size;
	unsigned right; /* bit per column: align to the right */
};

void table_init(struct table *table, const char *const *heads, size_t columns, unsigned right);
void table_add(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *table, FILE *out);
void table_done(struct table *table);

/* --- JSON, one object a line --- */

struct json {
	FILE *out;
	bool comma;
};

void json_begin(struct json *json, FILE *out); /* {"v":1 */
void json_end(struct json *json);              /* } and newline */
void json_text(struct json *json, const char *key, const char *value); /* NULL: null */
void json_int(struct json *json, const char *key, int64_t value);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_key(struct json *json, const char *key); /* the caller writes the value */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '['; key may be NULL */
void json_close(struct json *json, char bracket);
void json_quote(FILE *out, const char *text, size_t size); /* with quotes */

/* --- files --- */

/* A whole file, or standard input for "-"; a NUL stands behind the bytes, which
 * the caller frees. NULL with the reason in diag. */
void *slurp(const char *path, size_t *size, struct skep_diag *diag);
/*
 * A file that appears under its name only when it is whole: until then it has
 * another name beside it. Devices, pipes and "-" are written as they are.
 */
struct out_file {
	FILE *file;              /* NULL: closed, or never opened */
	char *path, *temporary;  /* owned; temporary may be NULL */
};

/* Negative errno with the reason in diag. */
int out_open(struct out_file *out, const char *path, struct skep_diag *diag);
/* keep false: as if it had never been written. */
int out_close(struct out_file *out, bool keep, struct skep_diag *diag);

/* To a file, or standard output for "-". Negative errno with the reason in diag. */
int spill(const char *path, const void *bytes, size_t size, struct skep_diag *diag);
/* Hexadecimal bytes with any blanks between them. NULL with the reason in diag. */
uint8_t *hex_bytes(const char *text, size_t len, size_t *size, struct skep_diag *diag);

#endif
