/* Heads of the tus protocol and what ffmpeg says of a file: whatever comes, every text is bounded and ends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/tus_head.h"
#include "stream_name.h"
#include "workers/jobs/convert_probe.h"
#include "ws_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
head(const uint8_t *data, size_t size)
{
	struct request r;
	struct tus_head h;
	const char *why = NULL;
	int status;

	/* as http hands it over: a path of uploads */
	if (ws_head_read(&r, data, size) > 0 && strncmp(request_path(&r), "/upload", 7) == 0 &&
	    strchr("/", request_path(&r)[7]) != NULL) {
		status = tus_head_parse(&r, &h, &why);
		if (status != 0 && (why == NULL || status < 400 || status > 499))
			abort();
		if (memchr(h.file, 0, sizeof(h.file)) == NULL || memchr(h.meta, 0, sizeof(h.meta)) == NULL ||
		    h.digest_len > TUS_DIGEST || (h.id[0] != '\0' && !intake_id_ok(h.id)) ||
		    (h.name[0] != '\0' && status == 0 && !stream_name_ok(h.name, strlen(h.name))))
			abort();
	}
	request_free(&r);
}

static void
lines(const uint8_t *data, size_t size)
{
	struct convert_probe p;
	char line[256];
	size_t n;

	convert_probe_init(&p);
	for (size_t at = 0; at < size; at += n + 1) {
		const uint8_t *nl = memchr(data + at, '\n', size - at);

		n = nl != NULL ? (size_t)(nl - data) - at : size - at;
		memcpy(line, data + at, n < sizeof(line) ? n : sizeof(line) - 1);
		line[n < sizeof(line) ? n : sizeof(line) - 1] = '\0';
		convert_probe_line(&p, line);
	}
	if (p.video > CONVERT_ENCODE || p.audio > CONVERT_ENCODE)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	head(data, size);
	lines(data, size);
	return 0;
}
