/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - what the files of `skep check` share.
 *
 *   check.c           options, and the order of things
 *   check_judge.c     an operand into verdicts, one struct judged a program
 *   check_jobs.c      operands over worker processes, verdicts back in order
 *   check_stats.c     the statistics of a verdict by name: columns, filters, sorting
 *   check_text.c      for people: rejections explained, a table, totals
 *   check_compare.c   against the verdicts of an earlier run
 *   check_why.c       why a program was rejected
 *   check_kernels.c   which releases of Linux would load them
 *   html.c, record.c  a page that shows how they were verified
 *   check_json.c, check_csv.c, check_sarif.c    for programs
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <skep/object.h>

#include "cli/object.h"

enum verdict { ACCEPTED, REJECTED, UNLOADABLE, VERDICTS };
extern const char *const verdict_names[VERDICTS];

struct args {
	struct list programs, filters, targets;
	const char *btf, *flags, *kernel, *caps, *html, *format, *sort, *columns, *compare;
	uint64_t log, log_size, jobs, top;
	bool json, quiet, unprivileged, all;
	unsigned verbose;        /* 1: every step and its state; 2: and Linux's log */
};

/* --- one program judged --- */

#define JUDGED_TEXTS(_)                                                               \
	_(object)  /* as given on the command line, without :PROGRAM */               \
	_(program) /* NULL: the file as a whole could not be judged */                \
	_(section)                                                                    \
	_(type)                                                                       \
	_(attach)                                                                     \
	_(message) /* "" if accepted */                                               \
	_(help)    /* what usually fixes it; or NULL */                               \
	_(why)     /* the diagnostics as text for people; NULL if there are none */   \
	_(story)   /* the same as members of a JSON object; NULL if there are none */  \
	_(file)    /* source line to blame; NULL: unknown */                          \
	_(blame_file) /* the line at fault, where that is another one */             \
	_(blame_text)                                                                 \
	_(cause)   /* what is wrong in plain words; or NULL */                        \
	_(line_text)                                                                  \
	_(log)

struct judged_numbers {
	uint64_t operand, index; /* the place in the order of all: of the operand, in its object */
	uint64_t verdict;        /* enum verdict */
	int64_t error;
	uint64_t code;           /* enum skep_code of the first item; if not accepted */
	uint64_t insns;
	int64_t insn;            /* where it was rejected; -1 */
	uint64_t line, column;   /* 0: unknown */
	uint64_t blame_line, blame_column;
	uint64_t processed, states, peak_states, max_states, stack_depth, memory, time_us;
	uint64_t log_lost;       /* bytes of the log that were too many */
};

struct judged_note {
	char *message, *file;    /* file may be NULL */
	uint64_t line, column;
};

/* Everything is owned. */
struct judged {
	struct judged_numbers n;
#define JUDGED_TEXT(name) char *name;
	JUDGED_TEXTS(JUDGED_TEXT)
#undef JUDGED_TEXT
	struct judged_note *notes;
	size_t note_count;
};

void judged_done(struct judged *j);

/* --kernel, whole (check_kernels.c). */
int check_kernels(const struct verb *verb, const struct args *args, unsigned flags, unsigned caps,
		  int argc, char **argv);

/* --- judging (check_judge.c) --- */

struct judging {
	const struct args *args;
	const struct name_filter *names;
	struct skep_verify_opts opts;
	unsigned slice, slices;  /* only programs whose index leaves this remainder */
	struct targets *targets; /* of the operand that is being judged */
	struct html *html;       /* or NULL; see html.h */
	void (*emit)(void *arg, struct judged *j); /* what it is given becomes its own */
	void *arg;
};

/* What there was besides the verdicts. */
struct judge_counts {
	uint64_t objects;        /* that could be opened */
	uint64_t empty;          /* and hold no program */
	uint64_t selected;       /* programs that were asked for, in all slices */
};

void judge_object(const struct judging *judging, size_t operand, const char *name,
		   struct judge_counts *counts);

/*
 * What the diagnostics say (check_why.c): as text for people, and as members of a JSON
 * object. The caller frees them; NULL: nothing.
 */
