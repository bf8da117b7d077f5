/* SPDX-License-Identifier: BSD-2-Clause */
/* explain.h - graphs in words. Private to src/cbpf. */
#ifndef CBPF_EXPLAIN_H
#define CBPF_EXPLAIN_H

#include "cbpf/graph.h"
#include "cbpf/set.h"

/* Takes the graph, which building ended with this error, over. sets: that it looks into; or NULL. */
int explain_filter(struct graph *graph, int error, const struct cbpf_sets *sets, int link, const char *name,
	    struct skep_text *out, struct skep_diag *diag);
/* "17 (10.0.0.1, 10.0.0.2, 10.0.0.3 ... 10.0.0.17)" */
void set_write(const struct cbpf_set *set, struct skep_text *out);

#endif
