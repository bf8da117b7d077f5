/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked for now and runs later: timers, work queues, work of a task. */
#include "objects.h"

LICENSE;

struct task_struct;

struct queue_value { long count; struct bpf_wq work; };
struct task_value { long count; struct bpf_task_work work; };
struct timer_value { long count; struct bpf_timer timer; };

#define VALUES(name, value_type)              \
	struct {                              \
		__uint(type, ARRAY);          \
		__type(key, int);             \
		__type(value, value_type);    \
		__uint(max_entries, 2);       \
	} name SEC(".maps")
VALUES(queues, struct queue_value);
VALUES(other_queues, struct queue_value);
VALUES(tasks, struct task_value);
VALUES(other_tasks, struct task_value);
VALUES(timers, struct timer_value);
VALUES(numbers, long);

char bytes[8];
long out;

extern int bpf_wq_init(struct bpf_wq *wq, void *map, u32 flags) __ksym;
extern int bpf_wq_set_callback(struct bpf_wq *wq, work_fn *callback, u32 flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, u32 flags) __ksym;
extern int bpf_timer_cancel_async(struct bpf_timer *timer) __ksym;
extern int bpf_task_work_schedule_signal(struct task_struct *task, struct bpf_task_work *work,
					 void *map, work_fn *callback) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern int bpf_copy_from_user_str(void *to, u32 size, const void *from, u64 flags) __ksym;

static void *(*lookup)(void *, const void *) = (void *)1;
static long (*timer_set_callback)(struct bpf_timer *, void *) = (void *)170;

static int sleeps(void *map, int *key, void *value)
{
	bpf_copy_from_user_str(bytes, sizeof(bytes), (void *)0x1000, 0);
	return 0;
}
static int counts(void *map, int *key, void *value)
{
	out = ((struct queue_value *)value)->count + *key;
	return 0;
}
static int returns_one(void *map, int *key, void *value) { return 1; }
static int touches(void *map, int *key, void *value)
{
	((struct queue_value *)value)->work.opaque[0] = 1;
	return 0;
}

#define WITH(name, map, type, body)                    \
	SEC("tc") int name(void *ctx)                  \
	{                                              \
		int zero = 0;                          \
		type *v = lookup(&map, &zero);         \
                                                       \
		if (!v)                                \
			return 0;                      \
		body;                                  \
		return 0;                              \
	}
#define QUEUE(name, body) WITH(name, queues, struct queue_value, body)

ACCEPTED QUEUE(queue__of_its_map, bpf_wq_init(&v->work, &queues, 0); bpf_wq_start(&v->work, 0))
ACCEPTED QUEUE(queue__runs_what_sleeps, bpf_wq_set_callback(&v->work, sleeps, 0))
ACCEPTED QUEUE(queue__sees_the_value, bpf_wq_set_callback(&v->work, counts, 0))
REJECTED("should have been in [0, 0]")
QUEUE(queue__returns_one, bpf_wq_set_callback(&v->work, returns_one, 0))
REJECTED("bpf_wq cannot be accessed directly by load/store")
QUEUE(queue__touched, bpf_wq_set_callback(&v->work, touches, 0))
REJECTED("workqueue pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0")
QUEUE(queue__of_another_map, bpf_wq_init(&v->work, &other_queues, 0))
REJECTED("pointer in R2 isn't map pointer") QUEUE(queue__of_no_map, bpf_wq_init(&v->work, v, 0))
REJECTED("off 0 doesn't point to 'struct bpf_wq' that is at 8")
QUEUE(queue__elsewhere, bpf_wq_start((void *)v, 0))
REJECTED("R1 doesn't have constant offset. bpf_wq has to be at the constant offset")
QUEUE(queue__somewhere, bpf_wq_start((void *)((char *)v + (out & 8)), 0))
REJECTED("R2 expected pointer to func")
QUEUE(queue__calls_no_function, bpf_wq_set_callback(&v->work, (void *)v, 0))
REJECTED("map 'numbers' has no valid bpf_wq")
WITH(queue__in_numbers, numbers, long, bpf_wq_start((void *)v, 0))
REJECTED("R1 doesn't point to a map value") SEC("tc") int queue__on_the_stack(void *ctx)
{
	struct bpf_wq work = { 0 };

	return bpf_wq_start(&work, 0);
}

#define TASK(name, body)                                       \
	WITH(name, tasks, struct task_value,                   \
	     struct task_struct *task = bpf_task_from_pid(1);  \
	     if (task) { body; bpf_task_release(task); })

ACCEPTED TASK(task__of_its_map, bpf_task_work_schedule_signal(task, &v->work, &tasks, sleeps))
ACCEPTED TASK(task__returns_anything,
	      bpf_task_work_schedule_signal(task, &v->work, &tasks, returns_one))
REJECTED("bpf_task_work pointer in R2 map_uid=0 doesn't match map pointer in R3 map_uid=0")
TASK(task__of_another_map, bpf_task_work_schedule_signal(task, &v->work, &other_tasks, sleeps))
REJECTED("off 0 doesn't point to 'struct bpf_task_work' that is at 8")
TASK(task__elsewhere, bpf_task_work_schedule_signal(task, (void *)v, &tasks, sleeps))
REJECTED("Possibly NULL pointer passed to trusted R1")
TASK(task__of_nobody, bpf_task_work_schedule_signal(0, &v->work, &tasks, sleeps))

#define TIMER(name, body) WITH(name, timers, struct timer_value, body)

ACCEPTED TIMER(timer__cancelled, bpf_timer_cancel_async(&v->timer))
REJECTED("off 0 doesn't point to 'struct bpf_timer' that is at 8")
TIMER(timer__elsewhere, bpf_timer_cancel_async((void *)v))
REJECTED("program must be sleepable to call sleepable kfunc")
TIMER(timer__runs_what_sleeps, timer_set_callback(&v->timer, sleeps))
