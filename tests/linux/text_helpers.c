/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text_helpers.c - bpf_snprintf(), bpf_strtol(), bpf_strtoul() and bpf_strncmp()
 * do what the running kernel's do, byte for byte and error for error.
 *
 * A text under test lies in a frozen map, so that the verifier takes it for a
 * constant; buffers lie on the program's stack:
 *
 *   -320    values      -224  string   -160     out       -32 result
 */
#include <stdlib.h>

#include "base/base.h"
#include "base/fault.h"
#include "bytecode.h"
#include "helper/list.h"

enum { AT_VALUES = -320, AT_STRING = -224, AT_OUT = -160, AT_RESULT = -32, TEXT = 64, OUT = 128 };

struct stack {
	uint64_t values[12];
	char string[TEXT];
	uint8_t out[OUT];
	uint64_t result[4];
};

/* 1 in place[i]: values[i] is the address of string. */
struct text_call {
	uint32_t helper;
	char fmt[TEXT];
	uint64_t values[12];
	uint8_t place[12];
	uint32_t count, out_size, string_size;
	uint64_t flags;
	char string[TEXT];
};

static void emit_stack(struct bytecode *code, const struct text_call *call)
{
	for (int i = 0; i < 12; i++) {
		if (call->place[i]) {
			emit(code, 0xbf, 1, 10, 0, 0);
			emit(code, 0x07, 1, 0, 0, AT_STRING);
		} else {
			emit_value(code, 1, call->values[i]);
		}
		emit(code, 0x7b, 10, 1, AT_VALUES + i * 8, 0);
	}
	for (int i = 0; i < TEXT; i += 4) {
		int word;

		memcpy(&word, call->string + i, 4);
		emit(code, 0x62, 10, 0, AT_STRING + i, word);
	}
	for (int i = AT_OUT; i < 0; i += 4)
		emit(code, 0x62, 10, 0, i, 0x11111111);
}

static void emit_address(struct bytecode *code, unsigned reg, int at)
{
	emit(code, 0xbf, reg, 10, 0, 0);
	emit(code, 0x07, reg, 0, 0, at);
}

static void emit_text(struct bytecode *code, unsigned reg, int map)
{
	emit(code, 0x18, reg, 2, 0, map);
	emit(code, 0, 0, 0, 0, 0);
}

static void emit_call(struct bytecode *code, const struct text_call *call, int map)
{
	code->count = 0;
	emit(code, 0xb7, 7, 0, 0, 0);
	emit_stack(code, call);
	switch (call->helper) {
	case 165:
		emit_address(code, 1, AT_OUT);
		emit_value(code, 2, call->out_size);
		emit_text(code, 3, map);
		emit_address(code, 4, AT_VALUES);
		emit_value(code, 5, call->count * 8);
		break;
	case 182:
		emit_address(code, 1, AT_STRING);
		emit_value(code, 2, call->string_size);
		emit_text(code, 3, map);
		break;
	default:
		emit_address(code, 1, AT_STRING);
		emit_value(code, 2, call->string_size);
		emit_value(code, 3, call->flags);
		emit_address(code, 4, AT_RESULT);
		break;
	}
	emit(code, 0x85, 0, 0, 0, (int)call->helper);
	emit_mix(code, 0);
	for (int i = AT_OUT; i < 0; i += 4) {
		emit(code, 0x61, 1, 10, i, 0);
		emit_mix(code, 1);
	}
	emit(code, 0xbf, 0, 7, 0, 0);
	emit(code, 0x95, 0, 0, 0, 0);
}

static uint32_t call_here(const struct text_call *call, struct stack *stack, int64_t *result)
{
	const struct helper *helper = helper_by_id(call->helper);
	uint64_t arg[5] = { 0 };
	struct vm vm = { 0 };
	uint32_t sum;

	memset(stack, 0x11, sizeof(*stack));
	memcpy(stack->string, call->string, TEXT);
	for (int i = 0; i < 12; i++)
		stack->values[i] = call->place[i] ? (uintptr_t)stack->string : call->values[i];
	arg[0] = (uintptr_t)stack->string;
	arg[1] = call->string_size;
	if (call->helper == 165) {
		arg[0] = (uintptr_t)stack->out;
		arg[1] = call->out_size;
		arg[2] = (uintptr_t)call->fmt;
		arg[3] = (uintptr_t)stack->values;
		arg[4] = call->count * 8;
	} else if (call->helper == 182) {
		arg[2] = (uintptr_t)call->fmt;
	} else {
		arg[2] = call->flags;
		arg[3] = (uintptr_t)stack->result;
	}
	*result = (int64_t)helper->call(&vm, arg);
	sum = mix(0, (uint64_t)*result);
	for (size_t i = 0; i < OUT + sizeof(stack->result); i += 4) {
		uint32_t word;

		memcpy(&word, stack->out + i, 4);
		sum = mix(sum, word);
	}
	return sum;
}

/* The kernel's sum; false where it refuses the program (a bad constant format). */
static bool call_kernel(const struct text_call *call, uint32_t *sum)
{
	static const uint8_t packet[64];
	struct bytecode code;
	uint32_t none = 0;
	int map, fd, error;

	map = bytecode_constant(call->fmt, TEXT);
	if (map < 0)
		return false;
	emit_call(&code, call, map);
	fd = bytecode_load(BPF_PROG_TYPE_SCHED_CLS, &code);
	close(map);
	if (fd < 0)
		return false;
	error = bytecode_run(fd, packet, sizeof(packet), NULL, &none, sum);
	close(fd);
	return error == 0;
}

/* --- what is asked --- */

