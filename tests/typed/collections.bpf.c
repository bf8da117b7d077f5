/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of the program's own, and the lists and trees that hold them. */
#include "objects.h"

LICENSE;

#define CONTAINS(type, member) TAG("contains:" #type ":" #member)
#define IN_SECTION(name) SEC(".bss." name) __attribute__((aligned(8)))
#define container_of(p, type, member) ((type *)((char *)(p) - __builtin_offsetof(type, member)))

struct plain { long key; struct bpf_list_node node; };
struct leaf { long key; struct bpf_rb_node node; };
struct shared {
	long key;
	struct bpf_list_node list;
	struct bpf_rb_node tree;
	struct bpf_refcount count;
};
struct owner { long key; struct bpf_spin_lock lock; struct bpf_list_head list CONTAINS(plain, node); };

IN_SECTION("A") static struct bpf_spin_lock lock;
IN_SECTION("A") static struct bpf_list_head list CONTAINS(plain, node);
IN_SECTION("A") static struct bpf_rb_root tree CONTAINS(leaf, node);
IN_SECTION("B") static struct bpf_spin_lock shared_lock;
IN_SECTION("B") static struct bpf_list_head shared_list CONTAINS(shared, list);

long out;

extern void *bpf_obj_new_impl(u64 id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *p, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *p, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *, struct bpf_list_node *, void *, u64) __ksym;
extern int bpf_list_add(struct bpf_list_head *, struct bpf_list_node *, struct bpf_list_node *) __ksym;
extern struct bpf_list_node *bpf_list_del(struct bpf_list_head *, struct bpf_list_node *) __ksym;
extern _Bool bpf_list_is_first(struct bpf_list_head *, struct bpf_list_node *) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *) __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *, struct bpf_rb_node *, less_fn *, void *, u64) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *, struct bpf_rb_node *) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *) __ksym;
extern struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *) __ksym;
extern struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *, struct bpf_rb_node *) __ksym;

static void (*spin_lock)(struct bpf_spin_lock *) = (void *)93;
static void (*spin_unlock)(struct bpf_spin_lock *) = (void *)94;

#define new(type) ((type *)bpf_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), 0))
#define drop(p) bpf_obj_drop_impl(p, 0)
#define share(p) bpf_refcount_acquire_impl(p, 0)
#define push(head, node) bpf_list_push_front_impl(head, node, 0, 0)
#define insert(root, node, less) bpf_rbtree_add_impl(root, node, less, 0, 0)
#define PROG(name) SEC("tc") int name(void *ctx)

static _Bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct leaf, node)->key < container_of(b, struct leaf, node)->key;
}

/* --- objects --- */

ACCEPTED PROG(object__used_and_dropped)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	p->key = 1;
	drop(p);
	return 0;
}

REJECTED("would lead to reference leak") LOGS("Unreleased reference") PROG(object__kept)
{
	struct plain *p = new(struct plain);

	if (p)
		p->key = 1;
	return 0;
}

REJECTED("invalid mem access 'ptr_or_null_'") PROG(object__not_compared_with_null)
{
	struct plain *p = new(struct plain);

	p->key = 1;
	drop(p);
	return 0;
}

REJECTED("expects referenced PTR_TO_BTF_ID") PROG(object__dropped_twice)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	drop(p);
	drop(p);
	return 0;
}

REJECTED("R1 must have zero offset when passed to release func") PROG(object__dropped_by_its_node)
{
	struct plain *p = new(struct plain);

	if (p)
		drop(&p->node);
	return 0;
}

REJECTED("direct access to bpf_list_node is disallowed") PROG(node__written)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	p->node.opaque[0] = 1;
	drop(p);
	return 0;
}

REJECTED("type ID argument must be of a struct") PROG(object__of_a_number)
{
	void *p = bpf_obj_new_impl(__builtin_btf_type_id(*(int *)0, 0), 0);

	if (p)
		drop(p);
	return 0;
}

