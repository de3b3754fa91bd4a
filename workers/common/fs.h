/* fs.h - what workers do with files besides reading and writing them. */
#ifndef MILLRACE_FS_H
#define MILLRACE_FS_H

#include <sys/types.h>

/* mkdir -p of an absolute path. 0, or -1 + errno. */
int fs_make_dirs(const char *path, mode_t mode);
/* A new name in path's folder is on the disk. May wait for it. 0, or -1 + errno. */
int fs_sync_dir_of(const char *path);
#endif
