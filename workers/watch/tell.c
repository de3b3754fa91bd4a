/*
 * tell.c - what becomes of a file that is complete: the ledger is asked whether this very
 * file is known; if not it is hashed; then its content is claimed, and it is queued for
 * upload, or skipped because that content was done before, or waits for its twin.
 *
 * Each step may be cut off by Redis or overtaken by a change of the file: then the file
 * settles again and comes back here; every step can be done twice. Called by check.c,
 * hash.c and link.c through tell_pump().
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "obj.h"
#include "util.h"
#include "workers/watch/name.h"
#include "workers/watch/watch.h"

#define ASKING_MAX 64		/* files at once */
#define AWAY_MS 1000
#define REFUSED_MS 5000
#define TWIN_MS 10000		/* longest time between two questions after the twin */
#define KEY_BYTES_MAX (WATCH_PATH + 128)

static int asking;

static void claim(struct file *f);

/* f is let go; what is to be done next is in its state. */
static void
let_go(void)
{
	asking--;
	tell_pump();
	watch_idle();
}

/* Out of memory, read-only: said once, and once more after it had worked again. */
static void
log_refusal(int rc)
{
	static bool said;

	if (rc == EIO && !said)
		log_warnx("Redis refuses what it is told of watched files, they are told again every %d s: see its log",
		    REFUSED_MS / 1000);
	if (rc == EIO || rc == 0)
		said = rc == EIO;
}

/* Redis refused or is away: the file comes back later. True: rc was no success, or f was overtaken. */
static bool
is_over(struct file *f, int rc)
{
	log_refusal(rc);
	if (!files_overtaken(f)) {
		if (rc == 0)
			return false;
		files_state(f, FILE_SETTLING);
		check_at(f, now_ms() + (rc == EHOSTDOWN ? AWAY_MS : REFUSED_MS));
	}
	let_go();
	return true;
}

static void
is_known(struct file *f)
{
	f->known = f->settle.id;
	f->announced = f->waits = f->said = false;
	files_state(f, FILE_KNOWN);
	let_go();
}

static const char *
id_of(const struct file *f, char path[WATCH_PATH], char id[LEDGER_ID])
{
	files_log_path(f, path);
	ledger_id(wa.ledger, path, id);
	return id;
}

static json_t *
entry_of(const struct file *f, const char *path, const char *state)
{
	const struct settle_id *i = &f->settle.id;

	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "path", path, "kind", "watch", "size",
	    (json_int_t)i->size, "mtime_ns", (json_int_t)i->mtime_ns, "inode", (json_int_t)i->inode, "sha256",
	    f->sha256, "state", state);
}

/* --- mine: into the ledger, into the queue --- */

static void
added_cb(int rc, const char *id, bool existed, void *ctx)
{
	struct file *f = ctx;
	char path[WATCH_PATH];

	if (is_over(f, rc))
		return;
	files_log_path(f, path);
	if (existed)
		log_debug("is queued already: job=%s file=%s", id, path);
	else {
		wa.queued++;
		log_info("queued for upload: job=%s to=%s%s file=%s", id, f->folder->prefix, f->rel, path);
	}
	is_known(f);
}

static void
add(struct file *f)
{
	const struct settle_id *i = &f->settle.id;
	char path[WATCH_PATH], key[KEY_BYTES_MAX], object[NAME_OBJECT_BYTES];
	json_t *args;

	files_log_path(f, path);
	if (name_object(f->folder->prefix, f->rel, object) == -1) {
		log_warnx("the object's name would be longer than %d bytes: not uploaded: file=%s",
		    NAME_OBJECT_BYTES - 1, path);
		is_known(f);
		return;
	}
	/* With the inode: what was renamed over it may have the same size and time. */
	snprintf(key, sizeof key, "upload:%s:%s:%lld:%lld:%llu", wa.host_id, path, (long long)i->size,
	    (long long)i->mtime_ns, (unsigned long long)i->inode);
	args = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "path", path, "object", object, "kind", "watch",
	    "sha256", f->sha256, "size", (json_int_t)i->size, "mtime_ns", (json_int_t)i->mtime_ns, "layout",
	    f->folder->layout, "bucket", f->folder->bucket);
	queue_add(wa.queue, "upload", key, wa.host_id, 1, args, added_cb, f);
	json_decref(args);
}

static void
queued_cb(int rc, json_t *body, void *ctx)
{
	if (!is_over(ctx, rc))
		add(ctx);
}

static void
queue_it(struct file *f)
{
	char path[WATCH_PATH], id[LEDGER_ID], object[NAME_OBJECT_BYTES];
	json_t *entry;

	id_of(f, path, id);
	entry = entry_of(f, path, "queued");
	if (name_object(f->folder->prefix, f->rel, object) == 0)
		json_object_set_new(entry, "object", json_string(object));
	json_object_set_new(entry, "bucket", *f->folder->bucket ? json_string(f->folder->bucket) : json_null());
	json_object_set_new(entry, "progress", json_integer(0));
	json_object_set_new(entry, "etag", json_null());
	json_object_set_new(entry, "error", json_null());
	ledger_put(wa.ledger, id, entry, queued_cb, f);
	json_decref(entry);
}

