/* SPDX-License-Identifier: BSD-2-Clause */
/* vec.c - vectors that double when full. */
#include "base/base.h"

void *vec_grow(void **items, size_t *count, size_t *size, size_t item)
{
	if (*count == *size) {
		size_t more = *size ? *size * 2 : 8;
		void *grown = reallocarray(*items, more, item);

		if (!grown)
			return NULL;
		*items = grown;
		*size = more;
	}
	return memset((char *)*items + (*count)++ * item, 0, item);
}
