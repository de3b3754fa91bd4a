/*
 * rights.c - who we are and what is ours: chooses the user, takes run_dir and data_dir
 * (refusing symlinks and foreign owners), locks them against a second instance, drops
 * root's rights for good and checks that they are gone.
 *
 * Runs at start only, in the order of its functions, with listen.c's binding between lock
 * and drop. Everything that millraced starts inherits what is left here.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define LOCK_PAUSES 50		/* 5 s in all */
#define LOCK_PAUSE_NS 100000000

const char *const rights_inner[] = { "hls", "rec", "recordings", "media", "media/video", "media/audio", "media/temp",
	"upload", "spool", "redis", NULL };

static struct { uid_t uid; gid_t gid; char name[64]; bool drop; } who;
static int data_lock = -1, run_lock = -1;

int
rights_choose(void)
{
	const char *user = conf_str(sv.conf, "user");
	struct passwd *pw;
	bool named = user[0] != '\0';

	who.uid = geteuid();
	who.gid = getegid();
	str_copy(who.name, "the user that started it", sizeof(who.name));
	if (who.uid != 0 && !named)
		return 0;
	pw = getpwnam(named ? user : RIGHTS_ACCOUNT);
	if (pw == NULL && named) {
		log_errorx("user: there is no account \"%s\"", user);
		return -1;
	}
	if (who.uid != 0) {
		if (pw->pw_uid != who.uid)
			report_note("user: is ignored, only root can become somebody else");
		return 0;
	}
	if (pw == NULL)
		report_note("running as root: make an account named millrace, or name one in the config (user: NAME)");
	if (pw == NULL || pw->pw_uid == 0)
		return 0;
	who.uid = pw->pw_uid;
	who.gid = pw->pw_gid;
	who.drop = true;
	str_copy(who.name, pw->pw_name, sizeof(who.name));
	return 0;
}

/* mkdir -p of all but the last part. */
static int
make_parents(const char *path)
{
	char part[512];
	size_t i;

	if (str_copy(part, path, sizeof(part)) >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (i = 1; part[i] != '\0'; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0755) == -1 && errno != EEXIST)
			return -1;
		part[i] = '/';
	}
	return 0;
}

/* Ours or about to be ours: the directory behind fd is given to the chosen user. */
static int
take_dir(int fd, const char *key, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_uid != who.uid && st.st_uid != geteuid()) {
		log_errorx("%s: %s belongs to uid %u, not to %s: give it away (chown) or choose another",
		    key, path, (unsigned)st.st_uid, who.name);
		return -1;
	}
	if (st.st_uid != who.uid && fchown(fd, who.uid, who.gid) == -1) {
		log_error("%s: cannot give %s to %s", key, path, who.name);
		return -1;
	}
	if ((st.st_mode & 0027) != 0 && fchmod(fd, (st.st_mode & 0750) | 0700) == -1)
		log_warn("%s: cannot close %s to others", key, path);
	return 0;
}

static int
top_dir(const char *key)
{
	const char *path = conf_str(sv.conf, key);
	int fd, rc;

	if (path[0] != '/') {
		log_errorx("%s: \"%s\" must be an absolute path", key, path);
		return -1;
	}
	if (make_parents(path) == -1 || (mkdir(path, 0750) == -1 && errno != EEXIST)) {
		log_error("%s: cannot make %s", key, path);
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1) {
		if (errno == ENOTDIR || errno == ELOOP)
			log_errorx("%s: %s is a symlink or no directory; name the real one", key, path);
		else
			log_error("%s: cannot open %s", key, path);
		return -1;
	}
	rc = take_dir(fd, key, path);
	close(fd);
	return rc;
}

int
rights_top_dirs(void)
{
	return top_dir("run_dir") == -1 || top_dir("data_dir") == -1 ? -1 : 0;
}

/* The CLI as it can be called: beside us in a build, else in PATH. */
static void
cli_path(char buf[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);

	/* build/millraced, build/millrace */
	if (n > 1 && buf[n - 1] == 'd') {
		buf[n - 1] = '\0';
		if (access(buf, X_OK) == 0)
			return;
	}
	str_copy(buf, "millrace", PATH_MAX);
}

static void
runs_already(const char *key, const char *pid)
{
	char path[512], cli[PATH_MAX], *other = NULL;

	log_errorx("already running, pid %s: it has %s %s", pid[0] != '\0' ? pid : "unknown", key,
	    conf_str(sv.conf, key));
	if (path_join(path, sizeof(path), conf_str(sv.conf, "run_dir"), "millrace.pid") == 0)
		other = file_read(path, 64, NULL);
	cli_path(cli);
	if (other != NULL && pid[0] != '\0' && atoi(other) == atoi(pid))
		log_errorx("see it: %s -c %s status; end it: %s -c %s stop", cli, sv.conf_path, cli, sv.conf_path);
	else if (pid[0] != '\0')
		log_errorx("it has another run_dir, so another configuration; kill %s ends it", pid);
	free(other);
}

/*
 * 0, or -1 and whose it is. A child that a killed millraced was about to start has its descriptors
 * until it has become another program: that is waited for.
 */
