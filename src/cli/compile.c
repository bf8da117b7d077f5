/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compile.c - a .bpf.c file into an object with clang, as a user would type it:
 * clang -O2 -g -target bpf. Clang's messages are the user's to read.
 */
#include <fcntl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The compiler's own process; never returns. */
static void exec_clang(const char *path, const char *object)
{
	const char *compiler = getenv("CLANG"), *slash = strrchr(path, '/');
	char multiarch[128], beside[4096];
	struct utsname host;

	uname(&host);
	snprintf(multiarch, sizeof(multiarch), "-I/usr/include/%s-linux-gnu", host.machine);
	snprintf(beside, sizeof(beside), "-I%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	compiler = compiler && *compiler ? compiler : "clang";
	execlp(compiler, compiler, "-O2", "-g", "-target", "bpf", target_arch(host.machine), beside,
	       multiarch, "-c", path, "-o", object, (char *)NULL);
	_exit(errno == ENOENT ? 127 : 126);
}

static int run_clang(const char *path, const char *object, struct skep_diag *diag)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		exec_clang(path, object);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return skep_fail(diag, SKEP_IO, NULL, "cannot start clang: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		skep_report(diag, SKEP_COMPILE, NULL, "clang, which compiles '%s', is not installed",
			    path);
		skep_help(diag, "install it (apt-get install clang), set CLANG to where it is, or "
				"give an object that was compiled before");
		return -SKEP_COMPILE_ERRNO;
	}
	if (status)
		return skep_fail(diag, SKEP_COMPILE, NULL, "clang could not compile '%s'", path);
	return 0;
}

int compile_source(const char *path, void **image, size_t *size, struct skep_diag *diag)
{
	char object[] = "/tmp/skep-XXXXXX";
	int fd, error;

	if (access(path, R_OK) < 0)
		return skep_fail(diag, SKEP_IO, NULL, "cannot open '%s': %s", path,
				 strerror(errno));
	fd = mkostemp(object, O_CLOEXEC);
	if (fd < 0)
		return skep_fail(diag, SKEP_IO, NULL, "cannot create a file in /tmp: %s",
				 strerror(errno));
	close(fd);
	error = run_clang(path, object, diag);
	if (error == 0) {
		*image = slurp(object, size, diag);
		error = *image ? 0 : -EIO;
	}
	unlink(object);
	return error;
}
