/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_tell.c - a refused call in words: who made it and from where, what its arguments are, and
 * which instruction of the filter refused it.
 *
 *   [4711] mkdir("made", 0755): errno EACCES by instruction 12, at libc.so.6+0xf7e67 (mkdir),
 *   from main (prog.c:12)
 */
#include "cli/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SHOWN 64u /* bytes of a text */

static const struct { const char *name, *kinds; } calls[] = {
#define ARGS(name, kinds) { #name, kinds },
#include "cli/seccomp_args.def"
#undef ARGS
};

/* --- names of numbers --- */

struct named {
	uint64_t value;
	const char *name;
};

#define NAMED(n) { n, #n }

static const struct named families[] = {
	NAMED(AF_UNSPEC), NAMED(AF_UNIX), NAMED(AF_INET), NAMED(AF_INET6), NAMED(AF_NETLINK), NAMED(AF_PACKET),
	NAMED(AF_ALG), NAMED(AF_VSOCK), NAMED(AF_BLUETOOTH), NAMED(AF_CAN), NAMED(AF_KEY), NAMED(AF_XDP),
};

static const struct named open_flags[] = {
	NAMED(O_WRONLY), NAMED(O_RDWR), NAMED(O_CREAT), NAMED(O_EXCL), NAMED(O_NOCTTY), NAMED(O_TRUNC),
	NAMED(O_APPEND), NAMED(O_NONBLOCK), { __O_TMPFILE | O_DIRECTORY, "O_TMPFILE" }, NAMED(O_DIRECTORY),
	NAMED(O_NOFOLLOW), NAMED(O_CLOEXEC), NAMED(O_PATH), NAMED(O_SYNC), NAMED(O_DIRECT),
};

static const struct named clone_flags[] = {
	NAMED(CLONE_VM), NAMED(CLONE_FS), NAMED(CLONE_FILES), NAMED(CLONE_SIGHAND), NAMED(CLONE_VFORK),
	NAMED(CLONE_THREAD), NAMED(CLONE_NEWNS), NAMED(CLONE_SYSVSEM), NAMED(CLONE_SETTLS),
	NAMED(CLONE_PARENT_SETTID), NAMED(CLONE_CHILD_CLEARTID), NAMED(CLONE_CHILD_SETTID), NAMED(CLONE_NEWCGROUP),
	NAMED(CLONE_NEWUTS), NAMED(CLONE_NEWIPC), NAMED(CLONE_NEWUSER), NAMED(CLONE_NEWPID), NAMED(CLONE_NEWNET),
};

static const struct named prctl_options[] = {
	NAMED(PR_SET_PDEATHSIG), NAMED(PR_GET_DUMPABLE), NAMED(PR_SET_DUMPABLE), NAMED(PR_SET_KEEPCAPS),
	NAMED(PR_SET_NAME), NAMED(PR_GET_NAME), NAMED(PR_GET_SECCOMP), NAMED(PR_SET_SECCOMP),
	NAMED(PR_CAPBSET_READ), NAMED(PR_CAPBSET_DROP), NAMED(PR_SET_SECUREBITS), NAMED(PR_SET_TIMERSLACK),
	NAMED(PR_SET_MM), NAMED(PR_SET_CHILD_SUBREAPER), NAMED(PR_SET_NO_NEW_PRIVS), NAMED(PR_GET_NO_NEW_PRIVS),
	NAMED(PR_SET_THP_DISABLE), NAMED(PR_CAP_AMBIENT), NAMED(PR_SET_VMA), NAMED(PR_SET_SYSCALL_USER_DISPATCH),
	NAMED(PR_SET_PTRACER),
};

