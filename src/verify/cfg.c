/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfg.c - the shape of a program: subprograms, jumps, what can be reached.
 *
 * Done before exploration, on the decoded instructions alone. Jumps stay in
 * their subprogram, every subprogram ends in an exit or a jump, and every
 * instruction can be reached. A depth-first walk finds the instructions where
 * paths meet (pruning points: exploration compares states there).
 */
#include "verify/passes.h"

#include <stdio.h>

static int refuse_at(struct env *env, int64_t insn, enum skep_code code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse_at(struct env *env, int64_t insn, enum skep_code code, const char *fmt, ...)
{
	int error = code == SKEP_VERIFY_BIG ? -E2BIG : code == SKEP_VERIFY ? -EBADF :
		    code == SKEP_VERIFY_CAPS ? -EPERM : -EINVAL;
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	env->structural_insn = insn;
	return reject_as(env, code, error, "%s", text);
}

/* --- decoding --- */

/* Which refusals Linux gives before it looks at paths. */
static bool refused_early(const struct env *env, const char *why)
{
	if (why[0] == 'R' && strstr(why, "is invalid"))
		return env_can(env, ABILITY_STACK_ARGS); /* since one more register has a meaning */
	return strstr(why, "reserved fields") != NULL || !strncmp(why, "unknown opcode", 14) ||
	       !strncmp(why, "BPF_LDX", 7) || strstr(why, "ld_imm64") != NULL;
}

/*
 * Refused when all jumps have been looked at, or where a path reaches it; until then
 * a damaged jump still has the edges its opcode and offset say. Codes 5 and 6 of the low bits are the
 * jump classes, the high four bits the operation.
 */
enum { RAW_GOTO = 0, RAW_CALL = 8, RAW_EXIT = 9, RAW_NONE = 255, RAW_SUBPROG = 1 };

static struct insn damaged(struct skep_insn raw)
{
	unsigned class = raw.code & 7u;
	struct insn insn = { .kind = INSN_INVALID, .op = RAW_NONE };

	if (class != 5 && class != 6)
		return insn;
	/* Linux does not look at an exit's offset. */
	if (raw.code == 0x95 && !raw.dst && !raw.src && !raw.imm)
		return (struct insn){ .kind = INSN_EXIT };
	insn.op = raw.code >> 4;
	insn.off = raw.off;
	insn.src = raw.code == 0x85 ? raw.src : 0; /* other codes name no subprogram */
	insn.imm = raw.imm;
	if (raw.code == 0x06)
		insn.off = raw.imm;
	return insn;
}

int decode_program(struct env *env)
{
	env->len = env->spec->len;
	env->insns = arena_alloc(&env->arena, (env->len + 1) * sizeof(*env->insns));
	env->info = arena_alloc(&env->arena, (env->len + 1) * sizeof(*env->info));
	env->explored = arena_alloc(&env->arena, (env->len + 1) * sizeof(*env->explored));
	if (!env->insns || !env->info || !env->explored)
		return -ENOMEM;
	for (uint32_t i = 0; i < env->len; i++) {
		env->insns[i] = insn_decode(env->spec->insns, env->len, i, NULL);
		if (env->insns[i].kind == INSN_INVALID)
			env->insns[i] = damaged(env->spec->insns[i]);
	}
	return 0;
}

static int check_map_reference(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	uint32_t index = (uint32_t)insn->imm, off = (uint32_t)((uint64_t)insn->imm >> 32);
	const struct map_spec *map;
	bool value = insn->op == IMM64_MAP_INDEX_VALUE || insn->op == IMM64_MAP_VALUE;

	if (insn->op == IMM64_MAP_FD || insn->op == IMM64_MAP_VALUE) /* a loader names maps by index */
		return refuse_at(env, pc, SKEP_VERIFY, "fd %u is not pointing to valid bpf_map",
				 index);
	if (index >= env->spec->map_count)
		return refuse_at(env, pc, SKEP_VERIFY, "fd_idx without fd_array is invalid");
	map = env->spec->maps[index];
	if (!value)
		return off ? refuse_at(env, pc, SKEP_VERIFY_INSN, "unrecognized bpf_ld_imm64 insn") : 0;
	if (map->type != BPF_MAP_TYPE_ARRAY && map->type != BPF_MAP_TYPE_ARENA &&
	    map->type != BPF_MAP_TYPE_INSN_ARRAY)
		return refuse_at(env, pc, SKEP_VERIFY_INSN,
				 "no direct value access support for this map type");
	if (off >= VALUE_SIZE_MAX)
		return refuse_at(env, pc, SKEP_VERIFY_INSN, "direct value offset of %u is not allowed", off);
	if ((map->type == BPF_MAP_TYPE_ARRAY &&
	     (map->max_entries != 1 || off >= map->value_size)) ||
	    (map->type == BPF_MAP_TYPE_INSN_ARRAY &&
	     (off % 8 || off / 8 >= map->max_entries)))
		return refuse_at(env, pc, SKEP_VERIFY_INSN, "invalid access to map value pointer, value_size=%u off=%u",
				 map->value_size, off);
	return 0;
}

/* What is no variable is refused even where no path leads. */
static int check_variable(struct env *env, uint32_t pc)
{
	uint32_t id = (uint32_t)env->insns[pc].imm;
	const struct btf_type *type =
		env->kernel_btf && id <= skep_btf_count(env->kernel_btf) ?
			btf_type(env->kernel_btf, id) : NULL;

	if (!type || (id && (btf_kind(type) == BTF_VAR || btf_kind(type) == BTF_FUNC)))
		return 0;
	return refuse_at(env, pc, SKEP_VERIFY_INSN,
			 "pseudo btf_id %u in ldimm64 isn't KIND_VAR or KIND_FUNC", id);
}

int check_encodings(struct env *env)
{
	for (uint32_t i = 0; i < env->len; i++) {
		const struct insn *insn = &env->insns[i];
		const char *why = "";

		if (env->spec->insns[i].code == 0x8d && insn->kind != INSN_PAD)
			return refuse_at(env, i, SKEP_VERIFY_INSN, "unknown opcode %02x",
					 env->spec->insns[i].code);
		if (insn->kind == INSN_INVALID) {
			insn_decode(env->spec->insns, env->len, i, &why);
			if (why && refused_early(env, why))
				return refuse_at(env, i, SKEP_VERIFY_INSN, "%s", why);
		}
		if (insn->kind == INSN_IMM64 && insn->op != IMM64_VALUE &&
		    insn->op != IMM64_FUNC) {
			int err = insn->op == IMM64_BTF_ID ? check_variable(env, i) :
							     check_map_reference(env, i);

			if (err < 0)
				return err;
		}
	}
	return 0;
}

/* --- subprograms --- */

int subprog_at(const struct env *env, uint32_t insn)
{
	uint32_t low = 0, high = env->subprog_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (env->subprog[middle].start < insn)
			low = middle + 1;
		else
			high = middle;
	}
	return low < env->subprog_count && env->subprog[low].start == insn ? (int)low : -1;
}

