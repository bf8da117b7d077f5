/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * values.h - what the programs of this directory record: one value of one thing at a time.
 *
 * A value has the place that it was seen at and the name of what it is of; what it should be,
 * the running kernel says. A field that there is not is told as that.
 */
#define __VMLINUX_H__ /* registers by the kernel's names */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef _Bool bool;

enum { TEXT = 96, ABSENT = 1 };

struct value {
	__u32 tid, absent;
	__u64 number;
	char place[24];
	char name[40];
	char text[TEXT];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

const struct value *unused_value __attribute__((unused));

static __always_inline struct value *begin(const char *place, const char *name)
{
	struct value *v = bpf_ringbuf_reserve(&events, sizeof(*v), 0);

	if (!v)
		return 0;
	v->tid = (__u32)bpf_get_current_pid_tgid();
	v->absent = 0;
	v->number = 0;
	__builtin_memset(v->text, 0, sizeof(v->text));
	bpf_probe_read_kernel_str(v->place, sizeof(v->place), place);
	bpf_probe_read_kernel_str(v->name, sizeof(v->name), name);
	return v;
}

static __noinline int number(const char *place, const char *name, __u64 value)
{
	struct value *v = begin(place, name);

	if (!v)
		return 0;
	v->number = value;
	bpf_ringbuf_submit(v, 0);
	return 0;
}

static __noinline int absent(const char *place, const char *name)
{
	struct value *v = begin(place, name);

	if (!v)
		return 0;
	v->absent = ABSENT;
	bpf_ringbuf_submit(v, 0);
	return 0;
}

/* The number is the length, or the error. */
static __noinline int text(const char *place, const char *name, const void *at)
{
	struct value *v = begin(place, name);

	if (!v)
		return 0;
	v->number = (__u64)bpf_probe_read_kernel_str(v->text, sizeof(v->text), at);
	bpf_ringbuf_submit(v, 0);
	return 0;
}

static __noinline int user_text(const char *place, const char *name, const void *at)
{
	struct value *v = begin(place, name);

	if (!v)
		return 0;
	v->number = (__u64)bpf_probe_read_user_str(v->text, sizeof(v->text), at);
	bpf_ringbuf_submit(v, 0);
	return 0;
}

#define NUMBER(name, value) number(place, name, (__u64)(value))
#define TEXT_AT(name, at) text(place, name, (const void *)(at))

/* FIELD(task, pid): where the kernel has such a field, else that there is none. */
#define FIELD(base, field)                                                            \
	do {                                                                          \
		if (bpf_core_field_exists((base)->field))                             \
			number(place, #base "." #field, (__u64)BPF_CORE_READ(base, field)); \
		else                                                                  \
			absent(place, #base "." #field);                              \
	} while (0)
/* What a pointer points to; NULL, which reads as zeros, where there is none. */
#define FOLLOW(base, field) \
	(bpf_core_field_exists((base)->field) ? BPF_CORE_READ(base, field) : 0)
