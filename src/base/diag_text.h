/* SPDX-License-Identifier: BSD-2-Clause */
/* diag_text.h - one diagnostic as text for people; see diag_text.c. */
#ifndef BASE_DIAG_TEXT_H
#define BASE_DIAG_TEXT_H

#include <skep/diag.h>
#include "base/base.h"

/* style: enum skep_diag_style. */
void diag_item_text(struct skep_text *out, const struct skep_diag_item *item, int style);

#endif