static void say_named(FILE *out, uint64_t value, const struct named *named, size_t count)
{
	char number[24];

	for (size_t i = 0; i < count; i++) {
		if (named[i].value == value) {
			fputs(named[i].name, out);
			return;
		}
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
	fputs(number, out);
}

/* What is left over, or none: in hexadecimal; none: what 0 means. */
static void say_bits(FILE *out, uint64_t value, const struct named *named, size_t count,
		     const char *none)
{
	char number[24];
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if ((value & named[i].value) != named[i].value)
			continue;
		fputs(any ? "|" : "", out);
		fputs(named[i].name, out);
		value &= ~named[i].value;
		any = true;
	}
	if (value == 0 && any)
		return;
	snprintf(number, sizeof(number), "%s%#llx", any ? "|" : "", (unsigned long long)value);
	fputs(value == 0 ? none : number, out);
}

static void say_signal(FILE *out, uint64_t value)
{
	const char *name = value < 65 ? sigabbrev_np((int)value) : NULL;
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
	fputs(name ? "SIG" : number, out);
	fputs(name ? name : "", out);
}

/* --- arguments --- */

/* Bytes up to the end of the page or to end. */
static size_t page_rest(uint64_t at, uint64_t end)
{
	uint64_t rest = 4096 - at % 4096;

	return (size_t)(rest < end - at ? rest : end - at);
}

/* What could be read of a text, up to its end or to what is shown. */
static void say_string(FILE *out, pid_t pid, uint64_t address)
{
	char bytes[SHOWN + 1] = "", shown[8];
	ssize_t got = 0;

	/* what follows the page may not be there */
	for (uint64_t at = address; at < address + SHOWN && !memchr(bytes, '\0', (size_t)got);) {
		size_t size = page_rest(at, address + SHOWN);
		struct iovec here = { bytes + got, size }, there = { (void *)(uintptr_t)at, size };

		if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)size)
			break;
		got += (ssize_t)size;
		at += size;
	}
	if (got == 0) {
		snprintf(bytes, sizeof(bytes), "%#llx", (unsigned long long)address);
		fputs(address ? bytes : "NULL", out);
		return;
	}
	fputs("\"", out);
	for (ssize_t i = 0; i < got && bytes[i]; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c < ' ' || c == 127)
			snprintf(shown, sizeof(shown), "\\x%02x", c);
		else
			snprintf(shown, sizeof(shown), "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
		fputs(shown, out);
	}
	fputs(memchr(bytes, '\0', (size_t)got) ? "\"" : "\"...", out);
}

static void say_argument(FILE *out, pid_t pid, char kind, uint64_t value)
{
	char number[32];

	switch (kind) {
	case 'd':
		snprintf(number, sizeof(number), "%d", (int)value);
		break;
	case 'u':
		snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
		break;
	case 'o':
		snprintf(number, sizeof(number), "%#o", (unsigned)value);
		break;
	case 'f':
		if ((int)value == AT_FDCWD)
			snprintf(number, sizeof(number), "AT_FDCWD");
		else
			snprintf(number, sizeof(number), "%d", (int)value);
		break;
	case 'p':
		if (value)
			snprintf(number, sizeof(number), "%#llx", (unsigned long long)value);
		else
			snprintf(number, sizeof(number), "NULL");
		break;
	case 's':
		say_string(out, pid, value);
		return;
	case 'g':
		say_signal(out, value);
		return;
	case 'A':
		say_named(out, value, families, COUNT(families));
		return;
	case 'P':
		say_named(out, value, prctl_options, COUNT(prctl_options));
		return;
	case 'O':
		say_bits(out, (uint32_t)value, open_flags, COUNT(open_flags), "O_RDONLY");
		return;
	case 'C':
		/* the lowest byte is the signal at the end */
		say_bits(out, value & ~0xffull, clone_flags, COUNT(clone_flags), "0");
		if (value & 0xff) {
			fputs("|", out);
			say_signal(out, value & 0xff);
		}
		return;
	default:
		snprintf(number, sizeof(number), "%#llx", (unsigned long long)value);
	}
	fputs(number, out);
}

static void say_arguments(FILE *out, pid_t pid, const char *name, const struct skep_cbpf_call *call)
{
	const char *kinds = "xxxxxx";

	for (size_t i = 0; i < COUNT(calls); i++) {
		if (strcmp(calls[i].name, name) == 0)
			kinds = calls[i].kinds;
	}
	for (size_t i = 0; kinds[i]; i++) {
		fputs(i ? ", " : "", out);
		say_argument(out, pid, kinds[i], call->args[i]);
	}
}

