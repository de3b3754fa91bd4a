/* meter.c - a stream's figures (contract in meter.h). Called by stream.c and session.c; the clock is given. */
#include "meter.h"

#include <stdio.h>

#define LAG_WINDOW_MS 5000
#define KEY_MARGIN_MS 15	/* for its bytes to come in, and for jitter */
#define KEYS_TO_KNOW 3
#define EAGER_MS 40
#define RETRY_MS 20
#define RETRY_FOR_MS 100

void
meter_bytes(struct meter *m, size_t n)
{
	m->bytes += n;
}

void
meter_frame(struct meter *m, bool audio, bool key, int64_t dts_ms, int64_t now)
{
	m->last_media_ms = now;
	if (audio)
		m->last_audio_dts = dts_ms;
	m->audio += audio;
	m->video += !audio;
	if (now - m->lag_since_ms > LAG_WINDOW_MS) {
		m->lag[1] = m->lag_since_ms != 0 ? m->lag[0] : now - dts_ms;
		m->lag[0] = now - dts_ms;
		m->lag_since_ms = now;
	}
	if (now - dts_ms < m->lag[0])
		m->lag[0] = now - dts_ms;
	if (!key)
		return;
	m->gop_ms = m->keys > 0 ? dts_ms - m->last_key_dts : 0;
	m->last_key_dts = dts_ms;
	m->last_key_ms = now;
	m->keys++;
}

int64_t
meter_tick(struct meter *m, int64_t longest, int64_t now)
{
	int64_t lag = m->lag[0] < m->lag[1] ? m->lag[0] : m->lag[1];
	int64_t due = m->last_key_dts + m->gop_ms + lag + KEY_MARGIN_MS, wait;

	if (longest <= EAGER_MS || m->video == 0)
		return longest < EAGER_MS || m->audio > 0 ? longest : EAGER_MS;
	if (m->keys < KEYS_TO_KNOW)
		return EAGER_MS;
	if (m->audio > 0 && m->last_audio_dts < m->last_key_dts && now - m->last_key_ms < RETRY_FOR_MS)
		return RETRY_MS;	/* a segment ends with the audio after the key frame */
	wait = due - now;
	if (wait <= 0)
		return wait > -RETRY_FOR_MS ? RETRY_MS : longest;
	if (wait > longest)	/* so that the last wait before it is not a short one */
		return wait < 2 * longest ? wait / 2 : longest;
	return wait;
}

bool
meter_due(struct meter *m, int64_t now)
{
	if (now < m->due_ms)
		return false;
	m->due_ms = now + 1000;
	m->at = (m->at + 1) % METER_SLOTS;
	m->slot[m->at].ms = now;
	m->slot[m->at].bytes = m->bytes;
	m->slot[m->at].video = m->video;
	return true;
}

void
meter_board(const struct meter *m, struct board_media *out, int64_t now)
{
	unsigned oldest = (m->at + 1) % METER_SLOTS;
	int64_t ms;

	while (oldest != m->at && m->slot[oldest].ms == 0)
		oldest = (oldest + 1) % METER_SLOTS;
	ms = m->slot[m->at].ms - m->slot[oldest].ms;
	out->last_media_ms = m->last_media_ms;
	out->last_key_ms = m->last_key_ms;
	out->gop_ms = m->gop_ms;
	out->bytes_in = m->bytes;
	out->video_frames = m->video;
	out->audio_frames = m->audio;
	out->key_frames = m->keys;
	if (ms > 0) {
		out->bitrate_bps = (int64_t)(m->slot[m->at].bytes - m->slot[oldest].bytes) * 8000 / ms;
		out->fps_milli = (int32_t)((int64_t)(m->slot[m->at].video - m->slot[oldest].video) * 1000000 / ms);
	}
}

int64_t
meter_key_age(const struct meter *m)
{
	return m->last_key_ms != 0 ? m->last_media_ms - m->last_key_ms : 0;
}

void
meter_warning(const struct meter *m, int64_t key_frame_age_ms, bool video, char *buf, size_t size)
{
	int64_t age = meter_key_age(m);

	buf[0] = '\0';
	if (video && age > key_frame_age_ms * 2 / 3)
		snprintf(buf, size, "no key frame for %lld s, the stream is ended after %lld s: set Keyframe Interval "
		    "to 2 s in the encoder", (long long)age / 1000, (long long)key_frame_age_ms / 1000);
}
