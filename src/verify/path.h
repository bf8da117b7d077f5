/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path.h - recording the path that failed; see path.c.
 *
 * Threads: confined.
 */
#ifndef VERIFY_PATH_H
#define VERIFY_PATH_H

#include <stdio.h>
#include "verify/explain.h"

/* Of a longer path, its beginning and its end. */
enum { PATH_HEAD_STEPS = 8192, PATH_TAIL_STEPS = 32768 };

/* The first run: steps are numbered from 1; 0 is no step. */
struct path_finder {
	VEC(uint32_t) parents;   /* of step i + 1 */
	uint8_t *chosen;         /* by step: is it on the path? */
	bool failed;
};

struct verify_observer path_finder(struct path_finder *finder);
/* After the run: the path is what led to the last step. False: out of memory. */
bool path_choose(struct path_finder *finder);
void path_finder_done(struct path_finder *finder);

/* The second run. */
struct path_recorder {
	const struct path_finder *finder;
	struct path *path;
	size_t step, last;       /* the step at hand; the one recorded last */
	bool failed;
	char remark[256];        /* the newest line that went before a verdict */
};

struct verify_observer path_recorder(struct path_recorder *recorder);

#endif
