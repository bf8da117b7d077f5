/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - skep filter: tcpdump's expressions over captures and interfaces, as what they become
 * (classic BPF, eBPF, machine code, C, objects for the kernel), in words, and compared.
 */
#include "cli/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SNAP_LENGTH 262144
#define LIBPCAP_OPTIMISES 1500 /* instructions */

struct args {
	const char *read, *write, *interface, *link, *file, *xdp, *tc;
	uint64_t limit, snap;
	unsigned dump;
	bool plain, ebpf, native, c, assembly, dot, svg, explain, equal, json, interpret;
};

static const struct opt opts[] = {
	OPT(OPT_TEXT, 'r', "read", read, "FILE", "packets of a capture; '-': standard input"),
	OPT(OPT_TEXT, 'i', "interface", interface, "IF", "packets of a network interface, as they come"),
	OPT(OPT_TEXT, 'w', "write", write, "FILE", "write what passes, in the capture's own format"),
	OPT(OPT_NUMBER, 'c', "count", limit, "N", "stop after N packets that pass"),
	OPT(OPT_TEXT, 'F', "file", file, "FILE", "the expression, or a filter in any notation, from FILE"),
	OPT(OPT_TEXT, 'y', "link", link, "TYPE", "link type without -r: EN10MB (default), RAW, LINUX_SLL ..."),
	OPT(OPT_NUMBER, 's', "snapshot", snap, "BYTES", "of each packet (default 262144)"),
	OPT(OPT_FLAG, 'O', "no-optimize", plain, NULL, "as libpcap wrote it, without its optimiser and ours"),
	OPT(OPT_COUNT, 'd', "dump", dump, NULL, "the filter; -dd: as C; -ddd: as numbers"),
	OPT(OPT_FLAG, 0, "asm", assembly, NULL, "the filter as bpf_asm reads it, with labels"),
	OPT(OPT_FLAG, 0, "ebpf", ebpf, NULL, "the filter as eBPF instructions, as Skep runs them"),
	OPT(OPT_FLAG, 0, "native", native, NULL, "the filter as machine code, in assembly, by instruction of the filter"),
	OPT(OPT_FLAG, 0, "c", c, NULL, "the filter as a function in C"),
	OPT(OPT_FLAG, 0, "dot", dot, NULL, "its graph of decisions, for Graphviz"),
	OPT(OPT_FLAG, 0, "svg", svg, NULL, "its graph of decisions, as an image"),
	OPT(OPT_TEXT, 0, "xdp", xdp, "FILE", "an object that drops what does not pass, for XDP, with BTF"),
	OPT(OPT_TEXT, 0, "tc", tc, "FILE", "the same, for tc"),
	OPT(OPT_FLAG, 0, "explain", explain, NULL, "in words: what it accepts"),
	OPT(OPT_FLAG, 0, "equal", equal, NULL, "do two filters pass the same? or a packet to tell them apart"),
	OPT(OPT_FLAG, 0, "interpreter", interpret, NULL, "interpret, do not compile"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "counts as a JSON line"),
	{ 0 },
};

/* --- the expression --- */

void filter_code_done(struct filter_code *code)
{
	free(code->insns);
	skep_cbpf_program_free(code->program);
	*code = (struct filter_code){ 0 };
}

bool filter_classic(struct filter_code *code, struct skep_diag *diag)
{
	return code->insns ||
	       skep_cbpf_program_classic(code->program, &code->insns, &code->count, diag) == 0;
}

struct skep_filter *filter_open(const struct filter_code *code, bool interpret, struct skep_diag *diag)
{
	unsigned flags = interpret ? SKEP_FILTER_INTERPRET : 0;

	return code->program ? skep_filter_open_program(code->program, flags, diag) :
	       skep_filter_open(code->insns, code->count, SKEP_CBPF_SOCKET, flags, code->name, diag);
}