uint32_t subprog_of(const struct env *env, uint32_t insn)
{
	uint32_t low = 0, high = env->subprog_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (env->subprog[middle].start <= insn)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

static int add_subprog(struct env *env, uint32_t from, int64_t start)
{
	uint32_t at;

	if (start < 0 || start >= env->len)
		return refuse_at(env, from, SKEP_VERIFY_SHAPE, "call to invalid destination");
	if (subprog_at(env, (uint32_t)start) >= 0)
		return 0;
	if (env->subprog_count >= SUBPROGS_MAX)
		return refuse_at(env, from, SKEP_VERIFY_BIG, "too many subprograms");
	for (at = env->subprog_count; at > 0; at--) {
		if (env->subprog[at - 1].start < (uint32_t)start)
			break;
		env->subprog[at] = env->subprog[at - 1];
	}
	env->subprog[at] = (struct subprog){ .start = (uint32_t)start };
	env->subprog_count++;
	return 0;
}

int64_t insn_callee(const struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];

	if (insn->kind == INSN_INVALID && insn->op == RAW_CALL && insn->src == RAW_SUBPROG)
		return (int64_t)pc + 1 + insn->imm;
	if (insn->kind == INSN_CALL && insn->op == CALL_LOCAL)
		return insn_target(insn, pc);
	if (insn->kind == INSN_IMM64 && insn->op == IMM64_FUNC)
		return (int64_t)pc + 1 + (int32_t)(uint32_t)insn->imm;
	return -1;
}

