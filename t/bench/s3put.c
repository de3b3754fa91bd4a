/*
 * s3put.c - uploads one file with Millrace's upload engine, for the tests and `make bench`.
 *
 *   s3put [options] FILE OBJECT          the keys come from S3_KEY, S3_SECRET and S3_TOKEN
 *     -e URL    endpoint                  -b NAME  bucket              -r NAME  region (us-east-1)
 *     -d DIR    of checkpoints (.)        -p BYTES of a part (16 MiB)  -j N     parts at once (4)
 *     -w BYTES  a second, at most (0)     -m N     parts at most (1000)  -a N   attempts of a request (5)
 *     -t MS     without a byte (60000)    -i MS    first wait before a retry (200)
 *     -c        layout chunks             -H       bucket in the host's name   -C FILE  CA
 *     -s HEX    sha256 of the file
 *
 * SIGTERM stops it (resumable), SIGINT cancels it. At the end one line of JSON; exit status 0 done,
 * 1 later, 3 park, 4 failed, 5 stopped or cancelled, 2 usage.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/upload.h"

struct put {
	struct event_base *base;
	struct s3 *s3;
	struct upload *upload;
	struct board_s3 figures;
	int status;
};

/* getrusage() would tell the peak of whoever started us, if that was greater. */
static json_int_t
peak_rss_bytes(void)
{
	char *text = file_read("/proc/self/status", 65536, NULL), *at = text != NULL ? strstr(text, "VmHWM:") : NULL;
	json_int_t kib = at != NULL ? atoll(at + strlen("VmHWM:")) : 0;

	free(text);
	return kib * 1024;
}

static void
done_cb(const struct upload_result *r, void *ctx)
{
	static const char *const names[] = { "done", "later", "park", "failed" };
	static const int statuses[] = { 0, 1, 3, 4 };
	struct put *p = ctx;
	json_t *line;

	line = json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:I, s:I}", "end", names[r->end], "error", r->error, "etag", r->etag,
	    "size", (json_int_t)r->size, "parts", r->parts, "resumed", r->resumed_parts, "sent",
	    (json_int_t)p->figures.sent_bytes, "rss", peak_rss_bytes());
	json_dumpf(line, stdout, 0);
	putchar('\n');
	json_decref(line);
	p->upload = NULL;
	p->status = statuses[r->end];
	event_base_loopbreak(p->base);
}

static void
stop_cb(evutil_socket_t sig, short what, void *ctx)
{
	struct put *p = ctx;

	p->status = 5;
	if (sig == SIGTERM)
		upload_stop(&p->upload);
	else
		upload_cancel(&p->upload);
	event_base_loopexit(p->base, &(struct timeval){ sig == SIGTERM ? 0 : 2, 0 });
}

static void
options(int argc, char **argv, struct s3_conf *c, struct upload_params *u)
{
	int o;

	while ((o = getopt(argc, argv, "e:b:r:d:p:j:w:m:a:t:i:cHC:s:")) != -1) {
		switch (o) {
		case 'e': c->endpoint = optarg; break;
		case 'b': c->bucket = optarg; break;
		case 'r': c->region = optarg; break;
		case 'd': u->dir = optarg; break;
		case 'p': u->part_size = atoll(optarg); break;
		case 'j': u->concurrency = atoi(optarg); break;
		case 'w': c->bandwidth = atoll(optarg); break;
		case 'm': u->max_parts = atoi(optarg); break;
		case 'a': u->attempts = atoi(optarg); break;
		case 't': c->timeout_ms = c->connect_timeout_ms = atoll(optarg); break;
		case 'i': u->retry_min_ms = atoll(optarg); break;
		case 'c': u->layout = UPLOAD_CHUNKS; break;
		case 'H': c->path_style = false; break;
		case 'C': c->ca_file = optarg; break;
		case 's': u->sha256 = optarg; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2 || c->endpoint == NULL || c->bucket == NULL) {
		fprintf(stderr, "usage: s3put -e URL -b BUCKET [options] FILE OBJECT\n");
		exit(2);
	}
}

static const char *
env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL ? s : "";
}

static void
run(struct put *p, const struct s3_conf *conf, const struct upload_params *u)
{
	struct event *term, *intr;
	const char *why;

	p->base = event_base_new();
	p->s3 = s3_new(p->base, conf, &why);
	if (p->s3 == NULL)
		fatalx("%s", why);
	term = evsignal_new(p->base, SIGTERM, stop_cb, p);
	intr = evsignal_new(p->base, SIGINT, stop_cb, p);
	event_add(term, NULL);
	event_add(intr, NULL);
	p->upload = upload_start(p->base, p->s3, u, NULL, done_cb, p);
	event_base_dispatch(p->base);
	event_free(term);
	event_free(intr);
	upload_stop(&p->upload);
	upload_orphans_stop();
	s3_free(&p->s3);
	event_base_free(p->base);
}

int
main(int argc, char **argv)
{
	struct s3_conf conf = { .region = "us-east-1", .access_key = env("S3_KEY"), .secret_key = env("S3_SECRET"),
		.session_token = env("S3_TOKEN"), .ca_file = "", .path_style = true, .connect_timeout_ms = 10000,
		.timeout_ms = 60000 };
	struct upload_params u = { .dir = ".", .sha256 = "", .content_type = "application/octet-stream",
		.part_size = 16 << 20, .max_parts = 1000, .concurrency = 4, .attempts = 5, .restarts = 5,
		.retry_min_ms = 200, .retry_max_ms = 5000 };
	char path[4096], id[S3_SHA256_HEX];
	struct put p = { .status = 1 };

	log_init("s3put");
	conf.figures = &p.figures;
	options(argc, argv, &conf, &u);
	if (realpath(argv[optind], path) == NULL)
		str_copy(path, argv[optind], sizeof path);
	s3_sha256_hex(path, strlen(path), id);
	id[32] = '\0';
	u.path = path;
	u.object = argv[optind + 1];
	u.file_id = id;
	run(&p, &conf, &u);
	return p.status;
}
