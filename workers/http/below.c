/*
 * below.c - opens files in data_dir (contract in http.h). The kernel resolves the path below a
 * descriptor of that folder and follows no link, so nothing outside can be reached.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "http.h"

static int data_dir_fd = -1;

int
below_open(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

	if (data_dir_fd < 0) {
		data_dir_fd = open(http.limits.data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (data_dir_fd < 0)
			return -1;
	}
	return (int)syscall(SYS_openat2, data_dir_fd, path, &how, sizeof(how));
}

void
below_free(void)
{
	if (data_dir_fd >= 0)
		close(data_dir_fd);
	data_dir_fd = -1;
}
