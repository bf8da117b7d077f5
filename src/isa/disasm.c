/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disasm.c - instructions as text, in the notation of Linux's verifier log.
 *
 * Where Linux prints an address that only a loaded program has (maps, kernel
 * variables), the text names the thing instead: map[fd:3], map[idx:0][0]+8,
 * ksym[id:12,fd:0], subprog[+5]. asm.c reads every form back.
 */
#include "isa/insn.h"

#include <stdio.h>

#include "isa/opcode.h"

struct out {
	char *text;
	size_t size;
	int len; /* wanted so far */
};

static void put(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *out, const char *fmt, ...)
{
	size_t at = (size_t)out->len < out->size ? (size_t)out->len : out->size;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(out->text ? out->text + at : NULL, out->size - at, fmt, args);
	va_end(args);
	if (n > 0)
		out->len += n;
}

static char reg_letter(unsigned width)
{
	return width == 4 ? 'w' : 'r';
}

static void put_alu(struct out *out, const struct insn *insn)
{
	char r = reg_letter(insn->width);

	switch ((enum alu)insn->op) {
	case ALU_NEG:
		put(out, "%c%u = -%c%u", r, insn->dst, r, insn->dst);
		return;
	case ALU_TO_LE:
	case ALU_TO_BE:
	case ALU_BSWAP:
		put(out, "r%u = %s%u r%u", insn->dst, alu_token((enum alu)insn->op),
		    insn->from * 8, insn->dst);
		return;
	case ALU_ADD:
	case ALU_SUB:
	case ALU_MUL:
	case ALU_DIV:
	case ALU_OR:
	case ALU_AND:
	case ALU_LSH:
	case ALU_RSH:
	case ALU_MOD:
	case ALU_XOR:
	case ALU_MOV:
	case ALU_ARSH:
	case ALU_SDIV:
	case ALU_SMOD:
	case ALU_COUNT:
		break;
	}
	put(out, "%c%u %s ", r, insn->dst, alu_token((enum alu)insn->op));
	if (insn->source_is_imm)
		put(out, "%lld", (long long)insn->imm);
	else if (insn->sign_extend)
		put(out, "(s%u)%c%u", insn->from * 8, r, insn->src);
	else
		put(out, "%c%u", r, insn->src);
}

/* "(u32 *)(r1 +8)" */
static void put_address(struct out *out, char sign, unsigned width, unsigned base, int off)
{
	put(out, "(%c%u *)(r%u %+d)", sign, width * 8, base, off);
}

static void put_atomic(struct out *out, const struct insn *insn)
{
	static const char *const tokens[] = {
#define ATOMIC(name, token, code, fetch) token,
#include "isa/atomic.def"
	};
	const char *token = tokens[insn->op], *wide = insn->width == 8 ? "64" : "";

	switch ((enum atomic)insn->op) {
	case ATOMIC_LOAD_ACQ:
		put(out, "r%u = %s(", insn->dst, token);
		put_address(out, 'u', insn->width, insn->src, insn->off);
		put(out, ")");
		return;
	case ATOMIC_STORE_REL:
		put(out, "%s(", token);
		put_address(out, 'u', insn->width, insn->dst, insn->off);
		put(out, ", r%u)", insn->src);
		return;
	case ATOMIC_CMPXCHG:
		put(out, "r0 = atomic%s_%s(", wide, token);
		put_address(out, 'u', insn->width, insn->dst, insn->off);
		put(out, ", r0, r%u)", insn->src);
		return;
	case ATOMIC_ADD:
	case ATOMIC_OR:
	case ATOMIC_AND:
	case ATOMIC_XOR:
		put(out, "lock *");
		put_address(out, 'u', insn->width, insn->dst, insn->off);
		put(out, " %s r%u", token, insn->src);
		return;
	case ATOMIC_FETCH_ADD:
	case ATOMIC_FETCH_OR:
	case ATOMIC_FETCH_AND:
	case ATOMIC_FETCH_XOR:
	case ATOMIC_XCHG:
	case ATOMIC_COUNT:
		break;
	}
	put(out, "r%u = atomic%s_%s(", insn->src, wide, token);
	put_address(out, 'u', insn->width, insn->dst, insn->off);
	put(out, ", r%u)", insn->src);
}

static void put_map(struct out *out, const struct insn *insn, const struct disasm_names *names)
{
	int32_t id = (int32_t)(uint64_t)insn->imm;
	bool by_fd = insn->op == IMM64_MAP_FD || insn->op == IMM64_MAP_VALUE;
	const char *name = names && names->map ? names->map(names->arg, id) : NULL;

	if (name)
		put(out, "map[%s]", name);
	else
		put(out, "map[%s:%d]", by_fd ? "fd" : "idx", id);
	if (insn->op == IMM64_MAP_VALUE || insn->op == IMM64_MAP_INDEX_VALUE)
		put(out, "[0]+%u", (uint32_t)((uint64_t)insn->imm >> 32));
}

