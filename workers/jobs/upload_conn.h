/* upload_conn.h - storage.s3 of the configuration: as a connection to one bucket, and as what an upload may do. */
#ifndef MILLRACE_UPLOAD_CONN_H
#define MILLRACE_UPLOAD_CONN_H

#include "svc.h"
#include "workers/jobs/upload.h"

/* bucket "": storage.s3.bucket. NULL: *why (static) says what of the configuration can't be. */
struct s3 *upload_connect(const struct svc *svc, const char *bucket, const char **why);
/* What all requests of this process came to. */
struct board_s3 *upload_conn_figures(void);
/* Numbers of storage.s3 and jobs.retry_*; all else is 0. */
struct upload_params upload_conn_params(const struct svc *svc);
#endif