/* --- places --- */

/* "libc.so.6+0x10a6d": the file that the address is from; the address alone if from none. */
static void name_place(pid_t pid, uint64_t address, char *text, size_t size)
{
	char path[32], line[512];
	FILE *maps;

	snprintf(text, size, "%#llx", (unsigned long long)address);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long long from, to, offset;
		int at = 0;

		if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %n", &from, &to, &offset, &at) < 3 || !at ||
		    address < from || address >= to || line[at] != '/')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(text, size, "%s+%#llx", strrchr(line, '/') + 1, address - from + offset);
	}
	if (maps)
		fclose(maps);
}

/* The process that a thread is of. */
static pid_t process_of(pid_t thread)
{
	char path[40], line[128];
	pid_t pid = thread;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "Tgid: %d", &pid);
	if (status)
		fclose(status);
	return pid;
}

/* --- the whole --- */

static void tell_text(FILE *out, pid_t pid, const struct seccomp_refusal *refusal, const char *name,
		      const char *arguments, const char *action, const char *place, const struct seccomp_frames *frames)
{
	if (pid == refusal->thread)
		fprintf(out, "[%d] ", (int)pid);
	else
		fprintf(out, "[%d, thread %d] ", (int)pid, (int)refusal->thread);
	fprintf(out, "%s(%s): %s by instruction %zu, at %s", name, arguments, action, refusal->instruction, place);
	if (*frames->function)
		fprintf(out, " (%s)", frames->function);
	if (*frames->caller)
		fprintf(out, ", from %s", frames->caller);
	if (*frames->source)
		fprintf(out, "%s%s%s", *frames->caller ? " (" : ", ", frames->source, *frames->caller ? ")" : "");
	fprintf(out, "\n");
}

static void tell_json(FILE *out, pid_t pid, const struct seccomp_refusal *refusal, const char *name,
		      const char *arguments, const char *action, const char *place, const struct seccomp_frames *frames)
{
	struct json json;

	json_begin(&json, out);
	json_int(&json, "pid", pid);
	json_int(&json, "thread", refusal->thread);
	json_text(&json, "call", name);
	json_open(&json, "args", '[');
	for (int i = 0; i < 6; i++)
		fprintf(out, "%s%llu", i ? "," : "", (unsigned long long)refusal->call.args[i]);
	json_close(&json, ']');
	json_text(&json, "arguments", arguments);
	json_text(&json, "action", action);
	json_uint(&json, "instruction", refusal->instruction);
	json_text(&json, "place", place);
	json_text(&json, "function", *frames->function ? frames->function : NULL);
	json_text(&json, "caller", *frames->caller ? frames->caller : NULL);
	json_text(&json, "source", *frames->source ? frames->source : NULL);
	json_end(&json);
}

void seccomp_tell(FILE *out, bool json, const struct seccomp_refusal *refusal)
{
	pid_t pid = process_of(refusal->thread);
	struct seccomp_frames frames;
	char name[64], action[32], place[128], *arguments = NULL;
	size_t size;
	FILE *text = open_memstream(&arguments, &size);

	seccomp_call_name((enum skep_seccomp_arch)seccomp_arch_of(&refusal->call), (uint32_t)refusal->call.nr, name,
			  sizeof(name));
	skep_seccomp_action_text(refusal->action, action, sizeof(action));
	name_place(refusal->thread, refusal->call.ip, place, sizeof(place));
	seccomp_find_frames(pid, refusal->thread, &frames);
	if (!*frames.caller && frames.address)
		name_place(refusal->thread, frames.address, frames.caller, sizeof(frames.caller));
	if (text) {
		say_arguments(text, refusal->thread, name, &refusal->call);
		fclose(text);
	}
	(json ? tell_json : tell_text)(out, pid, refusal, name, arguments ? arguments : "", action, place, &frames);
	fflush(out);
	free(arguments);
}
