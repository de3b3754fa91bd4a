/*
 * watch.h - millrace-watch in one piece: the folders, the files known in them, and which file
 * of the program does what. One process per host; everything is on one loop but reading
 * folders (scan.c) and hashing files (hash.c), which wait for disks on threads.
 *
 *   scan.c, scan_read.c  look through      notify.c  is told by the system (inotify)
 *      \                                      /
 *       files.c   the table of files: what is known, in which state
 *          check.c   has it stopped changing?      hash.c   nobody writes it; its SHA-256
 *             tell.c    the ledger and the queue in Redis       link.c    Redis comes and goes
 *
 * The disk is the truth: whatever is lost of events, of Redis or of this process' memory is
 * found again by a scan, and a file that is told twice is queued once (claim.c).
 */
#ifndef MILLRACE_WATCH_H
#define MILLRACE_WATCH_H

#include <event2/event.h>
#include <sys/queue.h>

#include "svc.h"
#include "workers/common/ledger.h"
#include "workers/common/queue.h"
#include "workers/common/redis.h"
#include "workers/watch/settle.h"

#define WATCH_PATH 4096		/* bytes of a path with its NUL; longer ones are not looked at */

enum file_state {
	FILE_SETTLING,	/* is looked at again at due_ms */
	FILE_READY,	/* quiet: waits for its turn with Redis */
	FILE_ASKING,	/* Redis is being asked or told */
	FILE_TO_HASH,	/* waits for the thread */
	FILE_HASHING,
	FILE_KNOWN,	/* nothing to do */
};

struct file {
	TAILQ_ENTRY(file) all;		/* of its folder */
	TAILQ_ENTRY(file) turn;		/* of its state's list */
	struct folder *folder;
	enum file_state state;
	bool again;			/* something happened while it was being worked on */
	bool gone;			/* ... and that was its end: freed when nobody uses it any more */
	bool announced;			/* "picked up" is in the log */
	bool waits;			/* for another file of the same content */
	bool said;			/* why it is not done is in the log */
	uint32_t unclosed;		/* IN_CREATE, IN_MODIFY: seen of a writer who has not closed it since */
	unsigned generation;		/* of the scan that saw it last */
	int64_t due_ms;
	struct settle settle;
	struct settle_id hashed, known;	/* what sha256 is of; what nothing is to be done for */
	char sha256[65];
	char rel[];			/* path inside the folder */
};
TAILQ_HEAD(file_list, file);

struct folder {
	TAILQ_ENTRY(folder) next;
	const char *dir, *bucket, *prefix, *layout;	/* of the config */
	const char **extensions;	/* NULL at the end */
	bool recursive;
	int64_t poll_ms;		/* 0: inotify */
	void *tree;			/* tsearch(3): files by rel */
	struct file_list files;
	unsigned generation;		/* counts whole scans */
	int scanning;			/* requests of a whole scan that are still to be done */
	bool failed;			/* a part of it could not be read: nothing counts as gone */
	bool scanned;			/* once, whole */
	bool missing;
	int64_t due_ms;			/* of the next whole scan */
};
TAILQ_HEAD(folder_list, folder);

struct watch {
	struct svc *svc;
	struct redis *redis;
	struct ledger *ledger;
	struct queue *queue;
	const char *host_id;
	json_t *folders_conf;
	struct folder_list folders;
	int nfolders;
	int64_t nfiles, nknown;
	int64_t quiet_ms, rescan_ms, unclosed_ms, max_files;
	int max_depth;
	uint64_t queued, skipped, hashed_bytes;	/* for the board */
	bool stopping, reloading;
};
extern struct watch wa;

/* --- main.c --- */
void watch_board(void);
/* A step has ended, perhaps one beside the loop for which a stop or a reload waits. */
void watch_idle(void);

/* --- folder.c --- */
void folder_load_all(void);
void folder_free_all(void);
/* dir/rel (or dir alone for ""). 0, or -1: too long. */
int folder_path(const struct folder *fo, const char *rel, char out[WATCH_PATH]);
/* rel below dir, no link on the way followed; for threads, too. Descriptor or -1 + errno. */
int folder_open(const char *dir, const char *rel, int flags);

/* --- scan.c --- */
void scan_start(void);
void scan_stop(void);
/* The whole folder, now; or one folder inside it. */
void scan_whole(struct folder *fo);
void scan_part(struct folder *fo, const char *rel);
/* An event came of a watch nobody knows yet: what is being scanned is scanned once more. */
void scan_again(void);
bool scan_is_idle(void);

/* --- notify.c --- */
void notify_start(void);
void notify_stop(void);
/* -1: there is no inotify. Threads may use it. */
int notify_fd(void);
#define NOTIFY_MASK (IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | \
	IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
void notify_added(struct folder *fo, const char *rel, int wd);
/* Those that this whole scan did not find again. */
void notify_sweep(struct folder *fo);
/* rel and all below; "" is the whole folder. */
void notify_drop(struct folder *fo, const char *rel);

/* --- files.c --- */
/* NULL: limits.watch_files, said once. */
struct file *files_get(struct folder *fo, const char *rel, bool make);
/* It is no more: freed at once, or when nobody works on it. */
void files_gone(struct file *f);
void files_gone_below(struct folder *fo, const char *rel);
/* Those that this whole scan did not find again. */
void files_sweep(struct folder *fo);
void files_free_all(struct folder *fo);
/* Moves f to the list of a state. */
void files_state(struct file *f, enum file_state state);
struct file *files_first(enum file_state state);
/* The end of a step: true if f went away or changed meanwhile; it is looked at again, the caller lets go of it. */
bool files_overtaken(struct file *f);
/* Everything that counts as done is asked for again: Redis may have forgotten it. */
void files_doubt_all(void);
void files_log_path(const struct file *f, char out[WATCH_PATH]);

/* --- check.c --- */
void check_start(void);
void check_stop(void);
/* Looked at in ms; sooner if that was planned. */
void check_at(struct file *f, int64_t ms);
/* "picked up", once per content. */
void check_announce(struct file *f);
/* Something happened to it. */
void check_event(struct file *f);
/* A scan saw it like this. */
void check_seen(struct file *f, const struct settle_id *id);

/* --- hash.c --- */
void hash_pump(void);
void hash_stop(void);
bool hash_is_idle(void);

/* --- tell.c --- */
/* Takes up what is READY, as far as Redis is there. */
void tell_pump(void);
bool tell_is_idle(void);

/* --- claim.c --- */
enum claim { CLAIM_MINE, CLAIM_DONE, CLAIM_OTHER };
/* id: of the file this content was done with, or which is on its way with it; "" for MINE. */
typedef void (*claim_cb)(int rc, enum claim what, const char *id, void *ctx);
void claim_content(const char *sha256, const char *id, claim_cb cb, void *ctx);

/* --- link.c --- */
void link_start(void);
void link_config(void);
/* Has Redis lost everything without having been away? Asked before each whole scan. */
void link_doubt(void);
void link_stop(void);
#endif
