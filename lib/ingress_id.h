/*
 * ingress_id.h - the id that back ends know a stream by, which had /v1/createIngress make a key for
 * it: the same on every host and at any time, made of the name. Pure.
 */
#ifndef MILLRACE_INGRESS_ID_H
#define MILLRACE_INGRESS_ID_H

#define INGRESS_ID 20	/* "IN_" and 16 hexadecimal digits */

const char *ingress_id(const char *name, char buf[INGRESS_ID]);
#endif