char *why_text(const struct skep_diag *diag, const struct args *args, FILE *out);
char *why_json(const struct skep_diag *diag);
/* Is Linux's log asked for? */
static inline bool wants_log(const struct args *args) { return args->log || args->verbose > 1; }

/* --- over processes (check_jobs.c) --- */

struct results {
	struct judged **rows;    /* in order; owned */
	size_t count, size;
	struct judge_counts counts;
	size_t operands_done;
	bool interrupted;
};

/*
 * Judge all operands on up to jobs processes. show, if not NULL, is told of each
 * verdict in order as soon as all before it are there. False: no process could be made.
 */
bool judge_all(const struct judging *judging, size_t jobs, int count, char **operands,
	       void (*show)(void *arg, const struct judged *j), void *arg,
	       struct results *results);
/* The same in this process, in order, into a page (html.h). */
void judge_into_page(const struct judging *judging, int count, char **operands,
		     void (*show)(void *arg, const struct judged *j), void *arg,
		     struct results *results);
void results_done(struct results *results);

/* --- statistics by name (check_stats.c) --- */

/* A verdict, and that of the same program in an earlier run. */
struct verdict_row {
	const struct judged *now, *old; /* either may be NULL, not both */
};

enum stat_kind { STAT_TEXT, STAT_NUMBER, STAT_TIME, STAT_BYTES };
enum stat_of { STAT_NOW, STAT_OLD, STAT_CHANGE, STAT_PERCENT };

struct statistic {
	const char *name;        /* in options, CSV and --help */
	const char *alias[3];    /* what veristat calls it, and other words */
	const char *head;        /* of its column */
	enum stat_kind kind;
	bool descending;         /* sorted so unless asked for otherwise */
	bool judged_only;        /* there is none of an unloadable program */
	size_t offset;           /* in struct judged */
};

/* --columns: "program,processed". NULL: the usual ones. */
struct columns {
	const struct statistic *stat[24];
	size_t count;
};

int columns_parse(const struct verb *verb, const char *text, const struct args *args, bool files,
		  struct columns *columns);

/* A value; number is also set for texts that have an order of their own (verdicts). */
struct value {
	bool known;
	const char *text;        /* borrowed from the row; numbers: NULL */
	double number;
};

struct value stat_value(const struct statistic *stat, enum stat_of of, const struct verdict_row *row);

/* --filter, of both kinds; see the verb's help. */
struct name_filter; /* by object and program: decides before anything is judged */
struct stat_filter; /* by what came out: decides what is shown */
struct filters {
	struct name_filter *names;
	struct stat_filter *stats;
};

int filters_parse(const struct verb *verb, const struct list *texts, struct filters *filters);
void filters_done(struct filters *filters);
/* program NULL: may any program of the object be wanted? */
bool name_wanted(const struct name_filter *names, const char *object, const char *program);
bool row_wanted(const struct stat_filter *stats, const struct verdict_row *row);

/* --sort. NULL text: the order of the operands, or in comparisons by difference. */
struct sorting;
int sorting_parse(const struct verb *verb, const char *text, bool compare,
		  struct sorting **sorting);
void sorting_done(struct sorting *sorting);
void rows_sort(const struct sorting *sorting, struct verdict_row *rows, size_t count);

/* --- comparing (check_compare.c) --- */

/* Verdicts of an earlier `skep check -j`. Negative errno with the reason in diag. */
int earlier_read(const char *path, struct results *earlier, struct skep_diag *diag);
/* One row for each program in either, in the order of now. Owned by the caller; NULL: no memory. */
struct verdict_row *rows_pair(const struct results *now, const struct results *earlier, size_t *count);

/* --- output --- */

struct report {
	const struct args *args;
	struct columns columns;
	const struct verdict_row *rows;  /* filtered and sorted */
	size_t count;            /* of them, that --top left */
	const struct results *results;
	bool compare;
	size_t paired, changed;  /* programs in both runs; of another verdict in them */
};

void show_failure_text(const struct judged *j, const struct args *args);
void print_report_text(const struct report *report);
void print_report_csv(const struct report *report);
void print_report_sarif(const struct report *report);
void print_verdict_json(const struct verdict_row *row, bool log);
/* "12.3 ms", "1.5 MB", "812": as a table shows it. */
void format_value(const struct statistic *stat, struct value value, char *text, size_t size);

#endif
