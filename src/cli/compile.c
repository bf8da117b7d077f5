/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compile.c - a .bpf.c file into an object with clang, as a user would type it:
 * clang -O2 -g -target bpf. Clang's messages are the user's to read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/object.h"

static const char *target_arch(const char *machine)
{
	static const struct {
		const char *machine, *define;
	} archs[] = {
		{ "x86_64", "-D__TARGET_ARCH_x86" }, { "aarch64", "-D__TARGET_ARCH_arm64" },
		{ "riscv64", "-D__TARGET_ARCH_riscv" }, { "s390x", "-D__TARGET_ARCH_s390" },
		{ "ppc64le", "-D__TARGET_ARCH_powerpc" },
	};

	for (size_t i = 0; i < COUNT(archs); i++) {
		if (strcmp(archs[i].machine, machine) == 0)
			return archs[i].define;
	}
	return "-D__TARGET_ARCH_x86";
}

/* What a compilation needs, all in one temporary directory. */
struct job {
	const char *path;        /* of the source */
	char dir[256], object[300], header[300];
};

/* The compiler's own process; never returns. */
static void exec_clang(const struct job *job)
{
	const char *compiler = getenv("CLANG"), *slash = strrchr(job->path, '/');
	char multiarch[128], beside[4096], made[300];
	struct utsname host;

	uname(&host);
	snprintf(multiarch, sizeof(multiarch), "-I/usr/include/%s-linux-gnu", host.machine);
	snprintf(beside, sizeof(beside), "-I%.*s", slash ? (int)(slash - job->path) : 1,
		 slash ? job->path : ".");
	snprintf(made, sizeof(made), "-I%s", job->dir);
	compiler = compiler && *compiler ? compiler : "clang";
	execlp(compiler, compiler, "-O2", "-g", "-target", "bpf", target_arch(host.machine), beside,
	       made, multiarch, "-c", job->path, "-o", job->object, (char *)NULL);
	_exit(errno == ENOENT ? 127 : 126);
}

static int run_clang(const struct job *job, struct skep_diag *diag)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		exec_clang(job);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return skep_fail(diag, SKEP_IO, NULL, "cannot start clang: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		skep_report(diag, SKEP_COMPILE, NULL, "clang, which compiles '%s', is not installed",
			    job->path);
		skep_help(diag, "install it (apt-get install clang), set CLANG to where it is, or "
				"give an object that was compiled before");
		return -SKEP_COMPILE_ERRNO;
	}
	if (status)
		return skep_fail(diag, SKEP_COMPILE, NULL, "clang could not compile '%s'", job->path);
	return 0;
}

/* Does the source want a vmlinux.h that does not lie beside it? */
static bool wants_vmlinux(const struct job *job)
{
	const char *slash = strrchr(job->path, '/');
	char beside[4096], *text;
	size_t size;
	bool wanted;

	snprintf(beside, sizeof(beside), "%.*svmlinux.h",
		 slash ? (int)(slash - job->path) + 1 : 0, job->path);
	if (access(beside, R_OK) == 0)
		return false;
	text = slurp(job->path, &size, NULL);
	wanted = text && (strstr(text, "\"vmlinux.h\"") || strstr(text, "<vmlinux.h>"));
	free(text);
	return wanted;
}

/* vmlinux.h from the running kernel's types, as "bpftool btf dump" makes it. */
static int make_vmlinux(const struct job *job, struct skep_diag *diag)
{
	struct skep_btf *kernel = skep_btf_open_kernel(diag);
	struct skep_text text = { 0 };
	int error;

	if (!kernel) {
		skep_help(diag, "'%s' includes vmlinux.h: put one beside it, or run where the kernel "
				"shows its types", job->path);
		return -SKEP_COMPILE_ERRNO;
	}
	error = skep_btf_print_c(kernel, &text, diag);
	if (error == 0)
		error = spill(job->header, text.data, text.len, diag);
	free(text.data);
	skep_btf_unref(kernel);
	return error;
}

int compile_source(const char *path, void **image, size_t *size, struct skep_diag *diag)
{
	const char *temporary = getenv("TMPDIR");
	struct job job = { .path = path };
	int error = 0;

	temporary = temporary && *temporary ? temporary : "/tmp";

	if (access(path, R_OK) < 0)
		return skep_fail(diag, SKEP_IO, NULL, "cannot open '%s': %s", path,
				 strerror(errno));
	if ((size_t)snprintf(job.dir, sizeof(job.dir), "%s/skep-XXXXXX", temporary) >= sizeof(job.dir))
		return skep_fail(diag, SKEP_IO, NULL, "$TMPDIR is too long");
	if (!mkdtemp(job.dir))
		return skep_fail(diag, SKEP_IO, NULL, "cannot create a directory in '%s': %s", temporary,
				 strerror(errno));
	snprintf(job.object, sizeof(job.object), "%s/prog.o", job.dir);
	snprintf(job.header, sizeof(job.header), "%s/vmlinux.h", job.dir);
	if (wants_vmlinux(&job))
		error = make_vmlinux(&job, diag);
	if (error == 0)
		error = run_clang(&job, diag);
	if (error == 0) {
		*image = slurp(job.object, size, diag);
		error = *image ? 0 : -EIO;
	}
	unlink(job.object);
	unlink(job.header);
	rmdir(job.dir);
	return error;
}