/* --- lists --- */

ACCEPTED PROG(list__push_then_pop)
{
	struct plain *p = new(struct plain);
	struct bpf_list_node *n;

	if (!p)
		return 0;
	spin_lock(&lock);
	push(&list, &p->node);
	p->key = 2;
	n = bpf_list_pop_front(&list);
	spin_unlock(&lock);
	if (n)
		drop(container_of(n, struct plain, node));
	return 0;
}

REJECTED("bpf_spin_lock at off=0 must be held for bpf_list_head") PROG(list__without_its_lock)
{
	struct bpf_list_node *n = bpf_list_pop_front(&list);

	if (n)
		drop(container_of(n, struct plain, node));
	return 0;
}

REJECTED("must be held for bpf_list_head") LOGS("held lock and object are not in the same allocation")
PROG(list__under_another_lock)
{
	spin_lock(&shared_lock);
	out = bpf_list_front(&list) != 0;
	spin_unlock(&shared_lock);
	return 0;
}

REJECTED("R2 expected pointer to allocated object") PROG(list__pushed_twice)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	spin_lock(&lock);
	push(&list, &p->node);
	push(&list, &p->node);
	spin_unlock(&lock);
	return 0;
}

REJECTED("invalid mem access 'scalar'") PROG(borrowed__after_unlock)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	spin_lock(&lock);
	push(&list, &p->node);
	spin_unlock(&lock);
	return (int)p->key;
}

ACCEPTED PROG(borrowed__of_another_removed)
{
	struct bpf_list_node *a, *b;

	spin_lock(&lock);
	a = bpf_list_front(&list);
	b = bpf_list_pop_front(&list);
	if (a)
		container_of(a, struct plain, node)->key = 3;
	spin_unlock(&lock);
	if (b)
		drop(container_of(b, struct plain, node));
	return 0;
}

REJECTED("function calls are not allowed while holding a lock") PROG(borrowed__dropped)
{
	struct bpf_list_node *a;

	spin_lock(&lock);
	a = bpf_list_front(&list);
	if (a)
		drop(container_of(a, struct plain, node));
	spin_unlock(&lock);
	return 0;
}

REJECTED("operation on bpf_list_head expects arg#1 bpf_list_node at offset=8 in struct shared, but arg "
	 "is at offset=8 in struct plain") PROG(list__of_other_objects)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	spin_lock(&shared_lock);
	push(&shared_list, &p->node);
	spin_unlock(&shared_lock);
	return 0;
}

REJECTED("bpf_list_node not found at offset=0") PROG(list__node_elsewhere)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	spin_lock(&lock);
	push(&list, (struct bpf_list_node *)p);
	spin_unlock(&lock);
	return 0;
}

REJECTED("bpf_list_head not found at offset=4") PROG(list__elsewhere)
{
	spin_lock(&lock);
	out = bpf_list_front((void *)((char *)&list - 4)) != 0;
	spin_unlock(&lock);
	return 0;
}

REJECTED("R1 expected pointer to map value or allocated object") PROG(list__in_the_context)
{
	spin_lock(&lock);
	out = bpf_list_front(ctx) != 0;
	spin_unlock(&lock);
	return 0;
}

REJECTED("bpf_list_head cannot be accessed directly by load/store") PROG(list__written)
{
	list.opaque[0] = 1;
	return 0;
}

ACCEPTED PROG(list__in_an_object)
{
	struct owner *o = new(struct owner);
	struct bpf_list_node *n;
	struct plain *p;

	if (!o)
		return 0;
	p = new(struct plain);
	if (!p) {
		drop(o);
		return 0;
	}
	spin_lock(&o->lock);
	push(&o->list, &p->node);
	n = bpf_list_pop_front(&o->list);
	spin_unlock(&o->lock);
	if (n)
		drop(container_of(n, struct plain, node));
	drop(o);
	return 0;
}

