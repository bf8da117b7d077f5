/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failing_heap.h - a heap whose n-th allocation fails, and whose balance tells a leak.
 *
 * The linker sends the library's allocations here (--wrap, see meson.build). For
 * one source file of a test.
 */
#ifndef TEST_FAILING_HEAP_H
#define TEST_FAILING_HEAP_H

#include <stdbool.h>
#include <stddef.h>

static struct {
	long count;      /* allocations made since the start of a round */
	long fail_at;    /* the one that fails; 0: none */
	long live;
	bool failed;
} heap;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void __real_free(void *p);

static bool refuse(void)
{
	if (++heap.count != heap.fail_at)
		return false;
	heap.failed = true;
	return true;
}

static void *counted(void *p, const void *old)
{
	heap.live += p && !old;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : counted(__real_malloc(size), NULL);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : counted(__real_calloc(n, size), NULL);
}

void *__wrap_realloc(void *p, size_t size)
{
	return refuse() ? NULL : counted(__real_realloc(p, size), p);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return refuse() ? NULL : counted(__real_reallocarray(p, n, size), p);
}

char *__wrap_strdup(const char *s)
{
	return refuse() ? NULL : counted(__real_strdup(s), NULL);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return refuse() ? NULL : counted(__real_strndup(s, n), NULL);
}

void __wrap_free(void *p)
{
	heap.live -= p != NULL;
	__real_free(p);
}

#endif
