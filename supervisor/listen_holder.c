/*
 * listen_holder.c - who has the port that we wanted: /proc/net/tcp{,6} and udp{,6} give the
 * socket's inode and owner, /proc/PID/fd the process.
 *
 * Only for the error message at start or reload: it reads much and is never called while
 * all is well. Without root the descriptors of other users can't be read; then the owner
 * is named instead.
 */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/supervisor.h"

#define TCP_STATE_LISTEN 0x0a
#define UDP_STATE_BOUND 0x07

bool
listen_holder_line(const char *line, unsigned port, bool udp, unsigned long *inode, unsigned *uid)
{
	unsigned local_port, state;

	if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u %*s %lu",
	    &local_port, &state, uid, inode) != 4)
		return false;
	return state == (udp ? UDP_STATE_BOUND : TCP_STATE_LISTEN) && local_port == port;
}

static bool
find_socket(const char *table, unsigned port, bool udp, unsigned long *inode, unsigned *uid)
{
	FILE *f = fopen(table, "re");
	char line[512];
	bool found = false;

	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = listen_holder_line(line, port, udp, inode, uid);
	fclose(f);
	return found;
}

/* Does this process have the socket open? */
static bool
has_socket(const char *pid, const char *link_text)
{
	char dir[64], link[72 + NAME_MAX], target[64];
	struct dirent *e;
	bool found = false;
	ssize_t n;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%.20s/fd", pid);
	d = opendir(dir);
	if (d == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		snprintf(link, sizeof(link), "%s/%s", dir, e->d_name);
		n = readlink(link, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		found = strcmp(target, link_text) == 0;
	}
	closedir(d);
	return found;
}

static void
name_process(const char *pid, char *buf, size_t size)
{
	char path[64], comm[32] = "?";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	f = fopen(path, "re");
	if (f != NULL) {
		if (fgets(comm, sizeof(comm), f) != NULL)
			comm[strcspn(comm, "\n")] = '\0';
		fclose(f);
	}
	snprintf(buf, size, "%s (pid %.20s)", comm, pid);
}

static bool
find_process(unsigned long inode, char *buf, size_t size)
{
	char link_text[64];
	struct dirent *e;
	bool found = false;
	DIR *d = opendir("/proc");

	if (d == NULL)
		return false;
	snprintf(link_text, sizeof(link_text), "socket:[%lu]", inode);
	while (!found && (e = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]) || !has_socket(e->d_name, link_text))
			continue;
		name_process(e->d_name, buf, size);
		found = true;
	}
	closedir(d);
	return found;
}

const char *
listen_holder(const struct net_addr *addr, bool udp, char *buf, size_t size)
{
	unsigned port = net_port((const struct sockaddr *)&addr->ss), uid = 0;
	unsigned long inode = 0;

	buf[0] = '\0';
	if (!find_socket(udp ? "/proc/net/udp" : "/proc/net/tcp", port, udp, &inode, &uid) &&
	    !find_socket(udp ? "/proc/net/udp6" : "/proc/net/tcp6", port, udp, &inode, &uid))
		return buf;
	if (!find_process(inode, buf, size))
		snprintf(buf, size, "a process of uid %u", uid);
	return buf;
}