static bool take_program(const struct bpf_program *program, struct filter_code *code,
			 struct skep_diag *diag)
{
	code->count = program->bf_len;
	code->insns = calloc(code->count ? code->count : 1, sizeof(*code->insns));
	if (!code->insns) {
		skep_report(diag, SKEP_OOM, NULL, "filter of %zu instructions", code->count);
		return false;
	}
	for (size_t i = 0; i < code->count; i++) {
		const struct bpf_insn *insn = &program->bf_insns[i];

		code->insns[i] = (struct skep_cbpf_insn){ insn->code, insn->jt, insn->jf, insn->k };
		code->loops |= insn->code == (BPF_JMP | BPF_JA) && (int32_t)insn->k < 0;
	}
	return true;
}

static bool optimise_code(struct filter_code *code, struct skep_diag *diag)
{
	struct skep_cbpf_insn *better;
	size_t count;

	if (skep_cbpf_optimise(code->insns, code->count, SKEP_CBPF_SOCKET, code->name, &better, &count,
			       diag) < 0)
		return false;
	free(code->insns);
	code->insns = better;
	code->count = count;
	return true;
}

static bool compile_by_libpcap(pcap_t *pcap, const char *text, bool optimise,
			       struct filter_code *code, struct skep_diag *diag)
{
	struct bpf_program program;
	bool good;

	/* netmask 0, as tcpdump has for captures: "ip broadcast" is 255.255.255.255 and 0.0.0.0 */
	if (pcap_compile(pcap, &program, text, optimise, 0) != 0) {
		skep_report(diag, SKEP_ARG, NULL, "the filter '%s' is not valid: %s", text,
			    pcap_geterr(pcap));
		return false;
	}
	good = take_program(&program, code, diag);
	pcap_freecode(&program);
	return good;
}

/* For skep_cbpf_compile(): libpcap without its optimiser, which would take stand-ins for numbers. */
struct set_compiler { pcap_t *pcap; const char *name; };

static int compile_with_sets(void *arg, const char *text, struct skep_cbpf_insn **insns, size_t *count,
			     struct skep_diag *diag)
{
	const struct set_compiler *compiler = arg;
	struct filter_code code = { 0 };

	/* the text has stand-ins: the message has the user's */
	if (!compile_by_libpcap(compiler->pcap, text, false, &code, NULL)) {
		skep_report(diag, SKEP_ARG, NULL, "the filter '%s' is not valid: %s", compiler->name,
			    pcap_geterr(compiler->pcap));
		return -EINVAL;
	}
	*insns = code.insns;
	*count = code.count;
	return 0;
}

/*
 * libpcap's optimiser first, because it leaves out loads that the expression does not ask for, so
 * that packets cut short pass as they do tcpdump. It takes minutes for long filters: these
 * are left to ours.
 */
static bool compile_expression(pcap_t *pcap, const char *text, bool optimise,
			       struct filter_code *code, struct skep_diag *diag)
{
	struct set_compiler compiler = { pcap, code->name };

	if (optimise &&
	    skep_cbpf_compile(text, code->name, compile_with_sets, &compiler, &code->program, diag) < 0)
		return false;
	if (code->program)
		return true;
	if (!compile_by_libpcap(pcap, text, false, code, diag))
		return false;
	if (!optimise)
		return true;
	if (code->count <= LIBPCAP_OPTIMISES) {
		free(code->insns);
		code->insns = NULL;
		if (!compile_by_libpcap(pcap, text, true, code, diag))
			return false;
	}
	if (code->loops)
		return true;
	return optimise_code(code, diag);
}

static bool is_file(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && S_ISREG(file.st_mode);
}

static bool is_notation(const char *text)
{
	struct skep_cbpf_insn *insns;
	size_t count;

	if (skep_cbpf_read(text, strlen(text), "", &insns, &count, NULL) < 0)
		return false;
	free(insns);
	return true;
}

/* '{ 0x28, 0, ...', '(000) ldh', or lines that begin with a tab or a label. */
static bool looks_like_instructions(const char *text)
{
	const char *at = text + strspn(text, " \r\n");

	return *at == '{' || *at == '\t' || (*at == '(' && at[1] >= '0' && at[1] <= '9' && strchr("0123456789)", at[2])) ||
	       (at[strcspn(at, " \t\n")] == '\t');
}

