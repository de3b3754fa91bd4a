/* user_agent.h - who publishes, by the User-Agent field of its request. Pure. */
#ifndef MILLRACE_USER_AGENT_H
#define MILLRACE_USER_AGENT_H

#include <stddef.h>

/* "Chrome/156.0.0.0" of a browser's long list; else as it begins; "" for NULL. */
void user_agent_say(const char *field, char *out, size_t size);
#endif
