/*
 * From a FEED to what viewers are sent: real rooms, feeds and viewers, in front of a rtc/peer.h of
 * our own that keeps what it is given. What the first packets are, how fast one who joins is given
 * a GOP, what is sent again and how often, and that a publisher's restart is no event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "be.h"
#include "flv.h"
#include "rtc/h264.h"
#include "rtc/rtcp.h"
#include "util.h"
#include "workers/webrtc/clock.h"
#include "workers/webrtc/feed.h"
#include "workers/webrtc/room.h"
#include "workers/webrtc/track.h"
#include "workers/webrtc/viewer.h"
#include "workers/webrtc/webrtc.h"

struct webrtc webrtc;
static struct svc svc;

int64_t
webrtc_wall_us(void)
{
	return now_ms() * 1000;
}

/* --- a peer that keeps what it gets --- */

struct kept { uint8_t p[1300]; size_t n; int64_t ms; };
struct rtc_peer {
	const struct rtc_peer_ops *ops;
	void *ctx;
	struct kept *rtp;
	unsigned nrtp, nrtcp;
	struct kept rtcp[20];
};
static unsigned peers, gone;
#define RTP_MAX 20000

struct rtc_peer *
rtc_peer_new(struct rtc_net *net, const char *fingerprint, const struct rtc_peer_ops *ops, void *ctx)
{
	struct rtc_peer *p = xcalloc(1, sizeof(*p));

	p->ops = ops;
	p->ctx = ctx;
	p->rtp = xcalloc(RTP_MAX, sizeof(*p->rtp));
	peers++;
	return p;
}

void
rtc_peer_stats(const struct rtc_peer *peer, struct rtc_peer_stats *out)
{
	memset(out, 0, sizeof(*out));
}

void
rtc_peer_free(struct rtc_peer **p)
{
	free((*p)->rtp);
	free(*p);
	*p = NULL;
	peers--;
}

void
rtc_peer_send_rtp(struct rtc_peer *p, const uint8_t *rtp, size_t n)
{
	struct kept *k = &p->rtp[p->nrtp++];

	assert_true(p->nrtp <= RTP_MAX && n <= ((rtp[1] & 127) == 111 ? RTC_PACKET_MAX : RTC_MTU));
	memcpy(k->p, rtp, n);
	k->n = n;
	k->ms = now_ms();
}

void
rtc_peer_send_rtcp(struct rtc_peer *p, const uint8_t *rtcp, size_t n)
{
	struct kept *k = &p->rtcp[p->nrtcp++ % 20];

	memcpy(k->p, rtcp, n);
	k->n = n;
}

/* --- a publisher --- */

static const uint8_t record[] = { 1, 66, 0xc0, 31, 0xff, 0xe1, 0, 5, 0x67, 66, 0xc0, 31, 0xaa,
	1, 0, 4, 0x68, 0xce, 0x3c, 0x80 };
static int feed_fd = -1;

static void
turn(void)
{
	event_base_loop(svc.base, EVLOOP_NONBLOCK);
}

/* At least so long, and however slow this machine is, with turns enough for what was due meanwhile. */
static void
wait_ms(int64_t ms)
{
	int64_t end = now_ms() + ms;

	for (int64_t n = 0; n < ms / 2 || now_ms() < end; n++, usleep(1000))
		turn();
}

static uint8_t pending[200000];
static size_t npending;

/* What was put goes at once, as from a ring, however slow this machine is. */
static void
flush(void)
{
	for (size_t at = 0; at < npending;) {
		ssize_t done = write(feed_fd, pending + at, npending - at);

		if (done > 0)
			at += (size_t)done;
		turn();
	}
	npending = 0;
}

static void
put_bytes(const uint8_t *p, size_t n)
{
	assert_true(n <= sizeof(pending) - npending);
	memcpy(pending + npending, p, n);
	npending += n;
}

