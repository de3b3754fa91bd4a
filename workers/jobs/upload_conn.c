/*
 * upload_conn.c - what storage.s3 says, for those who open a bucket (contract in upload_conn.h).
 * Keeps but the figures. Called by bucket.c, sweep_stale.c and upload_kind.c.
 */
#include "workers/jobs/upload_conn.h"

#include "board.h"
#include "conf.h"
#include "workers/jobs/workers.h"

static struct board_s3 figures;

struct board_s3 *
upload_conn_figures(void)
{
	return &figures;
}

/* Of the host: each worker that uploads has its share, and so has the first one for recordings that grow. */
int64_t
upload_conn_bandwidth(const json_t *c)
{
	int64_t workers = workers_count(c), uploads = conf_int(c, "jobs.uploads");

	return conf_int(c, "storage.s3.bandwidth") / ((uploads < workers ? uploads : workers) +
	    (conf_bool(c, "streams.record.upload_while_recording") ? 1 : 0));
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
		.bandwidth = upload_conn_bandwidth(c), .figures = &figures,
	};

	if (conf.endpoint[0] == '\0' || conf.bucket[0] == '\0') {
		*why = "storage.s3.endpoint and storage.s3.bucket are not set";
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
