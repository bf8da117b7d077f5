/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_show.c - seccomp filters for people: a listing with words beside it.
 *
 * What a number in a jump means depends on what was loaded: one pass forward
 * keeps, for each instruction, which word of the call A holds and which architecture was
 * asked for on the ways to it.
 */
#include "cli/seccomp.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_SEEN = -2, MIXED = -1 };

struct seen {
	int64_t word;   /* offset in struct seccomp_data */
	int64_t audit;  /* the architecture */
};

const char *seccomp_call_name(enum skep_seccomp_arch arch, uint32_t nr, char *text, size_t size)
{
	const char *name = skep_syscall_name(arch, nr);

	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "syscall %u", nr);
	return text;
}

static void merge(int64_t *into, int64_t value)
{
	*into = *into == NOT_SEEN || *into == value ? value : MIXED;
}

static void flow(struct seen *seen, size_t count, size_t to, struct seen from)
{
	if (to >= count)
		return;
	merge(&seen[to].word, from.word);
	merge(&seen[to].audit, from.audit);
}

static void step(struct seen *seen, const struct seccomp_code *code, size_t pc)
{
	const struct skep_cbpf_insn *insn = &code->insns[pc];
	struct seen now = seen[pc], yes;

	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		now.word = BPF_MODE(insn->code) == BPF_ABS ? (int64_t)insn->k : MIXED;
		break;
	case BPF_ALU:
		/* a number without x32's bit is still one */
		if (insn->code != (BPF_ALU | BPF_AND | BPF_K) || insn->k != ~SKEP_X32_BIT)
			now.word = MIXED;
		break;
	case BPF_MISC:
		now.word = BPF_MISCOP(insn->code) == BPF_TXA ? MIXED : now.word;
		break;
	case BPF_RET:
		return;
	case BPF_JMP:
		yes = now;
		if (insn->code == (BPF_JMP | BPF_JA)) {
			flow(seen, code->count, pc + 1 + insn->k, now);
			return;
		}
		if (insn->code == (BPF_JMP | BPF_JEQ | BPF_K) && now.word == 4)
			yes.audit = insn->k;
		flow(seen, code->count, pc + 1 + insn->jt, yes);
		flow(seen, code->count, pc + 1 + insn->jf, now);
		return;
	default:
		break;
	}
	flow(seen, code->count, pc + 1, now);
}

/* A name for an audit number; x32's is x86_64's. */
static int arch_of(int64_t audit)
{
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		if (audit == skep_arch_audit((enum skep_seccomp_arch)arch))
			return arch;
	}
	return -1;
}

static void say_word(uint32_t offset, char *text, size_t size)
{
	static const char *const words[] = { "system call", "architecture", "instruction pointer, low",
					     "instruction pointer, high" };

	if (offset / 4 < COUNT(words))
		snprintf(text, size, "%s", words[offset / 4]);
	else
		snprintf(text, size, "arg%u, %s", (offset - 16) / 8, offset % 8 ? "high" : "low");
}

/* What stands beside an instruction; "" if there is nothing to say. */
static void say(const struct skep_cbpf_insn *insn, struct seen seen, char *text, size_t size)
{
	int arch = arch_of(seen.audit == MIXED ? (int64_t)skep_arch_audit(SKEP_ARCH_X86_64) : seen.audit);
	int asked = arch_of(insn->k);

	*text = '\0';
	if (insn->code == (BPF_LD | BPF_W | BPF_ABS) && insn->k < 64) {
		say_word(insn->k, text, size);
	} else if (insn->code == (BPF_RET | BPF_K)) {
		skep_seccomp_action_text(insn->k, text, size);
	} else if (BPF_CLASS(insn->code) == BPF_JMP && BPF_SRC(insn->code) == BPF_K && seen.word == 4 &&
		   asked >= 0) {
		snprintf(text, size, "%s", skep_arch_name((enum skep_seccomp_arch)asked));
	} else if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA && seen.word == 0 &&
		   arch >= 0) {
		bool x32 = arch == SKEP_ARCH_X86_64 && insn->k >= SKEP_X32_BIT;

		if (skep_syscall_name(x32 ? SKEP_ARCH_X32 : (enum skep_seccomp_arch)arch, insn->k))
			seccomp_call_name(x32 ? SKEP_ARCH_X32 : (enum skep_seccomp_arch)arch, insn->k, text, size);
		else if (insn->k == SKEP_X32_BIT)
			snprintf(text, size, "x32");
	}
}

void seccomp_list(const struct seccomp_code *code, FILE *out)
{
	struct seen *seen = calloc(code->count, sizeof(*seen));

	if (!seen)
		return;
	for (size_t i = 0; i < code->count; i++)
		seen[i] = (struct seen){ NOT_SEEN, NOT_SEEN };
	seen[0] = (struct seen){ MIXED, MIXED };
	for (size_t i = 0; i < code->count; i++) {
		char line[64], words[64];
		size_t len;

		step(seen, code, i);
		skep_cbpf_disasm(code->insns, code->count, i, SKEP_CBPF_LISTING, line, sizeof(line));
		len = strlen(line);
		while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
			line[--len] = '\0';
		say(&code->insns[i], seen[i], words, sizeof(words));
		if (*words)
			fprintf(out, "(%03zu) %-44s %s; %s%s\n", i, line, colour(out, COLOUR_DIM), words,
				colour(out, COLOUR_NONE));
		else
			fprintf(out, "(%03zu) %s\n", i, line);
	}
	free(seen);
}