static bool names_subprog(const struct insn *insn)
{
	return (insn->kind == INSN_INVALID && insn->op == RAW_CALL &&
		insn->src == RAW_SUBPROG) ||
	       (insn->kind == INSN_CALL && insn->op == CALL_LOCAL) ||
	       (insn->kind == INSN_IMM64 && insn->op == IMM64_FUNC);
}

static bool is_kfunc_call(const struct insn *insn)
{
	return insn->kind == INSN_CALL && insn->op == CALL_KFUNC;
}

/* Loaders make them static for a verifier that does not know them. */
static bool has_global_functions(const struct env *env)
{
	return kernel_can(env->kernel, ABILITY_GLOBAL_FUNCTIONS);
}

/* Names and linkage, from the function records. */
static void describe_subprogs(struct env *env)
{
	const struct prog_spec *spec = env->spec;

	for (uint32_t i = 0; spec->btf && i < spec->func_count; i++) {
		int at = subprog_at(env, spec->funcs[i].insn);
		const struct btf_type *func = btf_type(spec->btf, spec->funcs[i].type);

		if (at < 0 || btf_kind(func) != BTF_FUNC)
			continue;
		env->subprog[at].type = spec->funcs[i].type;
		env->subprog[at].name = btf_name(spec->btf, func);
		env->subprog[at].is_global = at > 0 && btf_vlen(func) == 1 &&
						 has_global_functions(env);
	}
}

/* The exception callback, which nothing names; a throw may come from anywhere. */
static int add_exception_callback(struct env *env, int64_t *start)
{
	int err = find_exception_callback(env, start);

	return err < 0 || *start < 0 ? err : add_subprog(env, 0, *start);
}

int find_subprogs(struct env *env)
{
	int64_t exception = -1;
	int err = add_subprog(env, 0, 0);

	if (!err)
		err = add_exception_callback(env, &exception);
	for (uint32_t i = 0; i < env->len && !err; i++) {
		bool calls = names_subprog(&env->insns[i]);

		if ((calls || is_kfunc_call(&env->insns[i])) && !env->cap_bpf)
			return refuse_at(env, i, SKEP_VERIFY_CAPS,
					 "loading/calling other bpf or kernel functions are "
					 "allowed for CAP_BPF and CAP_SYS_ADMIN");
		if (calls)
			err = add_subprog(env, i, insn_callee(env, i));
	}
	if (err)
		return err;
	for (uint32_t i = 0; i < env->subprog_count; i++) {
		env->subprog[i].end = i + 1 < env->subprog_count ? env->subprog[i + 1].start :
								   env->len;
		trace(env, 2, "func#%u @%u\n", i, env->subprog[i].start);
	}
	describe_subprogs(env);
	if (exception >= 0) {
		env->exception_subprog = subprog_at(env, (uint32_t)exception);
		env->subprog[env->exception_subprog].is_exception = true;
		env->subprog[env->exception_subprog].called = true;
	}
	return 0;
}

/* --- jumps --- */

static bool insn_jumps(const struct insn *insn)
{
	if (insn->kind == INSN_INVALID)
		return insn->op != RAW_NONE && insn->op != RAW_CALL && insn->op != RAW_EXIT;
	return insn->kind == INSN_JUMP || insn->kind == INSN_GOTO || insn->kind == INSN_MAY_GOTO;
}

static bool insn_falls_through(const struct insn *insn)
{
	if (insn->kind == INSN_INVALID)
		return insn->op != RAW_EXIT && insn->op != RAW_GOTO;
	return insn->kind != INSN_EXIT && insn->kind != INSN_GOTO && insn->kind != INSN_GOTO_REG;
}

/* By code alone: exit, goto, gotol, gotox. */
static bool ends_subprog(const struct env *env, uint32_t insn)
{
	uint8_t code = env->spec->insns[insn].code;

	return code == 0x95 || code == 0x05 || code == 0x06 || code == 0x0d;
}