static void put_imm64(struct out *out, const struct insn *insn, const struct disasm_names *names)
{
	uint64_t imm = (uint64_t)insn->imm;

	put(out, "r%u = ", insn->dst);
	if (names && names->hide_addresses && insn->op != IMM64_VALUE) {
		put(out, "0x%llx", insn->op == IMM64_FUNC ? (unsigned long long)imm : 0);
		return;
	}
	switch ((enum imm64)insn->op) {
	case IMM64_VALUE:
		put(out, "0x%llx", (unsigned long long)imm);
		return;
	case IMM64_MAP_FD:
	case IMM64_MAP_VALUE:
	case IMM64_MAP_INDEX:
	case IMM64_MAP_INDEX_VALUE:
		put_map(out, insn, names);
		return;
	case IMM64_BTF_ID:
		put(out, "ksym[id:%d,fd:%d]", (int32_t)imm, (int32_t)(imm >> 32));
		return;
	case IMM64_FUNC:
		put(out, "subprog[%+d]", (int32_t)imm);
		if (imm >> 32)
			put(out, ",%u", (uint32_t)(imm >> 32));
		return;
	}
}

static void put_call(struct out *out, const struct insn *insn, const struct disasm_names *names)
{
	int32_t id = (int32_t)insn->imm;
	const char *name = NULL;

	switch ((enum call)insn->op) {
	case CALL_LOCAL:
		put(out, "call pc%+d", insn->off);
		return;
	case CALL_REGISTER:
		put(out, "callx r%u", insn->dst);
		return;
	case CALL_KFUNC:
		if (names && names->kfunc)
			name = names->kfunc(names->arg, id);
		put(out, "call %s#%d", name ? name : "kfunc", id);
		if (insn->off)
			put(out, "@%d", insn->off);
		return;
	case CALL_HELPER:
	case CALL_HELPER_BTF:
		break;
	}
	if (names && names->helper)
		name = names->helper(names->arg, id);
	if (name)
		put(out, "call %s#%d", name, id);
	else if (helper_name(id))
		put(out, "call bpf_%s#%d", helper_name(id), id);
	else
		put(out, "call unknown#%d", id);
}

static void put_jump(struct out *out, const struct insn *insn)
{
	char r = reg_letter(insn->width);

	put(out, "if %c%u %s ", r, insn->dst, cond_token((enum cond)insn->op));
	if (insn->source_is_imm)
		put(out, "0x%x", (uint32_t)insn->imm);
	else
		put(out, "%c%u", r, insn->src);
	put(out, " goto pc%+d", insn->off);
}

static void put_memory(struct out *out, const struct insn *insn)
{
	if (insn->kind == INSN_LOAD_ARG) {
		put(out, "r%u = *", insn->dst);
		put_address(out, 'u', 8, INSN_ARG_REG, 8 * (insn->arg + 1));
		return;
	}
	if (insn->kind == INSN_LOAD) {
		put(out, "r%u = *", insn->dst);
		put_address(out, insn->sign_extend ? 's' : 'u', insn->width, insn->src, insn->off);
		return;
	}
	put(out, "*");
	if (insn->kind == INSN_STORE_ARG)
		put_address(out, 'u', 8, INSN_ARG_REG, -8 * (insn->arg + 1));
	else
		put_address(out, 'u', insn->width, insn->dst, insn->off);
	if (insn->source_is_imm)
		put(out, " = %lld", (long long)insn->imm);
	else
		put(out, " = r%u", insn->src);
}

static void put_packet(struct out *out, const struct insn *insn)
{
	put(out, "r0 = *(u%u *)skb[", insn->width * 8);
	if (insn->indirect)
		put(out, "r%u + ", insn->src);
	put(out, "%lld]", (long long)insn->imm);
}

int insn_print(const struct skep_insn *insns, size_t count, size_t index,
	       const struct disasm_names *names, char *text, size_t size)
{
	struct insn insn = insn_decode(insns, count, index, NULL);
	struct out out = { text, size, 0 };

	if (size)
		text[0] = '\0';
	switch ((enum insn_kind)insn.kind) {
	case INSN_INVALID:
	case INSN_KIND_COUNT:
		put(&out, "BUG_%02x", insns[index].code);
		break;
	case INSN_PAD:
		break;
	case INSN_ALU:
		put_alu(&out, &insn);
		break;
	case INSN_IMM64:
		put_imm64(&out, &insn, names);
		break;
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG:
		put_memory(&out, &insn);
		break;
	case INSN_ATOMIC:
		put_atomic(&out, &insn);
		break;
	case INSN_LOAD_PACKET:
		put_packet(&out, &insn);
		break;
	case INSN_JUMP:
		put_jump(&out, &insn);
		break;
	case INSN_GOTO:
		put(&out, "%s pc%+d", insn.width == 4 ? "gotol" : "goto", insn.off);
		break;
	case INSN_GOTO_REG:
		put(&out, "gotox r%u", insn.dst);
		break;
	case INSN_MAY_GOTO:
		put(&out, "may_goto pc%+d", insn.off);
		break;
	case INSN_CALL:
		put_call(&out, &insn, names);
		break;
	case INSN_EXIT:
		put(&out, "exit");
		break;
	case INSN_CAST:
		put(&out, "r%u = addr_space_cast(r%u, %u, %u)", insn.dst, insn.src,
		    (unsigned)insn.imm >> 16, (unsigned)insn.imm & 0xffff);
		break;
	}
	return out.len;
}

int skep_disasm(const struct skep_insn *insns, size_t count, size_t index, char *text,
		size_t size)
{
	return insn_print(insns, count, index, NULL, text, size);
}

int skep_disasm_named(const struct skep_insn *insns, size_t count, size_t index,
		      const struct skep_disasm_names *names, char *text, size_t size)
{
	struct disasm_names inner = { 0 };

	if (names)
		inner = (struct disasm_names){ .arg = names->arg, .map = names->map,
					       .kfunc = names->kfunc };
	return insn_print(insns, count, index, &inner, text, size);
}
