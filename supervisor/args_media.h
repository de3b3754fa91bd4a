/*
 * args_media.h - what more than one ffmpeg of ours is told, so that it stands once: encoders, what a stranger's
 * container may be, how a server's certificate is looked at. Pure; used by the *_argv.c files.
 */
#ifndef MILLRACE_SUPERVISOR_ARGS_MEDIA_H
#define MILLRACE_SUPERVISOR_ARGS_MEDIA_H

#include <jansson.h>
#include <stdbool.h>

#include "supervisor/args.h"

/*
 * What a stranger's file may be. Playlists and the like, which name other files, are not among
 * them: no list of protocols alone keeps ffmpeg from reading those.
 */
#define ARGS_FORMATS "mov,matroska,webm,flv,mpegts,mpeg,avi,ogg,wav,mp3,aac,asf"

/* A param that must be there and true or false. 0, or -1. */
int args_bool(const json_t *params, const char *key, bool *out);
/* AAC of 48 kHz, two channels; holes: sound of a browser or a stranger has some, and players would drift. */
void args_aac(struct args *a, bool holes);
/* H.264 as soon as a picture comes, of 6 Mbit/s at most. */
void args_x264_live(struct args *a);
/* A key frame each 2 s by time, whatever the frame rate is. */
void args_key_frames(struct args *a);
/* The CA file that the certificate of this URL's server is judged by. NULL: it has none, or any is taken. */
const char *args_ca_file(const char *url, bool verify, const char *ca_file);
/* An output option of rtmps: ffmpeg believes every certificate unless it is told not to. ca_file: NULL, or of above. */
void args_verify(struct args *a, const char *ca_file);
#endif