/* Both may end the function with a number, as if it had returned that. */
static int check_early_returns(struct env *env, uint32_t s)
{
	const struct subprog *subprog = &env->subprog[s];
	const char *what = subprog->has_ld_abs ? "LD_ABS" : "tail_call";
	const struct skep_btf *btf = env->spec->btf;
	const struct btf_type *proto, *ret;

	if (!s || !(subprog->has_ld_abs || subprog->has_tail_call))
		return 0;
	if (!subprog->type)
		return refuse_at(env, subprog->start, SKEP_VERIFY_SHAPE,
				 "%s is not allowed in subprogs without BTF", what);
	proto = btf_type(btf, btf_type(btf, subprog->type)->type);
	ret = btf_type(btf, btf_skip_mods_and_typedefs(btf, proto->type));
	if (btf_kind(ret) == BTF_INT || btf_kind(ret) == BTF_ENUM || btf_kind(ret) == BTF_ENUM64)
		return 0;
	return refuse_at(env, subprog->start, SKEP_VERIFY_SHAPE,
			 "%s is only allowed in functions that return 'int'.", what);
}

int check_jumps(struct env *env)
{
	for (uint32_t s = 0; s < env->subprog_count; s++) {
		const struct subprog *subprog = &env->subprog[s];

		for (uint32_t i = subprog->start; i < subprog->end; i++) {
			const struct insn *insn = &env->insns[i];
			int64_t target = insn_target(insn, i);

			if (insn_jumps(insn) &&
			    (target < subprog->start || target >= subprog->end))
				return refuse_at(env, i, SKEP_VERIFY_SHAPE,
						 "jump out of range from insn %u to %lld", i,
						 (long long)target);
			if (insn->kind == INSN_CALL && insn->op == CALL_HELPER && insn->imm == BPF_FUNC_tail_call)
				env->subprog[s].has_tail_call = true;
			if (insn->kind == INSN_LOAD_PACKET)
				env->subprog[s].has_ld_abs = true;
		}
		if (!ends_subprog(env, subprog->end - 1))
			return refuse_at(env, subprog->end - 1, SKEP_VERIFY_SHAPE,
					 "last insn is not an exit or jmp");
	}
	for (uint32_t s = 0; s < env->subprog_count; s++) {
		int error = check_early_returns(env, s);

		if (error < 0)
			return error;
	}
	return 0;
}

/* --- the walk --- */

enum { WHITE, GREY, BLACK };

struct walk {
	uint8_t *colour;             /* per instruction */
	uint32_t *edge;              /* per instruction: the next to follow */
	uint32_t *stack, depth;
};

static void mark_join(struct env *env, int64_t insn)
{
	if (insn < env->len)
		env->info[insn].prune_point = env->info[insn].jump_point = true;
}

static void mark_targets(struct env *env, uint32_t pc)
{
	const struct subprog *subprog = &env->subprog[subprog_of(env, pc)];

	for (uint32_t i = 0; i < subprog->target_count; i++)
		env->info[subprog->targets[i]].jump_point = true;
}

/* Prune points that an instruction makes of itself and its successors. */
static void mark_points(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct insn_info *info = &env->info[pc];

	switch ((enum insn_kind)insn->kind) {
	case INSN_JUMP:
		info->prune_point = true;
		mark_join(env, insn_target(insn, pc));
		break;
	case INSN_MAY_GOTO:
		info->prune_point = info->force_checkpoint = true;
		mark_join(env, insn_target(insn, pc));
		break;
	case INSN_GOTO:
		mark_join(env, insn_target(insn, pc));
		break;
	case INSN_GOTO_REG:
		info->prune_point = true;
		mark_targets(env, pc);
		break;
	case INSN_CALL:
		mark_join(env, (int64_t)pc + 1); /* after helpers too, as Linux does */
		if (insn->op == CALL_LOCAL) {
			info->prune_point = true;
			mark_join(env, insn_target(insn, pc));
		}
		if (info->calls_callback || info->is_iter_next)
			info->prune_point = info->force_checkpoint = info->jump_point = true;
		break;
	case INSN_IMM64:
		if (insn->op == IMM64_FUNC) {
			mark_join(env, (int64_t)pc + 2);
			mark_join(env, insn_callee(env, pc));
		}
		break;
	case INSN_INVALID: case INSN_PAD: case INSN_ALU: case INSN_LOAD: case INSN_STORE:
	case INSN_ATOMIC: case INSN_LOAD_PACKET: case INSN_EXIT: case INSN_CAST:
	case INSN_LOAD_ARG: case INSN_STORE_ARG:
	case INSN_KIND_COUNT:
		break;
	}
}