/* As tcpdump reads a file. */
static void blank_comments(char *text)
{
	for (char *at = strchr(text, '#'); at; at = strchr(at, '#'))
		memset(at, ' ', strcspn(at, "\n"));
}

/* A file holds an expression or a filter's instructions: what can be read as such, is. */
static bool compile_file(pcap_t *pcap, const char *path, bool optimise, struct filter_code *code,
			 struct skep_diag *diag)
{
	size_t size;
	char *text = slurp(path, &size, diag);
	bool good = text != NULL;

	code->name = path;
	if (good && is_notation(text)) {
		good = skep_cbpf_read(text, size, path, &code->insns, &code->count, diag) == 0 &&
		       skep_cbpf_check(code->insns, code->count, SKEP_CBPF_SOCKET, path, diag) == 0 &&
		       (!optimise || optimise_code(code, diag));
	} else if (good && looks_like_instructions(text)) { /* their own error says more */
		good = skep_cbpf_read(text, size, path, &code->insns, &code->count, diag) == 0;
	} else if (good) {
		blank_comments(text);
		good = compile_expression(pcap, text, optimise, code, diag);
	}
	free(text);
	return good;
}

bool filter_compile(pcap_t *pcap, const char *text, bool optimise, struct filter_code *code,
		    struct skep_diag *diag)
{
	bool good;

	*code = (struct filter_code){ .name = *text ? text : "(all)" };
	good = is_file(text) ? compile_file(pcap, text, optimise, code, diag) :
			       compile_expression(pcap, text, optimise, code, diag);
	if (!good)
		filter_code_done(code);
	return good;
}

/* --- where packets come from --- */

static pcap_t *fail_open(const char *source, const char *why, struct skep_diag *diag)
{
	size_t len = strlen(source);

	if (strncmp(why, source, len) == 0 && strncmp(why + len, ": ", 2) == 0)
		why += len + 2;
	skep_report(diag, SKEP_CAPTURE, NULL, "cannot read '%s': %s", source, why);
	return NULL;
}

/* Microseconds stay microseconds. */
static bool has_nanoseconds(const char *path)
{
	uint32_t magic = 0;
	FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");

	if (file && fread(&magic, sizeof(magic), 1, file) != 1)
		magic = 0;
	if (file)
		fclose(file);
	return magic != 0xa1b2c3d4 && magic != 0xd4c3b2a1;
}

static pcap_t *open_capture(const char *path, bool *nano, struct skep_diag *diag)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap;

	*nano = has_nanoseconds(path);
	pcap = pcap_open_offline_with_tstamp_precision(path, *nano ? PCAP_TSTAMP_PRECISION_NANO :
							    PCAP_TSTAMP_PRECISION_MICRO, why);
	return pcap ? pcap : fail_open(path, why, diag);
}

static pcap_t *open_interface(const struct args *args, struct skep_diag *diag)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(args->interface, why);
	int error;

	if (!pcap)
		return fail_open(args->interface, why, diag);
	pcap_set_snaplen(pcap, args->snap ? (int)args->snap : SNAP_LENGTH);
	pcap_set_promisc(pcap, 1);
	pcap_set_timeout(pcap, 100);
	error = pcap_activate(pcap);
	if (error >= 0)
		return pcap;
	if (error == PCAP_ERROR_PERM_DENIED || error == PCAP_ERROR_PROMISC_PERM_DENIED) {
		skep_report(diag, SKEP_CAPTURE, NULL, "capturing on '%s' is not allowed", args->interface);
		skep_help(diag, "run as root, or: setcap cap_net_raw,cap_net_admin+ep $(command -v skep)");
	} else {
		fail_open(args->interface, *pcap_geterr(pcap) ? pcap_geterr(pcap) : pcap_statustostr(error),
			  diag);
	}
	pcap_close(pcap);
	return NULL;
}