static int
lock(int fd, char pid[16])
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	ssize_t n;

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) == -1; i++) {
		n = pread(fd, pid, 15, 0);
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		if (i >= LOCK_PAUSES || atoi(pid) <= 0 || kill(atoi(pid), 0) == 0 || errno != ESRCH)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* An flock'd descriptor, or -1 after a message. */
static int
lock_file(const char *key, const char *name)
{
	char path[512], pid[16] = "";
	int fd = -1;

	if (path_join(path, sizeof(path), conf_str(sv.conf, key), name) == 0)
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1) {
		log_error("cannot open %s", path);
		return -1;
	}
	if (lock(fd, pid) == -1) {
		runs_already(key, pid);
		close(fd);
		return -1;
	}
	if (who.drop && fchown(fd, who.uid, who.gid) == -1)
		log_warn("cannot give %s to %s", path, who.name);
	return fd;
}

int
rights_lock(void)
{
	data_lock = lock_file("data_dir", "lock");
	if (data_lock == -1)
		return -1;
	run_lock = lock_file("run_dir", "millrace.pid");
	return run_lock == -1 ? -1 : 0;
}

static int
write_pid(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) == -1 || pwrite(fd, text, (size_t)n, 0) != n) {
		log_error("cannot write our pid");
		return -1;
	}
	return 0;
}

int
rights_pid_files(void)
{
	return write_pid(data_lock) == -1 || write_pid(run_lock) == -1 ? -1 : 0;
}

void
rights_unlock(void)
{
	char path[512];

	if (run_lock != -1 &&
	    path_join(path, sizeof(path), conf_str(sv.conf, "run_dir"), "millrace.pid") == 0)
		unlink(path);
	if (data_lock != -1 && ftruncate(data_lock, 0) == -1)
		log_debug("the lock keeps our pid");
	if (run_lock != -1)
		close(run_lock);
	if (data_lock != -1)
		close(data_lock);
	run_lock = data_lock = -1;
}

/*
 * As the user that we shall be, whose directory it mostly is: what that user has put there
 * (a link to somewhere) must not be opened with root's rights. Where only root may make files
 * it is made by root, and given away if it is a plain file.
 */
static int
open_log(const char *path)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	struct stat st;
	int fd = -1, saved;

	if (!who.drop)
		return open(path, flags, 0640);
	if (setegid(who.gid) == 0 && seteuid(who.uid) == 0)
		fd = open(path, flags, 0640);
	saved = errno;
	if (seteuid(0) == -1 || setegid(0) == -1)
		fatal("cannot be root again");
	errno = saved;
	if (fd != -1 || errno != EACCES)
		return fd;
	fd = open(path, flags | O_NOFOLLOW, 0640);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    fchown(fd, who.uid, who.gid) == -1)
		log_warn("%s cannot be given to %s", path, who.name);
	return fd;
}

int
rights_open_log(const char *path)
{
	int fd = open_log(path);

	if (fd == -1 || dup2(fd, STDERR_FILENO) == -1)
		return -1;
	return close(fd);
}

int
rights_drop(void)
{
	uid_t r, e, s;

	if (!who.drop)
		return 0;
	if (initgroups(who.name, who.gid) == -1 || setresgid(who.gid, who.gid, who.gid) == -1 ||
	    setresuid(who.uid, who.uid, who.uid) == -1) {
		log_error("cannot become %s", who.name);
		return -1;
	}
	if (getresuid(&r, &e, &s) == -1 || r != who.uid || e != who.uid || s != who.uid ||
	    setresuid(0, 0, 0) != -1) {
		log_errorx("root's rights did not go away");
		return -1;
	}
	return 0;
}

static int
host_id(const char *data_dir)
{
	unsigned char raw[16];
	char path[512], *text;
	size_t len = 0;

	if (path_join(path, sizeof(path), data_dir, "host_id") == -1)
		return -1;
	text = file_read(path, 64, &len);
	if (text != NULL && len >= 32 && strspn(text, "0123456789abcdef") == 32) {
		text[32] = '\0';
		str_copy(sv.host_id, text, sizeof(sv.host_id));
		free(text);
		return 0;
	}
	if (text != NULL)
		log_warnx("%s was damaged: this host gets a new id", path);
	free(text);
	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return -1;
	hex_format(sv.host_id, raw, sizeof(raw));
	return file_replace(path, sv.host_id, 32);
}

int
rights_inner_dirs(void)
{
	const char *data_dir = conf_str(sv.conf, "data_dir"), *host = conf_str(sv.conf, "host.name");
	char path[512];
	size_t i;

	for (i = 0; rights_inner[i] != NULL; i++)
		if (path_join(path, sizeof(path), data_dir, rights_inner[i]) == -1 ||
		    dir_ensure(path, 0750) == -1) {
			log_error("%s/%s must be a directory of %s (chown -R %s %s)", data_dir, rights_inner[i],
			    who.name, who.drop ? who.name : "\"$USER\"", data_dir);
			return -1;
		}
	if (host_id(data_dir) == -1) {
		log_error("cannot keep %s/host_id", data_dir);
		return -1;
	}
	if (host[0] != '\0')
		str_copy(sv.host, host, sizeof(sv.host));
	else if (gethostname(sv.host, sizeof(sv.host) - 1) == -1)
		str_copy(sv.host, "localhost", sizeof(sv.host));
	return 0;
}
