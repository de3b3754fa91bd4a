/*
 * upload_conn.c - what storage.s3 says, for those who open a bucket (contract in upload_conn.h).
 * Keeps but the figures. Called by bucket.c, sweep_stale.c and upload_kind.c.
 */
#include "workers/jobs/upload_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "board.h"
#include "conf.h"
#include "log.h"

#define PATH_BYTES 700

static struct board_s3 figures;

struct board_s3 *
upload_conn_figures(void)
{
	return &figures;
}

/* run_dir/bandwidth, s3_rate.h: one of all workers of the host. NULL + errno. */
static int64_t *
shared_bandwidth(const json_t *c)
{
	static int64_t *shared;
	char path[PATH_BYTES];
	void *map = MAP_FAILED;
	int fd;

	if (shared != NULL)
		return shared;
	snprintf(path, sizeof(path), "%s/bandwidth", conf_str(c, "run_dir"));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return NULL;
	errno = posix_fallocate(fd, 0, sizeof(*shared));
	if (errno == 0)
		map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	shared = map != MAP_FAILED ? map : NULL;
	return shared;
}

struct s3 *
upload_connect(const struct svc *svc, const char *bucket, const char **why)
{
	const json_t *c = svc->conf;
	struct s3_conf conf = {
		.endpoint = conf_str(c, "storage.s3.endpoint"), .region = conf_str(c, "storage.s3.region"),
		.bucket = bucket[0] != '\0' ? bucket : conf_str(c, "storage.s3.bucket"),
		.access_key = conf_str(c, "storage.s3.access_key"),
		.secret_key = conf_str(c, "storage.s3.secret_key"),
		.session_token = conf_str(c, "storage.s3.session_token"), .ca_file = conf_str(c, "storage.s3.ca_file"),
		.path_style = conf_bool(c, "storage.s3.path_style"),
		.connect_timeout_ms = conf_int(c, "storage.s3.connect_timeout"),
		.timeout_ms = conf_int(c, "storage.s3.timeout"),
		.bandwidth = conf_int(c, "storage.s3.bandwidth"), .figures = &figures,
	};

	if (conf.endpoint[0] == '\0' || conf.bucket[0] == '\0') {
		*why = "storage.s3.endpoint and storage.s3.bucket are not set";
		return NULL;
	}
	if (conf.bandwidth > 0 && (conf.bandwidth_shared = shared_bandwidth(c)) == NULL) {
		log_warn("run_dir/bandwidth");
		*why = "run_dir/bandwidth, which all workers share, can't be made";
		return NULL;
	}
	return s3_new(svc->base, &conf, why);
}

struct upload_params
upload_conn_params(const struct svc *svc)
{
	const json_t *c = svc->conf;

	return (struct upload_params){
		.part_size = conf_int(c, "storage.s3.part_size"), .max_parts = (int)conf_int(c, "storage.s3.max_parts"),
		.concurrency = (int)conf_int(c, "storage.s3.concurrency"),
		.attempts = (int)conf_int(c, "storage.s3.attempts"),
		.restarts = (int)conf_int(c, "storage.s3.attempts"),
		.retry_min_ms = conf_int(c, "jobs.retry_min"), .retry_max_ms = conf_int(c, "jobs.retry_max"),
	};
}
