/* SPDX-License-Identifier: BSD-2-Clause */
/* attach.h - what ways of attaching share, for this folder only (see attach.c). */
#ifndef LINUX_ATTACH_H
#define LINUX_ATTACH_H

#include "linux/impl.h"

enum { RETURN = 1 << 0 };   /* flags of a row: when the function returns */

struct attaching {
	struct skep_linux *kernel;
	const struct skep_object_prog *prog;
	struct linux_prog *loaded;
	const char *target;      /* what the section says behind its prefix; "" for nothing */
	unsigned flags;          /* of the row */
	struct skep_where where;
	struct skep_diag *diag;
};

/* A link's descriptor, or a negative errno, which comes back. */
int attach_keep(const struct attaching *a, int fd);
/* Every way of failing ends here: what was to be attached to, and why it was not. */
int attach_failed(const struct attaching *a, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The section names nothing: form is how it would. */
int attach_wants_target(const struct attaching *a, const char *form);

struct perf_event_attr;
/* A perf event on a CPU that runs the program. */
int attach_event(const struct attaching *a, struct perf_event_attr *attr, int cpu);
/* The type that a device of perf has, and the bit of config that makes it a return probe. */
int attach_device(const char *device, struct perf_event_attr *attr, bool returns);

/* Functions of files (attach_user.c). */
int attach_uprobe(const struct attaching *a);
int attach_uprobe_multi(const struct attaching *a);

#endif
