/*
 * board.c - run/board and the children's pages (contract in board.h).
 *
 * Writers are single (the supervisor for the file, a child for its page), readers any
 * number and only copy: a slot whose sequence was odd or moved is read again, a bounded
 * number of times, since its writer may have died in the middle.
 *
 * The figures of /proc stand here, too, since whoever reads a slot wants them beside it.
 */
#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define READ_TRIES 300
#define BOARD_BYTES (sizeof(struct board_header) + BOARD_PROCS * sizeof(struct board_proc) + \
	BOARD_STREAMS * sizeof(struct board_stream))

_Static_assert(sizeof(struct board_page) <= BOARD_PAGE_BYTES, "a page must hold struct board_page");

struct board {
	uint8_t *map;
};

void
board_begin(uint32_t *seq)
{
	atomic_fetch_add_explicit((_Atomic uint32_t *)seq, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void
board_end(uint32_t *seq)
{
	atomic_fetch_add_explicit((_Atomic uint32_t *)seq, 1, memory_order_release);
}

/* Copies size bytes at src whose sequence lies at seq; the copy's torn states are retried. */
static int
copy_stable(const uint32_t *seq, const void *src, void *dst, size_t size)
{
	const _Atomic uint32_t *s = (const _Atomic uint32_t *)seq;
	uint32_t before;

	for (int i = 0; i < READ_TRIES; i++) {
		before = atomic_load_explicit(s, memory_order_acquire);
		if (before & 1) {
			/* A writer that lost its CPU in the middle needs ours to go on. */
			sched_yield();
			continue;
		}
		memcpy(dst, src, size);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(s, memory_order_relaxed) == before)
			return 0;
	}
	errno = EAGAIN;
	return -1;
}

static struct board *
map_new(int fd, int prot)
{
	void *map = mmap(NULL, BOARD_BYTES, prot, MAP_SHARED, fd, 0);
	struct board *b;

	if (map == MAP_FAILED)
		return NULL;
	b = xmalloc(sizeof(*b));
	b->map = map;
	return b;
}

struct board *
board_create(const char *path)
{
	char tmp[4096];
	struct board *b = NULL;
	struct board_header *h;
	int fd, rc, saved;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return NULL;
	rc = posix_fallocate(fd, 0, BOARD_BYTES);
	if (rc == 0)
		b = map_new(fd, PROT_READ | PROT_WRITE);
	else
		errno = rc;
	close(fd);
	if (b == NULL) {
		saved = errno;
		unlink(tmp);
		errno = saved;
		return NULL;
	}
	h = board_header(b);
	h->version = BOARD_VERSION;
	h->header_bytes = sizeof(struct board_header);
	h->proc_bytes = sizeof(struct board_proc);
	h->stream_bytes = sizeof(struct board_stream);
	h->procs = BOARD_PROCS;
	h->streams = BOARD_STREAMS;
	memcpy(h->magic, "MRBOARD", 8);
	if (rename(tmp, path) < 0)
		board_close(&b);
	return b;
}

struct board *
board_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct board_header *h;
	struct board *b = NULL;
	struct stat st;
	int saved;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && (size_t)st.st_size == BOARD_BYTES)
		b = map_new(fd, PROT_READ);
	else
		errno = EPROTO;
	saved = errno;
	close(fd);
	errno = saved;
	if (b == NULL)
		return NULL;
	h = board_header(b);
	if (memcmp(h->magic, "MRBOARD", 8) != 0 || h->version != BOARD_VERSION ||
	    h->header_bytes != sizeof(struct board_header) || h->proc_bytes != sizeof(struct board_proc) ||
	    h->stream_bytes != sizeof(struct board_stream)) {
		board_close(&b);
		errno = EPROTO;
	}
	return b;
}

void
board_close(struct board **b)
{
	if (*b == NULL)
		return;
	munmap((*b)->map, BOARD_BYTES);
	free(*b);
	*b = NULL;
}

struct board_header *
board_header(struct board *b)
{
	return (struct board_header *)(void *)b->map;
}

struct board_proc *
board_proc(struct board *b, unsigned i)
{
	return (struct board_proc *)(void *)(b->map + sizeof(struct board_header)) + i;
}

struct board_stream *
board_stream(struct board *b, unsigned i)
{
	return (struct board_stream *)(void *)(b->map + sizeof(struct board_header) +
	    BOARD_PROCS * sizeof(struct board_proc)) + i;
}

int
board_read_header(struct board *b, struct board_header *out)
{
	struct board_header *h = board_header(b);

	return copy_stable(&h->seq, h, out, sizeof(*out));
}

int
board_read_proc(struct board *b, unsigned i, struct board_proc *out)
{
	struct board_proc *p = board_proc(b, i);

	if (p->pid == 0 && p->state[0] == '\0')
		return -1;
	if (copy_stable(&p->seq, p, out, sizeof(*out)) < 0)
		return -1;
	return out->pid == 0 && out->state[0] == '\0' ? -1 : 0;
}

