/* push_int.h - what push.c (targets of streams) and push_call.c (adding and removing them) share. */
#ifndef MILLRACE_PUSH_INT_H
#define MILLRACE_PUSH_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "board.h"
#include "supervisor/push_url.h"

#define PUSH_KEY_MAX (BOARD_NAME + PUSH_ID_MAX + 1)

extern json_t *push_added;	/* [target], each for one stream */
extern json_t *push_held;	/* {"NAME/ID"}: of the config, removed while live */

const char *push_text(const json_t *target, const char *key);	/* "" if it is absent */
/* app NULL: any. */
bool push_fits(const json_t *target, const char *name, const char *app);
const char *push_held_key(const char *name, const char *id, char buf[PUSH_KEY_MAX]);
void push_update_all(void);
int push_save(void);		/* push_added to the disk; 0, or -1 after a message */
#endif