/* For expressions without packets. */
static pcap_t *open_nothing(const struct args *args, struct skep_diag *diag)
{
	int link = args->link ? pcap_datalink_name_to_val(args->link) : DLT_EN10MB;
	pcap_t *pcap;

	if (link < 0) {
		skep_report(diag, SKEP_ARG, NULL, "there is no link type '%s'", args->link);
		skep_help(diag, "EN10MB, RAW, LINUX_SLL, LINUX_SLL2, IEEE802_11_RADIO, PPP, NULL ...");
		return NULL;
	}
	pcap = pcap_open_dead(link, args->snap ? (int)args->snap : SNAP_LENGTH);
	if (!pcap)
		skep_report(diag, SKEP_OOM, NULL, "compiling a filter");
	return pcap;
}

/* --- what is wanted --- */

static int stage_wanted(const struct args *args)
{
	const struct { bool wanted; enum filter_stage stage; } stages[] = {
		{ args->ebpf, FILTER_EBPF }, { args->native, FILTER_NATIVE }, { args->c, FILTER_C },
		{ args->assembly, FILTER_ASM }, { args->dot, FILTER_DOT }, { args->svg, FILTER_SVG },
		{ args->explain, FILTER_EXPLAIN },
	};

	for (size_t i = 0; i < COUNT(stages); i++) {
		if (stages[i].wanted)
			return (int)stages[i].stage;
	}
	return -1;
}

static int act(const struct args *args, pcap_t *pcap, bool nano, struct filter_code *code,
	       struct skep_diag *diag)
{
	struct filter_job job = { .pcap = pcap, .source = args->interface ? args->interface : args->read,
				  .out = args->write, .limit = args->limit, .live = args->interface,
				  .nano = nano, .json = args->json, .interpret = args->interpret };
	int stage = stage_wanted(args), error = 0;

	if (args->dump)
		return filter_dump(code, args->dump, diag);
	if (stage >= 0)
		return filter_show(code, (enum filter_stage)stage, pcap_datalink(pcap), diag);
	if (args->xdp)
		error = filter_write_object(code, SKEP_CBPF_TO_XDP, args->xdp, diag);
	if (error == 0 && args->tc)
		error = filter_write_object(code, SKEP_CBPF_TO_TC, args->tc, diag);
	if (args->xdp || args->tc)
		return error;
	return filter_packets(&job, code, diag);
}

/* As searches, if both can be: these say more. Else, or where nothing was found, by their sets. */
static int compare_codes(struct filter_code *a, struct filter_code *b, struct skep_text *packet,
			 struct skep_diag *diag)
{
	bool sets = a->program || b->program;
	int verdict = SKEP_CBPF_UNKNOWN;

	if (filter_classic(a, sets ? NULL : diag) && filter_classic(b, sets ? NULL : diag))
		verdict = skep_cbpf_compare(a->insns, a->count, b->insns, b->count, packet, diag);
	if (verdict != SKEP_CBPF_UNKNOWN || !sets)
		return verdict;
	if ((!a->program && skep_cbpf_program_new(a->insns, a->count, a->name, &a->program, diag) < 0) ||
	    (!b->program && skep_cbpf_program_new(b->insns, b->count, b->name, &b->program, diag) < 0))
		return -1;
	return skep_cbpf_program_compare(a->program, b->program, packet, diag);
}

static int compare(const struct args *args, pcap_t *pcap, char **texts, struct skep_diag *diag)
{
	struct filter_code codes[2] = { 0 };
	struct skep_text packet = { 0 };
	int verdict = -1;

	if (filter_compile(pcap, texts[0], !args->plain, &codes[0], diag) &&
	    filter_compile(pcap, texts[1], !args->plain, &codes[1], diag))
		verdict = compare_codes(&codes[0], &codes[1], &packet, diag);
	if (verdict == SKEP_CBPF_EQUAL)
		printf("equal: they pass the same packets\n");
	else if (verdict == SKEP_CBPF_EQUAL_WHOLE)
		printf("equal for whole packets; cut short, they load in another order: of this one\n%s",
		       packet.data ? packet.data : "");
	else if (verdict == SKEP_CBPF_DIFFER)
		printf("different: of this packet\n%s", packet.data ? packet.data : "");
	else if (verdict == SKEP_CBPF_UNKNOWN)
		printf("unknown: no packet was found on which they differ, and no proof that there is none\n");
	free(packet.data);
	filter_code_done(&codes[0]);
	filter_code_done(&codes[1]);
	if (verdict < 0)
		return -1;
	return verdict == SKEP_CBPF_EQUAL || verdict == SKEP_CBPF_EQUAL_WHOLE ? EXIT_DONE : EXIT_REJECTED;
}

