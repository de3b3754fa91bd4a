/* frames_find.c - see frames_find.h. Called by frames_session.c. A name is checked before it becomes part of a path. */
#include "frames_find.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 120
#define PATH_BYTES 700

/* MS of "CLIENT_MS.wav", -1: it is another's. */
static long long
time_of(const char *file, const char *client)
{
	size_t n = strlen(client), digits;

	if (strncmp(file, client, n) != 0 || file[n] != '_')
		return -1;
	digits = strspn(file + n + 1, "0123456789");
	if (digits == 0 || digits > 18 || strcmp(file + n + 1 + digits, ".wav") != 0)
		return -1;
	return strtoll(file + n + 1, NULL, 10);
}

int
frames_find_latest(const char *data_dir, const char *client, char out[FRAMES_FOUND_MAX])
{
	char path[PATH_BYTES];
	long long ms, best = -1;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/media/audio", data_dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		ms = time_of(e->d_name, client);
		if (ms > best) {
			best = ms;
			snprintf(out, FRAMES_FOUND_MAX, "media/audio/%.140s", e->d_name);
		}
	}
	if (d != NULL)
		closedir(d);
	return best < 0 ? -1 : 0;
}

int
frames_find_named(const char *data_dir, const char *name, size_t len, char out[FRAMES_FOUND_MAX])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *dot = strrchr(name, '.'), *folder;
	char path[PATH_BYTES];

	if (len == 0 || len > NAME_MAX_BYTES || name[0] == '.' || strspn(name, allowed) != len || dot == NULL)
		return -1;
	folder = strcmp(dot, ".wav") == 0 ? "audio" : strcmp(dot, ".mp4") == 0 ? "video" : NULL;
	if (folder == NULL)
		return -1;
	snprintf(out, FRAMES_FOUND_MAX, "media/%s/%s", folder, name);
	snprintf(path, sizeof(path), "%s/%s", data_dir, out);
	return access(path, R_OK);
}
