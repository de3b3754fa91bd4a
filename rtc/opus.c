/*
 * opus.c - see opus.h. RTP's time of Opus goes on by these durations: they are exact, whatever the
 * container's times were rounded to. Called by ogg.c and workers/webrtc.
 */
#include "opus.h"

#include <errno.h>

/* Samples of a frame by the TOC's configuration (RFC 6716 table 2). */
static int
frame_samples(unsigned config)
{
	static const int silk[] = { 480, 960, 1920, 2880 }, celt[] = { 120, 240, 480, 960 };

	if (config < 12)
		return silk[config & 3];
	if (config < 16)
		return config & 1 ? 960 : 480;
	return celt[config & 3];
}

int
opus_samples(const uint8_t *packet, size_t len)
{
	int frames, samples;

	if (len < 1 || ((packet[0] & 3) == 3 && len < 2)) {
		errno = EBADMSG;
		return -1;
	}
	frames = (packet[0] & 3) == 0 ? 1 : (packet[0] & 3) < 3 ? 2 : packet[1] & 63;
	samples = frames * frame_samples(packet[0] >> 3);
	if (samples == 0 || samples > OPUS_PACKET_SAMPLES_MAX) {
		errno = EBADMSG;
		return -1;
	}
	return samples;
}