/* The operands with blanks between them, as tcpdump takes them; NULL: no memory. */
static char *join(int argc, char **argv)
{
	size_t size = 1, at = 0;
	char *text;

	for (int i = 0; i < argc; i++)
		size += strlen(argv[i]) + 1;
	text = calloc(1, size);
	for (int i = 0; text && i < argc; i++) {
		memcpy(text + at, argv[i], strlen(argv[i]));
		at += strlen(argv[i]);
		if (i + 1 < argc)
			text[at++] = ' ';
	}
	return text;
}

static bool one_thing(const struct verb *verb, const struct args *args, int argc, int *status)
{
	bool packets = args->read || args->interface;
	bool other = args->dump || stage_wanted(args) >= 0 || args->xdp || args->tc || args->equal;

	if (args->read && args->interface)
		*status = usage(verb, "packets of a capture (-r) or of an interface (-i)?");
	else if (args->equal && argc != 2)
		*status = usage(verb, "--equal wants two filters, each one operand");
	else if (!args->equal && args->file && argc)
		*status = usage(verb, "the expression is in '%s': no operands then", args->file);
	else if (!packets && !other)
		*status = usage(verb, "which packets? -r FILE, -i IF; or -d shows the filter");
	else if (args->dump > 3)
		*status = usage(verb, "-d, -dd or -ddd");
	else
		return true;
	return false;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_diag *diag;
	struct filter_code code = { 0 };
	bool nano = false;
	int status = EXIT_DONE;
	pcap_t *pcap;
	char *text;

	if (!one_thing(verb, args, argc, &status))
		return status;
	diag = skep_diag_new();
	text = args->file ? strdup(args->file) : join(argc, argv);
	pcap = args->interface ? open_interface(args, diag) : args->read ?
	       open_capture(args->read, &nano, diag) : open_nothing(args, diag);
	if (pcap && args->equal)
		status = compare(args, pcap, argv, diag);
	else if (!pcap || !text || !filter_compile(pcap, text, !args->plain, &code, diag) ||
		 act(args, pcap, nano, &code, diag) < 0)
		status = -1;
	if (status < 0)
		status = report(diag, args->json);
	filter_code_done(&code);
	free(text);
	if (pcap)
		pcap_close(pcap);
	skep_diag_free(diag);
	return status;
}

const struct verb verb_filter = {
	.name = "filter",
	.operands = "[EXPRESSION...]",
	.summary = "Filter packets by tcpdump's expressions, and look into such filters",
	.detail =
		"EXPRESSION is tcpdump's (pcap-filter(7)), or names a file that holds one, or a\n"
		"filter's instructions as any tool writes them. It is compiled by libpcap, made\n"
		"shorter by Skep, and run as machine code. Without -w, what passes is counted.\n"
		"Sixteen or more addresses, networks or ports in a row of 'or' are looked up in a\n"
		"table, in the same time however many they are. Filters that look for attributes\n"
		"of netlink (nla, nlan; no expression does) are interpreted.\n"
		"\n"
		"Instead of filtering, each stage can be shown: -d, -dd, -ddd, --asm, --ebpf,\n"
		"--native, --c, --dot, --svg; --explain says it in words. --xdp and --tc write an\n"
		"object for the kernel that drops what the expression does not pass. --equal\n"
		"compares two filters: exit status 0 if every packet passes both or none.",
	.example = "  skep filter -r in.pcap 'tcp port 443 and not host 10.0.0.1' -w out.pcap\n"
		   "  skep filter -i eth0 -c 10 icmp -w ping.pcap\n"
		   "  skep filter -d 'udp port 53'\n"
		   "  skep filter --xdp drop.o 'not port 23' && ip link set eth0 xdp obj drop.o sec xdp\n"
		   "  skep filter --equal 'tcp or udp' 'udp or tcp'",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
