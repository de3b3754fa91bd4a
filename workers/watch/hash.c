/*
 * hash.c - the SHA-256 of a whole file, on a thread, one file at a time; before it the
 * question whether somebody writes the file, after it whether it has changed meanwhile.
 *
 * A read lease is refused while anybody has the file open for writing (fcntl(2)). Of another
 * user's file none is given: then one that was seen being written and not closed since
 * (notify.c) waits until nothing has changed for watch_unclosed. Else (found by a scan, a
 * network file system) the quiet time has decided. A lease is given back at once: who opens the
 * file waits for it. Queued by tell.c, which goes on with the result.
 */
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "log.h"
#include "util.h"
#include "slow.h"
#include "workers/watch/watch.h"

#define SLICE (1 << 20)

enum result { HASH_DONE, HASH_WRITTEN, HASH_UNCLOSED, HASH_CHANGED, HASH_STOPPED, HASH_ERROR };

static struct {
	struct slow *thread;
	struct file *f;
	/* the thread's: */
	const char *dir, *rel;
	struct settle_id id;
	bool stop, unclosed;
	int error;
	struct sha256_ctx sha;
} ha;

/* HASH_DONE: nobody writes it, as far as can be known. */
static enum result
look_for_writer(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == -1)
		return errno == EAGAIN ? HASH_WRITTEN : errno == EACCES && ha.unclosed ? HASH_UNCLOSED : HASH_DONE;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return HASH_DONE;
}

static bool
is_same(int fd)
{
	struct settle_id id;
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return false;
	id = settle_id_of(&st);
	return settle_same(&id, &ha.id);
}

static enum result
read_all(int fd)
{
	uint8_t *buf = xmalloc(SLICE);
	ssize_t n = 1;

	sha256_init(&ha.sha);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (n > 0 && !__atomic_load_n(&ha.stop, __ATOMIC_RELAXED)) {
		n = read(fd, buf, SLICE);
		if (n > 0)
			sha256_update(&ha.sha, (size_t)n, buf);
	}
	ha.error = errno;
	free(buf);
	return n == -1 ? HASH_ERROR : n > 0 ? HASH_STOPPED : is_same(fd) ? HASH_DONE : HASH_CHANGED;
}

static int
work(void *ctx)
{
	int fd = folder_open(ha.dir, ha.rel, O_RDONLY);
	enum result r;

	if (fd == -1) {
		ha.error = errno;
		/* A link now, or no more: check.c says. */
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? HASH_CHANGED : HASH_ERROR;
	}
	r = is_same(fd) ? look_for_writer(fd) : HASH_CHANGED;
	if (r == HASH_DONE)
		r = read_all(fd);
	close(fd);
	return r;
}

static void
take_digest(struct file *f)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char path[WATCH_PATH];

	sha256_digest(&ha.sha, sizeof digest, digest);
	hex_format(f->sha256, digest, sizeof digest);
	f->hashed = ha.id;
	wa.hashed_bytes += (uint64_t)ha.id.size;
	files_log_path(f, path);
	log_info("complete: size=%lld sha256=%s file=%s", (long long)ha.id.size, f->sha256, path);
	files_state(f, FILE_READY);
}

static void
not_done(struct file *f, enum result r)
{
	int64_t now = now_ms(), due;
	char path[WATCH_PATH];

	files_log_path(f, path);
	files_state(f, FILE_SETTLING);
	switch (r) {
	case HASH_WRITTEN:
		if (!f->said)
			log_info("somebody still writes it, looked at again when it is closed: file=%s", path);
		f->said = true;
		settle_written(&f->settle, now);
		check_at(f, settle_due(&f->settle, wa.quiet_ms));
		break;
	case HASH_UNCLOSED:
		if (!f->said)
			log_info("its writer, another account, has not closed it: taken when he does, or when it "
			    "has not changed for %.0f s (watch_unclosed): file=%s",
			    (double)wa.unclosed_ms / 1000, path);
		f->said = true;
		due = settle_due(&f->settle, wa.unclosed_ms);
		check_at(f, due < now + wa.rescan_ms ? due : now + wa.rescan_ms);
		break;
	case HASH_ERROR:
		errno = ha.error;
		if (!f->said)
			log_warn("cannot be read, tried again every %.0f s: file=%s",
			    (double)wa.rescan_ms / 1000, path);
		f->said = true;
		check_at(f, now + wa.rescan_ms);
		break;
	default:
		log_debug("changed while it was read, once more: file=%s", path);
		check_at(f, now);
	}
}

static void
done_cb(int rc, void *ctx)
{
	struct file *f = ha.f;

	ha.thread = NULL;
	ha.f = NULL;
	if (!files_overtaken(f)) {
		if (rc == HASH_DONE)
			take_digest(f);
		else
			not_done(f, (enum result)rc);
	}
	hash_pump();
	tell_pump();
	watch_idle();
}

/* A link that is made to a whole file is created, too, but never written: only an empty one is waited for. */
static bool
is_unclosed(const struct file *f)
{
	return (f->unclosed & IN_MODIFY || (f->unclosed & IN_CREATE && f->settle.id.size == 0)) &&
	    !settle_is_quiet(&f->settle, now_ms(), wa.unclosed_ms);
}

void
hash_pump(void)
{
	struct file *f = files_first(FILE_TO_HASH);

	if (ha.thread != NULL || f == NULL || wa.stopping || wa.reloading)
		return;
	files_state(f, FILE_HASHING);
	ha.f = f;
	ha.dir = f->folder->dir;
	ha.rel = f->rel;
	ha.id = f->settle.id;
	ha.unclosed = is_unclosed(f);
	ha.stop = false;
	ha.thread = slow_run(wa.svc->base, work, done_cb, NULL);
	if (ha.thread != NULL)
		return;
	log_warn("no thread to hash with, tried again");
	ha.f = NULL;
	files_state(f, FILE_SETTLING);
	check_at(f, now_ms() + wa.quiet_ms);
}

void
hash_stop(void)
{
	__atomic_store_n(&ha.stop, true, __ATOMIC_RELAXED);
}

bool
hash_is_idle(void)
{
	return ha.thread == NULL;
}
