/* accept.h - which of two forms of an answer a client would rather have (RFC 9110 section 12.5.1). Pure. */
#ifndef MILLRACE_HTTP_ACCEPT_H
#define MILLRACE_HTTP_ACCEPT_H

#include <stdbool.h>

/* Does accept (NULL: no such field) want text/html more than application/json? If it is all the same: no. */
bool accept_prefers_html(const char *accept);
#endif