static const char *const pieces[] = {
	"%d", "%i", "%u", "%x", "%X", "%ld", "%lu", "%llx", "%lli", "%lX", "%5d", "%-5d|", "%05d",
	"%+d", "% d", "%+ 05d", "%-08x|", "%20llu", "%c", "%5c", "%-3c|", "%s", "%10s", "%-12s|",
	"%pks", "%pK", "%px", "%pi4", "%pI4", "%pi6", "%pI6", "%20pI4", "%-20pI4|", "%pI6c", "%%",
	"text", "\xc3\xa9", " ", "\t", "\n", ":", "%016llx", "%3s", "%p ", "%px,", "%1d", "%010d",
};

static const char *const bad_pieces[] = {
	"%z", "%hd", "%#x", "%.3s", "%f", "%lf", "%llld", "%*d", "%pI5", "%pM", "%sx", "%5%", "\x01",
	"\x7f", "%pkd", "%n", "%lc", "%ls", "%o", "%pE",
};

static uint64_t some_value(void)
{
	switch (any(5)) {
	case 0:
		return any(100);
	case 1:
		return (uint64_t)-(int64_t)any(1000);
	case 2:
		return (uint64_t)any(0xffffffff) << 32 | any(0xffffffff);
	case 3:
		return 0;
	default:
		return (uint64_t)INT64_MIN >> any(64);
	}
}

/* Address conversions show what an address is: only numbers do not differ. */
static bool wants_address(const char *piece)
{
	return piece[0] == '%' && (strchr(piece, 's') || strstr(piece, "pi") || strstr(piece, "pI"));
}

static void some_format(struct text_call *call)
{
	unsigned values = 0;
	bool taken = false;

	call->helper = 165;
	for (unsigned n = 1 + any(5); n; n--) {
		const char *piece = any(60) ? pieces[any(ARRAY_SIZE(pieces))]
					    : bad_pieces[any(ARRAY_SIZE(bad_pieces))];

		taken |= strstr(piece, "%p") || strstr(piece, "pI4");
		if (taken && n > 3)
			n = 3;
		/* Linux hides addresses; what it prints is not ours to know. */
		if (strncmp(piece, "%p ", 3) == 0 || strcmp(piece, "%pK") == 0)
			call->values[values] = 0;
		else
			call->values[values] = some_value();
		call->place[values] = wants_address(piece);
		if (strlen(call->fmt) + strlen(piece) >= TEXT)
			break;
		strcat(call->fmt, piece);
		values += piece[0] == '%' && piece[1] != '%';
	}
	call->count = any(12) ? values : any(12);
	/* Behind a full text Linux reads what such conversions left, at odds with itself. */
	call->out_size = taken || any(3) ? OUT : 1 + any(40);
}

static void some_number(struct text_call *call)
{
	static const char *const numbers[] = {
		"0", "1", "-1", "+1", " 12", "\t-12 ", "0x1f", "0X1F", "0xg", "017", "08", "-0",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "18446744073709551615", "18446744073709551616",
		"0xffffffffffffffff", "0x10000000000000000", "abc", "", " ", "-", "--1", "- 1",
		"1 2", "99999999999999999999999", "-0x10", "0x", "-0x", "777", "0b11", "1e5",
	};

	call->helper = any(2) ? 105 : 106;
	snprintf(call->string, TEXT, "%s", numbers[any(ARRAY_SIZE(numbers))]);
	call->string_size = any(3) ? (uint32_t)strlen(call->string) + any(3) : 1 + any(TEXT);
	if (!call->string_size)
		call->string_size = 1;
	call->flags = any(6) ? (uint64_t[]){ 0, 8, 10, 16 }[any(4)] : any(40);
}

static void some_strings(struct text_call *call)
{
	call->helper = 182;
	for (unsigned i = 0; i < 6; i++) {
		call->fmt[i] = (char)(any(3) ? 'a' : any(256));
		call->string[i] = any(6) ? call->fmt[i] : (char)any(256);
	}
	call->string_size = 1 + any(10);
}

static bool agree(uint32_t number)
{
	struct text_call call = { 0 };
	struct stack stack;
	uint32_t ours, theirs;
	int64_t result;
	bool known;

	seed = number;
	any(0);
	snprintf(call.string, TEXT, "%.*s", (int)any(40), "the quick brown fox jumps over the dog");
	switch (any(4)) {
	case 0:
		some_number(&call);
		break;
	case 1:
		some_strings(&call);
		break;
	default:
		some_format(&call);
		break;
	}
	ours = call_here(&call, &stack, &result);
	known = call_kernel(&call, &theirs);
	/* A format that the verifier refuses must fail here too. */
	if (known ? ours == theirs : call.helper == 165 && result == -EINVAL)
		return true;
	printf("%s: text '%s' (%u values, room %u), string '%s' (%u), flags %llu: %lld here, '%.128s'\n",
	       helper_by_id(call.helper)->name, call.fmt, call.count, call.out_size, call.string,
	       call.string_size, (unsigned long long)call.flags, (long long)result,
	       (const char *)stack.out);
	if (!known)
		printf("  the kernel refuses it: %.600s\n", bytecode_log);
	return false;
}

int main(int argc, char **argv)
{
	uint32_t total = argc > 1 ? (uint32_t)atoi(argv[1]) : 1500, failed = 0;

	if (!bytecode_works())
		return SKIPPED;
	if (fault_init() < 0)
		return 1;
	for (uint32_t i = 0; i < total && failed < 10; i++)
		failed += !agree(i);
	printf("%u of %u calls differ\n", failed, total);
	return failed != 0;
}
