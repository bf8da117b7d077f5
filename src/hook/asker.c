/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asker.c - see asker.h.
 *
 * The kernel tells of each process its ids in all namespaces down to its own; the last is what
 * it calls itself.
 */
#include "hook/asker.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "hook/trace.h"

static bool has_asked(pid_t pid, const struct mail_message *message)
{
	struct mail_message copy;

	return trace_read(pid, message->self, &copy, sizeof(copy)) == 0 &&
	       memcmp(&copy, message, sizeof(copy)) == 0;
}

/* What the process or thread of a folder of /proc calls itself; 0: it has ended. */
static uint32_t own_id(const char *folder)
{
	char path[300], line[256], *last = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "%s/status", folder);
	file = fopen(path, "re");
	while (file && !last && fgets(line, sizeof(line), file))
		if (strncmp(line, "NSpid:", 6) == 0)
			last = strrchr(line, '\t');
	if (file)
		fclose(file);
	return last ? (uint32_t)strtoul(last, NULL, 10) : 0;
}

/* The entry of a folder of ids that calls itself so, and has asked (NULL: whoever). 0: none. */
static pid_t find_in(const char *folder, uint32_t id, const struct mail_message *message)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	pid_t found = 0;

	while (dir && !found && (entry = readdir(dir))) {
		pid_t at = (pid_t)atoi(entry->d_name);
		char path[280];

		if (at <= 0)
			continue;
		snprintf(path, sizeof(path), "%s/%d", folder, (int)at);
		if (own_id(path) == id && (!message || has_asked(at, message)))
			found = at;
	}
	if (dir)
		closedir(dir);
	return found;
}

bool asker_find(struct mail_message *message)
{
	char folder[64];
	pid_t pid = (pid_t)message->pid, tid = (pid_t)message->tid;

	snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
	if (own_id(folder) == message->pid && has_asked(pid, message))
		return true;
	pid = find_in("/proc", message->pid, message);
	if (pid == 0)
		return false;
	snprintf(folder, sizeof(folder), "/proc/%d/task", (int)pid);
	tid = find_in(folder, message->tid, NULL);
	message->pid = (uint32_t)pid;
	message->tid = (uint32_t)tid;
	return tid != 0;
}
