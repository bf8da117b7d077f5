/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claims.h - what the verifier said of every instruction on every path, kept
 * so that a run can be held against it.
 */
#ifndef FUZZ_CLAIMS_H
#define FUZZ_CLAIMS_H

#include "verify/observe.h"

struct claims;

struct claims *claims_new(void);
void claims_free(struct claims *claims);
/* Ready for another program. */
void claims_reset(struct claims *claims);
/* Give it to verify_observed(). */
struct verify_observer claims_observer(struct claims *claims);
/* False: the paths were more than can be kept; nothing can be checked. */
bool claims_complete(const struct claims *claims);

#endif