static void
put_tag(enum flv_type type, uint32_t ms, const uint8_t *body, size_t n)
{
	uint8_t head[FLV_TAG_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES];

	flv_write_tag_head(head, type, ms, (uint32_t)n);
	flv_write_tag_tail(tail, (uint32_t)n);
	put_bytes(head, sizeof(head));
	put_bytes(body, n);
	put_bytes(tail, sizeof(tail));
}

static void
put_frame(uint32_t ms, bool key, size_t size)
{
	uint8_t *body = xcalloc(1, 9 + size);

	body[0] = key ? 0x17 : 0x27;
	body[1] = 1;
	be_put(body + 5, 4, size);
	body[9] = key ? 0x65 : 0x41;
	put_tag(FLV_VIDEO, ms, body, 9 + size);
	free(body);
}

/* 20 ms of Opus. */
static void
put_sound(uint32_t ms)
{
	put_tag(FLV_AUDIO, ms, (const uint8_t *)"\x91Opus\x78zz", 8);
}

static void
feed_message(int64_t ingest, bool on, const char *track, const char *format, int fd)
{
	struct msg m = { .type = MSG_FEED, .fds = { fd }, .nfds = fd >= 0 };

	m.body = json_pack("{s:s, s:I, s:s, s:s, s:b}", "name", "alice", "ingest", (json_int_t)ingest, "track", track,
	    "format", format, "on", on);
	feed_take(&svc, &m);
	json_decref(m.body);
}

/* A page of one packet, as ffmpeg writes it; granule: of its end. */
static void
put_page(int fd, unsigned flags, int64_t granule, const char *body, size_t n)
{
	uint8_t page[100] = "OggS";
	uint32_t sum = 0;

	page[5] = (uint8_t)flags;
	for (unsigned i = 0; i < 8; i++)
		page[6 + i] = (uint8_t)((uint64_t)granule >> 8 * i);
	page[26] = 1;
	page[27] = (uint8_t)n;
	memcpy(page + 28, body, n);
	for (size_t i = 0; i < 28 + n; i++)
		for (int bit = 7; bit >= 0; bit--)
			sum = sum << 1 ^ ((sum >> 31 ^ (page[i] >> bit & 1)) ? 0x04c11db7 : 0);
	for (unsigned i = 0; i < 4; i++)
		page[22 + i] = (uint8_t)(sum >> 8 * i);
	assert_int_equal(write(fd, page, 28 + n), 28 + n);
	turn();
}

/* An ffmpeg that makes Opus of it. */
static int
publish_sound(int64_t ingest)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	feed_message(ingest, true, "audio", "ogg", pair[1]);
	put_page(pair[0], 2, 0, "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", 19);
	put_page(pair[0], 0, 0, "OpusTags\0\0\0\0\0\0\0\0", 16);
	return pair[0];
}