const uint32_t *insn_successors(const struct env *env, uint32_t pc, uint32_t own[2],
				unsigned *count)
{
	const struct insn *insn = &env->insns[pc];

	*count = 0;
	if (insn->kind == INSN_GOTO_REG) {
		const struct subprog *subprog = &env->subprog[subprog_of(env, pc)];

		*count = subprog->target_count;
		return subprog->targets;
	}
	if (insn_falls_through(insn))
		own[(*count)++] = pc + (insn->kind == INSN_IMM64 ? 2 : 1);
	if (insn_jumps(insn))
		own[(*count)++] = (uint32_t)insn_target(insn, pc);
	return own;
}

/* The next edge of the walk, with the subprogram it names as one more successor. */
static bool next_edge(const struct env *env, struct walk *walk, uint32_t pc, uint32_t *to)
{
	uint32_t own[2];
	unsigned count;
	const uint32_t *next = insn_successors(env, pc, own, &count);
	uint32_t edge = walk->edge[pc]++;

	if (edge < count)
		*to = next[edge];
	else if (edge == count && names_subprog(&env->insns[pc]))
		*to = (uint32_t)insn_callee(env, pc);
	else
		return false;
	return true;
}

/* The walk has come to pc. */
static int enter(struct env *env, struct walk *walk, uint32_t pc)
{
	int error = env->insns[pc].kind == INSN_GOTO_REG ? find_targets(env, pc) : 0;

	if (error < 0)
		return error;
	walk->colour[pc] = GREY;
	walk->stack[walk->depth++] = pc;
	mark_points(env, pc);
	return 0;
}

static int walk_from(struct env *env, struct walk *walk, uint32_t start)
{
	int error = enter(env, walk, start);

	while (!error && walk->depth) {
		uint32_t pc = walk->stack[walk->depth - 1], to;

		if (!next_edge(env, walk, pc, &to)) {
			walk->colour[pc] = BLACK;
			walk->depth--;
			continue;
		}
		if (to >= env->len)
			return refuse_at(env, pc, SKEP_VERIFY_SHAPE, "jump out of range from insn %u to %u", pc, to);
		if (walk->colour[to] == GREY && !names_subprog(&env->insns[pc]) &&
		    (!env->cap_bpf || !env_can(env, ABILITY_LOOPS)))
			return refuse_at(env, pc, SKEP_VERIFY_SHAPE, "back-edge from insn %u to %u", pc, to);
		if (walk->colour[to] == WHITE)
			error = enter(env, walk, to);
	}
	return error;
}

int check_cfg(struct env *env)
{
	struct walk walk = {
		.colour = arena_alloc(&env->arena, env->len + 1),
		.edge = arena_alloc(&env->arena, (env->len + 1) * sizeof(uint32_t)),
		.stack = arena_alloc(&env->arena, (env->len + 1) * sizeof(uint32_t)),
	};
	int err;

	if (!walk.colour || !walk.edge || !walk.stack)
		return -ENOMEM;
	err = walk_from(env, &walk, 0);
	if (!err && env->exception_subprog > 0)
		err = walk_from(env, &walk, env->subprog[env->exception_subprog].start);
	if (err)
		return err;
	for (uint32_t i = 0; i < env->len; i++) {
		if (walk.colour[i] != BLACK)
			return refuse_at(env, i, SKEP_VERIFY_SHAPE, "unreachable insn %u", i);
		if (env->insns[i].kind != INSN_IMM64)
			continue;
		if (i + 1 < env->len && walk.colour[i + 1] != WHITE)
			return refuse_at(env, i, SKEP_VERIFY_SHAPE,
					 "jump into the middle of ldimm64 insn %u", i);
		i++;
	}
	return 0;
}
