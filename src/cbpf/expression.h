/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expression.h - tcpdump's expressions, read as far as it takes to find long alternatives of
 * addresses and ports in them. Private to src/cbpf.
 *
 * What is found becomes a set, and in its place the expression gets the first of the alternatives and
 * a stand-in, for libpcap to compile:
 *
 *   tcp and (host 10.0.0.1 or host 10.0.0.2 or 10.0.0.3 ...) and not port 22
 *   tcp and ((host 10.0.0.1 or host 233.82.0.1)) and not port 22
 *
 * With two different stand-ins libpcap writes two filters that differ in the stand-ins only:
 * so each place where a set is meant is known. The first alternative stays, because after its
 * tests all bytes that the others look at are known to be there: a packet cut short is
 * dropped exactly where libpcap's filter drops it.
 */
#ifndef CBPF_EXPRESSION_H
#define CBPF_EXPRESSION_H

#include "cbpf/set.h"

enum { STAND_INS = 2 }; /* ways of writing an expression */

/* What stands for a set, as the words that a filter compares with. */
struct set_stand_in { uint32_t words[STAND_INS][4]; };

struct expression {
	struct cbpf_sets sets;   /* not built yet */
	VEC(struct set_stand_in) stand_ins; /* by set */
	struct skep_text text[STAND_INS];   /* owned */
};

/*
 * Never fails for what the expression says: what is not understood is left for libpcap. No set in
 * it: there was none to find, or another reading of the text was possible. -ENOMEM.
 */
int expression_read(struct expression *e, const char *text);
void expression_done(struct expression *e);

#endif