static void
publish(int64_t ingest)
{
	uint8_t head[FLV_HEADER_BYTES], header[5 + sizeof(record)] = { 0x17 };
	int pair[2];

	if (feed_fd >= 0)
		close(feed_fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	feed_fd = pair[0];
	feed_message(ingest, true, "media", "flv", pair[1]);
	flv_write_header(head, true, true);
	put_bytes(head, sizeof(head));
	memcpy(header + 5, record, sizeof(record));
	put_tag(FLV_VIDEO, 0, header, sizeof(header));
}

/*
 * From ms on, a frame each 40 ms and two of sound, up to, not including, end; then it waits until a feed
 * that is held back is not any more.
 */
static void
put_gop_at_once(uint32_t ms, uint32_t end, size_t size)
{
	for (uint32_t at = ms; at < end; at += 40) {
		put_frame(at, at == ms, size);
		put_sound(at);
		put_sound(at + 20);
	}
	flush();
}

static void
put_gop(uint32_t ms, uint32_t end, size_t size)
{
	put_gop_at_once(ms, end, size);
	wait_ms(60);
}

/* --- viewers --- */

static const struct viewer_codecs codecs = { 102, 103, 111, 0, 0 };

static void
on_gone(void *ctx, const char *why)
{
	gone++;
}

static const struct viewer_ops ops = { .gone = on_gone };

static struct rtc_peer *
join(struct room *r, struct viewer **v)
{
	struct rtc_peer *p;

	*v = viewer_new(r, "", "sha-256 00", &codecs, &ops, NULL);
	assert_non_null(*v);
	p = viewer_peer(*v);
	p->ops->connected(p->ctx);
	return p;
}

static unsigned
count(const struct rtc_peer *p, unsigned pt, unsigned from)
{
	unsigned n = 0;

	for (unsigned i = from; i < p->nrtp; i++)
		n += (p->rtp[i].p[1] & 0x7f) == pt;
	return n;
}

/* Until there are n packets of it; however slow this machine is. */
static void
wait_count(const struct rtc_peer *p, unsigned pt, unsigned n)
{
	for (int64_t end = now_ms() + 10000; count(p, pt, 0) < n && now_ms() < end;)
		wait_ms(1);
	assert_true(count(p, pt, 0) >= n);
}

/* The seq numbers of that payload type are one after the other, the times never go back. */
static void
check_order(const struct rtc_peer *p, unsigned pt)
{
	const uint8_t *before = NULL;

	for (unsigned i = 0; i < p->nrtp; i++) {
		const uint8_t *rtp = p->rtp[i].p;

		if ((rtp[1] & 0x7f) != pt)
			continue;
		if (before != NULL) {
			assert_int_equal((uint16_t)(be_get(before + 2, 2) + 1), be_get(rtp + 2, 2));
			assert_true((int32_t)(be_get(rtp + 4, 4) - be_get(before + 4, 4)) >= 0);
		}
		before = rtp;
	}
}

static const struct kept *
nth(const struct rtc_peer *p, unsigned pt, unsigned n)
{
	for (unsigned i = 0; i < p->nrtp; i++)
		if ((p->rtp[i].p[1] & 0x7f) == pt && n-- == 0)
			return &p->rtp[i];
	fail_msg("there are not so many packets");
	return NULL;
}

static const struct kept *
newest(const struct rtc_peer *p, unsigned pt)
{
	return nth(p, pt, count(p, pt, 0) - 1);
}

static struct room *
setup(void)
{
	memset(&webrtc, 0, sizeof(webrtc));
	webrtc.svc = &svc;
	webrtc.limits = (struct webrtc_limits){ .max_viewers = 3, .max_per_address = 3, .max_sdp = 32768, .ring_bytes = 16 << 20 };
	svc.base = event_base_new();
	viewer_start();
	return room_get("alice");
}

static void
teardown(struct room **r)
{
	room_put(r);
	room_free_all();
	viewer_stop();
	event_base_free(svc.base);
	if (feed_fd >= 0)
		close(feed_fd);
	feed_fd = -1;
	assert_int_equal(peers, 0);
	assert_int_equal(webrtc.viewers + webrtc.rooms, 0);
}

static void
who_joins_gets_the_gop_four_times_as_fast(void **state)
{
	struct room *r = setup();
	struct viewer *v, *w;
	struct rtc_peer *p, *q;
	struct viewer_stats stats;
	int64_t begun;

	publish(7);
	put_gop(1000, 2200, 3000);		/* 30 frames of 3 packets, and the parameter sets */
	assert_int_equal(room_video(r)->next - room_video(r)->first, 30 * 3 + 1);
	p = join(r, &v);
	begun = now_ms();
	assert_int_equal(p->nrtp, 0);
	wait_count(p, 102, 4);
	/* the key frame is there at once: STAP-A, and three FU-A of which the last has the marker */
	assert_true(count(p, 102, 0) < 60);
	assert_int_equal(nth(p, 102, 0)->p[12], 0x78);
	assert_int_equal(nth(p, 102, 1)->p[12] & 31, H264_FU_A);
	assert_int_equal(nth(p, 102, 3)->p[1], 0x80 | 102);
	assert_int_equal(count(p, 111, 0), 0);	/* what was said before is over */
	/* sound is live while pictures catch up */
	viewer_get_stats(v, &stats);
	assert_true(stats.connected && stats.behind_ms > 0);
	put_frame(2200, false, 3000);
	put_sound(2200);
	flush();
	wait_count(p, 111, 1);
	wait_count(p, 102, 31 * 3 + 1);
	assert_in_range(now_ms() - begun, 280, 5000);	/* 1.2 s of it */
	check_order(p, 102);
	wait_ms(30);
	viewer_get_stats(v, &stats);
	assert_int_equal(stats.behind_ms, 0);
	/* now it is live, and another one gets the same packets */
	put_frame(2240, false, 100);
	flush();
	assert_int_equal(count(p, 102, 0), 31 * 3 + 2);
	q = join(r, &w);
	wait_count(q, 102, 2);
	assert_memory_equal(nth(q, 102, 1)->p, nth(p, 102, 1)->p, 1000);
	viewer_free(&v);
	viewer_free(&w);
	teardown(&r);
}

static void
rtcp(struct rtc_peer *p, const uint8_t *bytes, size_t n)
{
	uint8_t copy[RTCP_MAX];

	memcpy(copy, bytes, n);
	p->ops->rtcp(p->ctx, copy, n);
}

static void
a_nack_is_answered_over_rtx(void **state)
{
	struct room *r = setup();
	struct viewer *v;
	struct rtc_peer *p;
	struct room_sdp sdp;
	uint8_t out[RTCP_MAX];
	uint16_t seqs[3];
	const struct kept *lost, *rtx;
	unsigned taken;
	size_t n;

	publish(7);
	p = join(r, &v);
	put_gop(0, 400, 2000);
	wait_count(p, 102, 21);
	room_sdp(r, &sdp);
	assert_true(sdp.profile_known && sdp.profile[0] == 66);
	lost = nth(p, 102, 5);
	seqs[0] = (uint16_t)be_get(lost->p + 2, 2);
	seqs[1] = (uint16_t)(be_get(newest(p, 102)->p + 2, 2) + 1);	/* which it was not sent yet */
	seqs[2] = (uint16_t)(seqs[0] - 100);				/* which is nobody's */
	for (unsigned i = 0; i < 3; i++) {
		n = rtcp_write_nack(out, sizeof(out), 1, sdp.video_ssrc, &seqs[i], 1, &taken);
		rtcp(p, out, n);
	}
	assert_int_equal(count(p, 103, 0), 1);
	rtx = nth(p, 103, 0);
	assert_int_equal(rtx->n, lost->n + 2);
	assert_int_equal(be_get(rtx->p + 8, 4), sdp.rtx_ssrc);
	assert_int_equal(be_get(rtx->p + 12, 2), seqs[0]);
	assert_int_equal(be_get(rtx->p + 4, 4), be_get(lost->p + 4, 4));
	assert_int_equal(rtx->p[1] & 0x80, lost->p[1] & 0x80);
	assert_memory_equal(rtx->p + 14, lost->p + 12, lost->n - 12);
	/* without RTX: the same packet */
	viewer_set_codecs(v, &(struct viewer_codecs){ 102, 0, 111, 0, 0 });
	n = rtcp_write_nack(out, sizeof(out), 1, sdp.video_ssrc, seqs, 1, &taken);
	rtcp(p, out, n);
	assert_memory_equal(newest(p, 102)->p, lost->p, lost->n);
	/* asked for without end: no more than the budget */
	for (unsigned i = 0; i < 5000; i++)
		rtcp(p, out, n);
	assert_in_range(p->nrtp, 700, 2500);
	viewer_free(&v);
	teardown(&r);
}

static void
a_pli_is_answered_by_the_gop(void **state)
{
	struct room *r = setup();
	struct viewer *v;
	struct rtc_peer *p;
	uint8_t out[RTCP_MAX];
	unsigned sent;
	size_t n;

	publish(7);
	p = join(r, &v);
	n = rtcp_write_pli(out, sizeof(out), 1, room_video(r)->ssrc);
	rtcp(p, out, n);		/* there is none yet */
	assert_int_equal(p->nrtp, 0);
	put_gop(0, 400, 2000);
	put_gop(400, 600, 2000);
	sent = 2 + 15 * 2;
	wait_count(p, 102, sent);
	rtcp(p, out, n);
	wait_count(p, 103, 11);
	/* from the second key frame on, all that it was sent */
	assert_int_equal(count(p, 103, 0), 11);
	assert_int_equal(nth(p, 103, 0)->p[14], 0x78);
	assert_int_equal(be_get(nth(p, 103, 10)->p + 12, 2), be_get(newest(p, 102)->p + 2, 2));
	wait_ms(310);
	rtcp(p, out, n);
	rtcp(p, out, n);		/* at once: not again */
	wait_count(p, 103, 22);
	wait_ms(30);
	assert_int_equal(count(p, 103, 0), 22);
	assert_int_equal(count(p, 102, 0), sent);
	viewer_free(&v);
	teardown(&r);
}

static void
a_publisher_s_restart_goes_on(void **state)
{
	struct room *r = setup();
	struct viewer *v, *w;
	struct rtc_peer *p, *q;
	uint32_t before;
	int64_t begun;
	unsigned n, pictures;

	publish(7);
	assert_true(room_is_live(r));
	p = join(r, &v);
	put_gop(100000, 100400, 2000);
	wait_count(p, 102, 21);
	begun = now_ms();
	before = be_get(newest(p, 102)->p + 4, 4);
	n = p->nrtp;
	pictures = count(p, 102, 0);
	feed_message(7, false, "media", "flv", -1);
	assert_false(room_is_live(r));
	q = join(r, &w);
	wait_ms(300);
	assert_int_equal(q->nrtp, 0);		/* nothing of who has left */
	publish(8);
	put_frame(0, false, 50);		/* nothing before an IDR is of use */
	put_gop_at_once(40, 240, 2000);
	assert_int_equal(p->nrtp, n);		/* held back, until its end is seen */
	wait_count(p, 102, pictures + 1 + 5 * 2);
	wait_count(q, 102, 1 + 5 * 2);
	assert_true(room_is_live(r));
	check_order(p, 102);
	check_order(p, 111);
	assert_int_equal(count(p, 102, n), 1 + 5 * 2);
	assert_int_equal(nth(p, 102, pictures)->p[12], 0x78);
	/* as much later as it was: the last picture of the one was new, and 300 ms later that of the other */
	assert_in_range(be_get(newest(p, 102)->p + 4, 4) - before, 290 * 90, (now_ms() - begun + 200) * 90);
	/* who came in between has nothing of the old one */
	assert_int_equal(nth(q, 102, 0)->p[12], 0x78);
	assert_memory_equal(nth(q, 102, 0)->p, nth(p, 102, pictures)->p, 20);
	viewer_free(&v);
	viewer_free(&w);
	teardown(&r);
}

/* A source that begins again gives what was there already: after it, and quickly. */
static void
times_never_go_back(void **state)
{
	struct room *r = setup();
	struct viewer *v;
	struct rtc_peer *p;
	unsigned sound;

	publish(7);
	p = join(r, &v);
	put_gop(0, 400, 2000);
	wait_count(p, 102, 21);
	sound = count(p, 111, 0);
	publish(7);
	put_gop(0, 440, 2000);
	wait_count(p, 102, 2 * 21 + 2);
	check_order(p, 102);
	check_order(p, 111);
	assert_int_equal(count(p, 102, 0), 2 * 21 + 2);
	assert_in_range(count(p, 111, 0), sound + 2, sound + 5);	/* within 50 ms it is taken for drift */
	viewer_free(&v);
	teardown(&r);
}

/* What an ffmpeg makes of the GOP in the beginning comes at once, and late; then as it is made. */
static void
sound_is_live_from_its_beginning(void **state)
{
	struct room *r = setup();
	struct viewer *v;
	struct rtc_peer *p;
	uint32_t first, picture;
	unsigned sound;
	int fd;

	publish(7);
	p = join(r, &v);
	put_gop(10000, 12000, 100);
	wait_count(p, 102, 51);
	sound = count(p, 111, 0);
	assert_in_range(sound, 1, 14);			/* the media has some itself: the last 250 ms of 2 s */
	fd = publish_sound(7);
	put_sound(12000);				/* that counts no more */
	flush();
	assert_int_equal(count(p, 111, 0), sound);
	for (int64_t at = 10000; at < 13000; at += 20)
		put_page(fd, 0, (at + 20) * 48 + 312, "\x78yy", 3);
	wait_count(p, 111, sound + 1);
	assert_true(count(p, 111, 0) < sound + 100);	/* not what is older than the newest picture */
	check_order(p, 111);
	/* at the same time as the picture of that time */
	first = be_get(newest(p, 111)->p + 4, 4) - track_time(room_audio(r), 0);
	picture = be_get(newest(p, 102)->p + 4, 4) - track_time(room_video(r), 0);
	assert_in_range(first / 48 - picture / 90, 12980 - 11960 - 50, 12980 - 11960 + 50);
	close(fd);
	turn();
	put_sound(13200);				/* it has ended: the media's own again */
	flush();
	assert_memory_equal(newest(p, 111)->p + 13, "zz", 2);
	viewer_free(&v);
	teardown(&r);
}

/* 510 kbit/s in 20 ms. */
static void
the_longest_frame_of_opus(void **state)
{
	static const uint8_t packet[1 + 1275] = { 0x78 };
	struct room *r = setup();
	struct viewer *v;
	struct rtc_peer *p;

	publish(7);
	put_gop(0, 400, 100);
	p = join(r, &v);
	room_give_audio_ms(r, 7, packet, sizeof(packet), 400);
	room_pump(r);
	assert_int_equal(newest(p, 111)->n, TRACK_RTP_HEAD + sizeof(packet));
	viewer_free(&v);
	teardown(&r);
}

static void
sender_reports_fit(void **state)
{
	struct room *r = setup();
	struct viewer *v;
	struct rtc_peer *p;
	uint32_t video, audio;
	int64_t now;

	publish(7);
	put_gop(5000, 6000, 100);
	p = join(r, &v);
	assert_int_equal(p->nrtcp, 2);		/* at once */
	assert_int_equal(p->rtcp[0].p[1], RTCP_SR);
	now = now_ms();
	assert_true(room_rtp_now(r, true, now, &video) && room_rtp_now(r, false, now, &audio));
	/* both say the same time of the stream: its newest, and what has passed since */
	video -= track_time(room_video(r), CLOCK_START_MS);
	audio -= track_time(room_audio(r), CLOCK_START_MS);
	assert_in_range(video / 90 + 40 - audio / 48, 39, 41);
	assert_in_range(video / 90, 1, 5000);
	wait_ms(1100);
	room_tick(now_ms());
	assert_int_equal(p->nrtcp, 4);
	room_tick(now_ms());
	assert_int_equal(p->nrtcp, 4);
	assert_int_equal(be_get(p->rtcp[2].p + 20, 4), count(p, 102, 0));
	assert_true(be_get(p->rtcp[2].p + 24, 4) > 25 * 100);
	viewer_free(&v);
	teardown(&r);
}

static void
reports_are_kept(void **state)
{
	struct room *r = setup();
	struct viewer *v;
	struct rtc_peer *p;
	struct rtcp_report report = { .fraction = 25, .lost = 7, .jitter = 90 };
	struct viewer_stats stats;
	uint8_t out[RTCP_MAX];
	size_t n;

	publish(7);
	put_gop(0, 40, 100);
	p = join(r, &v);
	report.ssrc = room_video(r)->ssrc;
	report.lsr = be_get(p->rtcp[0].p + 10, 4);
	wait_ms(30);
	n = rtcp_write_rr(out, sizeof(out), 1, &report, 1, "c");
	rtcp(p, out, n);
	viewer_get_stats(v, &stats);
	assert_int_equal(stats.lost, 7);
	assert_int_equal(stats.fraction_lost, 25);
	assert_int_equal(stats.jitter_us, 1000);
	assert_in_range(stats.rtt_us, 29000, 5000000);
	assert_int_equal(webrtc.lost, 7);
	rtcp(p, out, n);
	assert_int_equal(webrtc.lost, 7);
	report.ssrc++;				/* of nobody */
	report.lost = 70;
	n = rtcp_write_rr(out, sizeof(out), 1, &report, 1, "c");
	rtcp(p, out, n);
	assert_int_equal(webrtc.lost, 7);
	viewer_free(&v);
	teardown(&r);
}

static void
rooms_linger_while_on_air(void **state)
{
	struct room *r = setup(), *other = room_get("bob");

	webrtc.limits.linger_ms = 60000;
	publish(7);
	room_put(&other);
	room_put(&r);
	assert_int_equal(webrtc.rooms, 2);
	room_tick(now_ms());
	assert_null(room_find("bob"));
	assert_non_null(room_find("alice"));
	feed_message(7, false, "media", "flv", -1);
	room_tick(now_ms());
	assert_null(room_find("alice"));
	r = room_get("alice");
	publish(7);
	room_put(&r);
	webrtc.limits.linger_ms = 0;
	room_tick(now_ms());
	assert_null(room_find("alice"));
	r = room_get("alice");
	teardown(&r);
}

struct member { struct room_member m; int said; };

static void
on_live(void *ctx, bool live)
{
	struct member *m = ctx;

	m->said = m->said * 10 + (live ? 1 : 2);
	if (!live)
		room_leave(&m->m);
}

static void
members_hear_of_it_and_viewers_are_limited(void **state)
{
	struct room *r = setup();
	struct viewer *v[4];
	struct member m[2] = { { .m = { .live = on_live } }, { .m = { .live = on_live } } };
	uint64_t refused;

	for (unsigned i = 0; i < 2; i++) {
		m[i].m.ctx = &m[i];
		room_join(r, &m[i].m);
	}
	publish(7);
	publish(8);
	feed_message(8, false, "media", "flv", -1);
	assert_int_equal(m[0].said, 12);
	assert_int_equal(m[1].said, 12);
	room_leave(&m[0].m);
	for (unsigned i = 0; i < 3; i++)
		join(r, &v[i]);
	assert_null(viewer_new(r, "", NULL, &codecs, &ops, NULL));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(room_viewers(r), 3);
	gone = 0;
	viewer_peer(v[0])->ops->gone(viewer_peer(v[0])->ctx, RTC_GONE_CONSENT);
	assert_int_equal(gone, 1);
	assert_int_equal(room_viewers(r), 2);
	/* one that had to make room, before it came to anything: the limit's doing, no fault of DTLS */
	viewer_free(&v[0]);
	v[0] = viewer_new(r, "", NULL, &codecs, &ops, NULL);
	refused = webrtc.refused;
	viewer_peer(v[0])->ops->gone(viewer_peer(v[0])->ctx, RTC_GONE_DISPLACED);
	assert_int_equal(webrtc.refused, refused + 1);
	assert_int_equal(webrtc.failed_dtls, 0);
	for (unsigned i = 0; i < 3; i++)
		viewer_free(&v[i]);
	teardown(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_joins_gets_the_gop_four_times_as_fast),
		cmocka_unit_test(a_nack_is_answered_over_rtx), cmocka_unit_test(a_pli_is_answered_by_the_gop),
		cmocka_unit_test(a_publisher_s_restart_goes_on), cmocka_unit_test(times_never_go_back), cmocka_unit_test(sound_is_live_from_its_beginning),
		cmocka_unit_test(the_longest_frame_of_opus), cmocka_unit_test(sender_reports_fit), cmocka_unit_test(reports_are_kept),
		cmocka_unit_test(rooms_linger_while_on_air), cmocka_unit_test(members_hear_of_it_and_viewers_are_limited),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
