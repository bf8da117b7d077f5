/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch_write.h - changes the bytes of sites in code that may be executing. [runtime]
 *
 * Threads: caller locks.
 */
#ifndef AGENT_PATCH_WRITE_H
#define AGENT_PATCH_WRITE_H

#include "agent/patch.h"

/* How many bytes of a site change: a jump and perhaps a trap behind it, or one of a trap. */
size_t patch_change_size(const struct patch_site *site);
/* The code becomes what the sites' states say (in), or what it was. 0 or a negative errno: some
 * may be changed. batch: where they lie. */
int patch_write(struct patch_site *const *sites, size_t count, bool in, enum patch_mode mode,
		const struct patch_batch *batch);

#endif