REJECTED("must be held for bpf_list_head") PROG(list__in_an_object_under_anothers_lock)
{
	struct owner *a = new(struct owner), *b;

	if (!a)
		return 0;
	b = new(struct owner);
	if (!b) {
		drop(a);
		return 0;
	}
	spin_lock(&a->lock);
	out = bpf_list_front(&b->list) != 0;
	spin_unlock(&a->lock);
	drop(a);
	drop(b);
	return 0;
}

ACCEPTED PROG(list__added_after_a_borrowed_one)
{
	struct plain *p = new(struct plain);
	struct bpf_list_node *first;

	if (!p)
		return 0;
	spin_lock(&lock);
	first = bpf_list_front(&list);
	if (!first) {
		spin_unlock(&lock);
		drop(p);
		return 0;
	}
	bpf_list_add(&list, &p->node, first);
	out = p->key;
	spin_unlock(&lock);
	return 0;
}

ACCEPTED PROG(list__borrowed_one_taken_out)
{
	struct bpf_list_node *first, *n;

	spin_lock(&lock);
	first = bpf_list_front(&list);
	if (!first) {
		spin_unlock(&lock);
		return 0;
	}
	n = bpf_list_del(&list, first);
	spin_unlock(&lock);
	if (n)
		drop(container_of(n, struct plain, node));
	return 0;
}

struct guarded { struct bpf_spin_lock lock; struct bpf_list_head list CONTAINS(plain, node); };
struct {
	__uint(type, ARRAY);
	__type(key, int);
	__type(value, struct guarded);
	__uint(max_entries, 2);
} guarded SEC(".maps");
static void *(*lookup)(void *, const void *) = (void *)1;

REJECTED("must be held for bpf_list_head") PROG(list__of_one_value_under_anothers_lock)
{
	int first = 0, second = 1;
	struct guarded *a = lookup(&guarded, &first), *b = lookup(&guarded, &second);

	if (!a || !b)
		return 0;
	spin_lock(&a->lock);
	out = bpf_list_front(&b->list) != 0;
	spin_unlock(&a->lock);
	return 0;
}

REJECTED("negative offset ptr_ ptr R2 off=-8 disallowed") PROG(list__node_before_the_object)
{
	struct plain *p = new(struct plain);

	if (!p)
		return 0;
	spin_lock(&lock);
	push(&list, (void *)((char *)p - 8));
	spin_unlock(&lock);
	return 0;
}

REJECTED("variable ptr_ access var_off=(0x0; 0x8) disallowed") PROG(list__node_somewhere)
{
	struct plain *p = new(struct plain);
	long off = out & 8;

	if (!p)
		return 0;
	spin_lock(&lock);
	push(&list, (void *)((char *)&p->node + off));
	spin_unlock(&lock);
	return 0;
}

REJECTED("invalid mem access 'scalar'") PROG(borrowed__kept_on_the_stack_after_unlock)
{
	struct plain *p = new(struct plain), *volatile kept = p;

	if (!p)
		return 0;
	kept = p;
	spin_lock(&lock);
	push(&list, &p->node);
	spin_unlock(&lock);
	return (int)kept->key;
}

REJECTED("expects referenced PTR_TO_BTF_ID") PROG(object__dropped_though_it_may_be_in_a_list)
{
	struct plain *p = new(struct plain);
	long give = out;

	if (!p)
		return 0;
	spin_lock(&lock);
	if (give)
		push(&list, &p->node);
	spin_unlock(&lock);
	drop(p);
	return 0;
}

/* --- trees --- */

ACCEPTED PROG(tree__added_and_removed)
{
	struct leaf *p = new(struct leaf);
	struct bpf_rb_node *n;

	if (!p)
		return 0;
	spin_lock(&lock);
	insert(&tree, &p->node, less);
	n = bpf_rbtree_remove(&tree, &p->node);
	out = p->key;
	spin_unlock(&lock);
	if (n)
		drop(container_of(n, struct leaf, node));
	return 0;
}

