/* SPDX-License-Identifier: BSD-2-Clause */
/* objects.h - what is special in map values and objects, and the functions that work on it. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include "typed.h"

struct bpf_spin_lock { u32 val; };
struct bpf_res_spin_lock { u32 val; };
struct bpf_list_head { u64 opaque[2]; };
struct bpf_list_node { u64 opaque[3]; };
struct bpf_rb_root { u64 opaque[2]; };
struct bpf_rb_node { u64 opaque[4]; };
struct bpf_refcount { u32 opaque; };
struct bpf_timer { u64 opaque[2]; };
struct bpf_wq { u64 opaque[2]; };
struct bpf_task_work { u64 opaque; };

typedef _Bool less_fn(struct bpf_rb_node *a, const struct bpf_rb_node *b);
typedef int work_fn(void *map, int *key, void *value);

#endif
