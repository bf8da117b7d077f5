/* SPDX-License-Identifier: BSD-2-Clause */
/* Files opened by a process and by its vforked child, which executes a program. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int opened = 0, status;
	pid_t child;

	for (int i = 0; i < 50; i++) {
		int fd = open("/etc/hostname", O_RDONLY);

		opened += fd >= 0;
		if (fd >= 0)
			close(fd);
		open("/nothing/here", O_RDONLY);
	}
	child = vfork();
	if (child == 0) {
		execl("/bin/echo", "echo", "child", (char *)0);
		_exit(1);
	}
	waitpid(child, &status, 0);
	printf("%d %d\n", opened, status);
	return 6;
}