/* --- done before, by this file or by one of the same content --- */

static void
skipped_cb(int rc, json_t *body, void *ctx)
{
	struct file *f = ctx;
	char path[WATCH_PATH];

	if (is_over(f, rc))
		return;
	wa.skipped++;
	files_log_path(f, path);
	log_info("already processed and hash unchanged, skipping: sha256=%s file=%s", f->sha256, path);
	is_known(f);
}

/* body: the entry of the file that was done with this content. */
static void
done_by_cb(int rc, json_t *body, void *ctx)
{
	static const char *const where[] = { "bucket", "object", "etag" };
	struct file *f = ctx;
	char path[WATCH_PATH], id[LEDGER_ID];
	json_t *entry, *v;

	if (is_over(f, rc))
		return;
	id_of(f, path, id);
	entry = entry_of(f, path, "verified");
	json_object_set_new(entry, "error", json_null());
	for (size_t i = 0; i < sizeof where / sizeof where[0]; i++)
		if ((v = json_object_get(body, where[i])) != NULL)
			json_object_set(entry, where[i], v);
	ledger_put(wa.ledger, id, entry, skipped_cb, f);
	json_decref(entry);
}

/* --- on its way as another file --- */

static void
twin_cb(int rc, json_t *body, void *ctx)
{
	struct file *f = ctx;
	char path[WATCH_PATH];

	if (is_over(f, rc))
		return;
	files_log_path(f, path);
	if (!f->said)
		log_info("the same content is on its way as another file, waits for that: sha256=%s file=%s", f->sha256,
		    path);
	f->said = f->waits = true;
	files_state(f, FILE_SETTLING);
	check_at(f, now_ms() + (wa.rescan_ms < TWIN_MS ? wa.rescan_ms : TWIN_MS));
	let_go();
}

static void
claimed_cb(int rc, enum claim what, const char *holder, void *ctx)
{
	struct file *f = ctx;
	char path[WATCH_PATH], id[LEDGER_ID];
	json_t *entry;

	if (is_over(f, rc))
		return;
	if (what == CLAIM_MINE) {
		queue_it(f);
	} else if (what == CLAIM_DONE) {
		ledger_get(wa.ledger, holder, done_by_cb, f);
	} else {
		id_of(f, path, id);
		entry = entry_of(f, path, "local");
		ledger_put(wa.ledger, id, entry, twin_cb, f);
		json_decref(entry);
	}
}

static void
claim(struct file *f)
{
	char path[WATCH_PATH], id[LEDGER_ID];

	claim_content(f->sha256, id_of(f, path, id), claimed_cb, f);
}

/* --- the ledger's answer --- */

/* The entry is of this very file, and says what is in it. */
static bool
is_entry_of(const struct file *f, const json_t *entry)
{
	struct settle_id id = { json_integer_value(json_object_get(entry, "size")),
		json_integer_value(json_object_get(entry, "mtime_ns")),
		(uint64_t)json_integer_value(json_object_get(entry, "inode")) };
	const char *sha256 = obj_str(entry, "sha256");

	return entry != NULL && settle_same(&id, &f->settle.id) && strlen(sha256) == 64 &&
	    strspn(sha256, "0123456789abcdef") == 64;
}

static void
asked_cb(int rc, json_t *entry, void *ctx)
{
	struct file *f = ctx;
	const char *state = obj_str(entry, "state");

	if (is_over(f, rc))
		return;
	if (is_entry_of(f, entry)) {
		str_copy(f->sha256, obj_str(entry, "sha256"), sizeof f->sha256);
		f->hashed = f->settle.id;
		if (strcmp(state, "verified") == 0)
			is_known(f);
		else if (strcmp(state, "local") == 0 || strcmp(state, "gone") == 0)
			claim(f);
		else
			add(f);		/* a lost job comes back, another one is found by its key */
		return;
	}
	check_announce(f);
	if (settle_same(&f->hashed, &f->settle.id)) {
		claim(f);
		return;
	}
	files_state(f, FILE_TO_HASH);
	hash_pump();
	let_go();
}

void
tell_pump(void)
{
	static bool inside;
	char path[WATCH_PATH], id[LEDGER_ID];
	struct file *f;

	if (inside)
		return;
	inside = true;
	while (asking < ASKING_MAX && !wa.stopping && !wa.reloading && redis_is_up(wa.redis) &&
	    (f = files_first(FILE_READY)) != NULL) {
		asking++;
		files_state(f, FILE_ASKING);
		ledger_get(wa.ledger, id_of(f, path, id), asked_cb, f);
	}
	inside = false;
}

bool
tell_is_idle(void)
{
	return asking == 0;
}
