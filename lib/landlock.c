/*
 * landlock.c - the few landlock(7) calls, made by hand since libc has no wrappers.
 *
 * Only file rights are handled: what ABI 1 (Linux 5.13) knows, plus refer and truncate
 * where the kernel has them. Called by an ingest after GRANT and by millrace-exec.
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_FILE \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define RIGHTS_ABI1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define RIGHTS_WRITE \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | \
	LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)

static uint64_t
handled_rights(int abi)
{
	uint64_t rights = RIGHTS_ABI1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return rights;
}

/* A file takes file rights only: the kernel refuses folder rights on it. */
static int
add_rule(int ruleset, const struct landlock_rule *r, uint64_t handled)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = RIGHTS_READ };
	struct stat st;
	int rc = -1, saved, fd = open(r->path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (r->write)
		attr.allowed_access |= RIGHTS_WRITE;
	if (r->exec)
		attr.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	if (fstat(fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			attr.allowed_access &= RIGHTS_FILE;
		attr.allowed_access &= handled;
		attr.parent_fd = fd;
		rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		    &attr, 0);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

int
landlock_restrict(const struct landlock_rule *rules)
{
	struct landlock_ruleset_attr attr;
	int abi = landlock_abi();
	int rc = -1, saved, ruleset;

	if (abi < 1)
		return 0;
	attr = (struct landlock_ruleset_attr){ .handled_access_fs = handled_rights(abi) };
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return -1;
	for (; rules->path; rules++)
		if (add_rule(ruleset, rules, attr.handled_access_fs) < 0)
			goto out;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		goto out;
	rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
out:
	saved = errno;
	close(ruleset);
	errno = saved;
	return rc;
}
