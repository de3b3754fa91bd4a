/*
 * A frames client's messages (the first byte says text or binary), its JPEGs, and the file that its session left,
 * as a job reads it: what is taken is whole and within its bounds, what is wrong is said.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ingest/frames_jpeg.h"
#include "ingest/frames_proto.h"
#include "workers/jobs/frames_raw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_PIXELS 1000000

static unsigned said, taken;
static size_t limit;

static void
on_connect(void *ctx, const struct frames_connect *c)
{
	if (c->id != NULL && c->id_len > limit)
		abort();
	taken++;
}

static void
on_video(void *ctx, const struct frames_media *m)
{
	if (m->len > limit || m->width < 1 || m->height < 1 || (int64_t)m->width * m->height > MAX_PIXELS ||
	    m->data[m->len - 1] != 0xd9)
		abort();
	taken++;
}

static void
on_audio(void *ctx, const struct frames_media *m)
{
	if (m->len == 0 || m->len > limit)
		abort();
	taken += m->data[0] + m->data[m->len - 1] >= 0;
}

static void
on_play(void *ctx, const char *file, size_t len)
{
	if (file != NULL && len > limit)
		abort();
	taken++;
}

static void
on_close(void *ctx)
{
	taken++;
}

static void
on_say(void *ctx, const char *text, size_t len)
{
	json_t *o = json_loadb(text, len, 0, NULL);

	if (json_string_value(json_object_get(o, "field")) == NULL)
		abort();
	json_decref(o);
	said++;
}

static void
message(const uint8_t *data, size_t size)
{
	static const struct frames_ops ops = { on_connect, on_video, on_audio, on_play, on_close, on_say };
	struct frames_proto p;

	frames_proto_init(&p, &ops, NULL, MAX_PIXELS);
	said = taken = 0;
	limit = size;
	frames_proto_message(&p, data + 1, size - 1, data[0] & 1, 1);
	if (said == 0 && taken == 0)
		abort();
	frames_proto_free(&p);
}

static void
file(const uint8_t *data, size_t size)
{
	struct frames_raw raw = { .frames = 0 };
	int fd = memfd_create("in", MFD_CLOEXEC), wav = memfd_create("out", MFD_CLOEXEC);

	if (fd < 0 || wav < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (frames_raw_read(fd, wav, &raw) == 0 && (raw.samples * 2 > (int64_t)size || raw.frames > (int64_t)size ||
	    lseek(wav, 0, SEEK_END) != 44 + raw.samples * 2))
		abort();
	close(fd);
	close(wav);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frames_jpeg jpeg;
	const char *why;

	if (size == 0)
		return 0;
	message(data, size);
	if (frames_jpeg_read(data, size, MAX_PIXELS, &jpeg, &why) == 0 && jpeg.len > size)
		abort();
	file(data, size);
	return 0;
}