ACCEPTED PROG(tree__walked)
{
	struct bpf_rb_node *n, *left;

	spin_lock(&lock);
	n = bpf_rbtree_root(&tree);
	left = n ? bpf_rbtree_left(&tree, n) : 0;
	if (left)
		out = container_of(left, struct leaf, node)->key;
	spin_unlock(&lock);
	return 0;
}

REJECTED("Possibly NULL pointer passed to trusted R2") PROG(tree__walked_from_null)
{
	struct bpf_rb_node *n;

	spin_lock(&lock);
	n = bpf_rbtree_root(&tree);
	out = bpf_rbtree_left(&tree, n) != 0;
	spin_unlock(&lock);
	return 0;
}

static _Bool less_unlocks(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	spin_unlock(&lock);
	spin_lock(&lock);
	return a == b;
}

static _Bool less_removes(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return bpf_rbtree_remove(&tree, a) != 0;
}

static _Bool less_adds(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	insert(&tree, a, less);
	return 0;
}

#define ADD_WITH(name, compare)                     \
	PROG(name)                                  \
	{                                           \
		struct leaf *p = new(struct leaf);  \
                                                    \
		if (!p)                             \
			return 0;                   \
		spin_lock(&lock);                   \
		insert(&tree, &p->node, compare);   \
		spin_unlock(&lock);                 \
		return 0;                           \
	}
REJECTED("can't spin_{lock,unlock} in rbtree cb") ADD_WITH(comparison__unlocks, less_unlocks)
REJECTED("bpf_rbtree_remove not allowed in rbtree cb") ADD_WITH(comparison__removes, less_removes)
REJECTED("R2 expected pointer to allocated object") ADD_WITH(comparison__adds, less_adds)

/* --- several references --- */

ACCEPTED PROG(shared__of_a_reference_is_there)
{
	struct shared *p = new(struct shared), *q;

	if (!p)
		return 0;
	q = share(p);
	drop(q);
	drop(p);
	return 0;
}

REJECTED("Possibly NULL pointer passed to trusted R1") PROG(shared__of_a_borrowed_one_may_be_null)
{
	struct bpf_list_node *n;
	struct shared *p = 0;

	spin_lock(&shared_lock);
	n = bpf_list_front(&shared_list);
	if (!n) {
		spin_unlock(&shared_lock);
		return 0;
	}
	p = share(container_of(n, struct shared, list));
	spin_unlock(&shared_lock);
	drop(p);
	return 0;
}

REJECTED("doesn't point to a type with bpf_refcount field") PROG(shared__of_what_is_not_counted)
{
	struct plain *p = new(struct plain), *q;

	if (!p)
		return 0;
	q = share(p);
	if (q)
		drop(q);
	drop(p);
	return 0;
}

REJECTED("dereference of modified ptr_ ptr R1 off=8 disallowed") PROG(shared__by_its_node)
{
	struct shared *p = new(struct shared), *q;

	if (!p)
		return 0;
	q = share(&p->list);
	if (q)
		drop(q);
	drop(p);
	return 0;
}

/* --- where freeing could interrupt anything --- */

#define NEW_AND_DROP(name, section, type)           \
	SEC(section) int name(void *ctx)            \
	{                                           \
		type *p = new(type);                \
                                                    \
		if (p)                              \
			drop(p);                    \
		return 0;                           \
	}
struct counted { long key; struct bpf_refcount count; };

REJECTED("bpf_obj_drop_impl cannot be used in tracing programs on types with NMI unsafe fields")
NEW_AND_DROP(drop__of_a_node_anywhere, "perf_event", struct plain)
ACCEPTED NEW_AND_DROP(drop__of_numbers_anywhere, "perf_event", struct counted)
ACCEPTED NEW_AND_DROP(drop__of_a_node_in_a_call, "syscall", struct plain)
