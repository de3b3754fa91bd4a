/* fs.c - files and folders (contract in fs.h). Called by workers that make files to keep. */
#include "workers/common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define PATH_BYTES 1024

int
fs_make_dirs(const char *path, mode_t mode)
{
	char part[PATH_BYTES];

	if (strlen(path) >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (const char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
		str_copy(part, path, p != NULL ? (size_t)(p - path) + 1 : sizeof(part));
		if (mkdir(part, mode) == -1 && errno != EEXIST)
			return -1;
		if (p == NULL)
			return 0;
	}
}

int
fs_sync_dir_of(const char *path)
{
	char dir[PATH_BYTES], *slash;
	int fd, rc;

	str_copy(dir, path, sizeof(dir));
	slash = strrchr(dir, '/');
	if (slash == NULL) {
		errno = EINVAL;
		return -1;
	}
	*slash = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

int
fs_sync_rename(int fd, const char *from, const char *to)
{
	int rc = fd < 0 ? -1 : fsync(fd);

	if (rc == 0)
		rc = rename(from, to);
	if (rc == 0)
		rc = fs_sync_dir_of(to);
	rc = rc == 0 ? 0 : errno;
	if (fd >= 0)
		close(fd);
	return rc;
}