int
board_read_stream(struct board *b, unsigned i, struct board_stream *out)
{
	struct board_stream *s = board_stream(b, i);

	if (s->state == BOARD_STREAM_FREE || copy_stable(&s->seq, s, out, sizeof(*out)) < 0)
		return -1;
	return out->state == BOARD_STREAM_FREE ? -1 : 0;
}

int
board_read_page(const struct board_page *p, struct board_page *out)
{
	if (copy_stable(&p->seq, p, out, sizeof(*out)) < 0)
		return -1;
	/* a child wrote these: nothing behind them may be run over */
	out->stream[sizeof(out->stream) - 1] = '\0';
	out->state[sizeof(out->state) - 1] = '\0';
	out->last_words[sizeof(out->last_words) - 1] = '\0';
	return 0;
}

int
board_page_create(struct board_page **map)
{
	int fd = memfd_create("millrace-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	if (fd < 0)
		return -1;
	if (ftruncate(fd, BOARD_PAGE_BYTES) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
	    (p = mmap(NULL, BOARD_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED) {
		close(fd);
		return -1;
	}
	*map = p;
	(*map)->version = BOARD_VERSION;
	return fd;
}

void
board_page_unmap(struct board_page **map)
{
	if (*map != NULL)
		munmap(*map, BOARD_PAGE_BYTES);
	*map = NULL;
}

bool
board_pause_is_space(int error)
{
	return error == 0 || error == ENOSPC || error == EDQUOT;
}

const char *
board_pause_reason(int error)
{
	return board_pause_is_space(error) ? "no space" : strerror(error);
}

const char *
board_stream_state_name(unsigned state)
{
	static const char *const names[] = { "free", "starting", "live", "reconnecting", "finishing" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

const char *
board_codec_name(unsigned codec)
{
	static const char *const names[] = { "", "h264", "hevc", "av1", "vp9", "aac", "opus", "mp3", "other" };

	return codec < sizeof(names) / sizeof(names[0]) ? names[codec] : "other";
}

const char *
board_way_name(unsigned way)
{
	static const char *const names[] = { "", "waits", "copy", "transcode", "refused" };

	return way < sizeof(names) / sizeof(names[0]) ? names[way] : "";
}

const char *
board_refusal_name(unsigned reason)
{
	static const char *const names[BOARD_REFUSALS] = { "other", "key", "signature", "expired",
		"pattern", "duplicate", "elsewhere", "redis", "busy", "media", "protocol", "timeout",
		"limit", "stopping", "space" };

	return reason < BOARD_REFUSALS ? names[reason] : "other";
}

/* From a small part to a wide-area network at its worst. */
static const int latency_ms[BOARD_LATENCY_BUCKETS - 1] = { 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000,
	300000 };

int
board_latency_bound_ms(unsigned bucket)
{
	return bucket < BOARD_LATENCY_BUCKETS - 1 ? latency_ms[bucket] : -1;
}

void
board_latency_add(struct board_latency *l, int64_t ms)
{
	unsigned i = 0;

	while (i < BOARD_LATENCY_BUCKETS - 1 && ms > latency_ms[i])
		i++;
	l->count[i]++;
	l->sum_ms += ms > 0 ? (uint64_t)ms : 0;
}

const char *
board_output_name(const struct board_output *o, char buf[BOARD_OUTPUT_NAME])
{
	snprintf(buf, BOARD_OUTPUT_NAME, "%s%s%s", o->kind, o->id[0] != '\0' ? " " : "", o->id);
	return buf;
}

/* The fields of /proc/PID/stat from the third on; 0 or -1 if it is gone. */
static int
stat_read(int pid, long long f[52])
{
	char path[64], *text, *p, *end;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = file_read(path, 4096, NULL);
	if (text == NULL)
		return -1;
	p = strrchr(text, ')');
	if (p == NULL || strlen(p) < 4) {
		free(text);
		return -1;
	}
	memset(f, 0, 52 * sizeof(*f));
	for (p += 3, n = 4; n < 52 && *p != '\0'; n++, p = end) {	/* field 3 is a letter */
		f[n - 1] = strtoll(p, &end, 10);
		if (end == p)
			break;
	}
	free(text);
	return 0;
}

uint64_t
board_start_ticks(int pid)
{
	long long f[52];

	return stat_read(pid, f) < 0 ? 0 : (uint64_t)f[21];
}

int
board_proc_usage(int pid, uint64_t start_ticks, int64_t *rss_bytes, int64_t *cpu_ms)
{
	long hz = sysconf(_SC_CLK_TCK);
	long long f[52];

	if (pid <= 0 || stat_read(pid, f) < 0)
		return -1;
	if (start_ticks != 0 && (uint64_t)f[21] != start_ticks)
		return -1;
	*rss_bytes = f[23] * sysconf(_SC_PAGESIZE);
	*cpu_ms = (f[13] + f[14]) * 1000 / hz;
	return 0;
}
