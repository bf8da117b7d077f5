/* SPDX-License-Identifier: BSD-2-Clause */
/* cbpf_test.h - what the tests of classic BPF share. */
#ifndef CBPF_TEST_H
#define CBPF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "cbpf/cbpf.h"

/* The instructions of a text, which must be good; free() them. */
static inline struct skep_cbpf_insn *filter_of(const char *text, size_t *count)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_cbpf_insn *insns = NULL;

	if (skep_cbpf_read(text, strlen(text), "t", &insns, count, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	skep_diag_free(diag);
	return insns;
}

/* The message of the one item in diag, which is freed with what it says at the next call. */
static inline const char *only_message(struct skep_diag *diag)
{
	static char message[512];

	assert_int_equal(skep_diag_count(diag), 1);
	strncpy(message, skep_diag_get(diag, 0)->message, sizeof(message) - 1);
	skep_diag_free(diag);
	return message;
}

#endif
