/* fs.h - what workers do with files besides reading and writing them. */
#ifndef MILLRACE_FS_H
#define MILLRACE_FS_H

#include <sys/types.h>

/* mkdir -p of an absolute path. 0, or -1 + errno. */
int fs_make_dirs(const char *path, mode_t mode);
/* What is in fd (taken; -1 fails with errno) to the disk, from renamed to to, that too. May wait. 0, or an errno. */
int fs_sync_rename(int fd, const char *from, const char *to);
/* A new name in path's folder is on the disk. May wait for it. 0, or -1 + errno. */
int fs_sync_dir_of(const char *path);
#endif
