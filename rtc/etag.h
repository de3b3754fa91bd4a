/*
 * etag.h - the entity-tag that names a session's ICE (RFC 9725 4.3.1, WHEP "HTTP PATCH Request Usage"):
 * our ice-ufrag in quotes, which is new after every restart. Pure.
 */
#ifndef MILLRACE_RTC_ETAG_H
#define MILLRACE_RTC_ETAG_H

/*
 * If-Match (RFC 9110 13.1.1), "" if there was none: 0, it names `ufrag` or is "*"; ENODATA: there is none; ESTALE:
 * none of its strong tags is the one.
 */
int etag_match(const char *field, const char *ufrag);
#endif
