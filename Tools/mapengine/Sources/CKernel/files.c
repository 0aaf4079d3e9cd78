#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>

int files_copy_attributes(int from, int to) {
    char names[4096], mine[4096], theirs[4096];
    ssize_t size = flistxattr(from, names, sizeof names);
    if (size < 0) return errno == ENOTSUP ? 0 : errno;
    for (char *name = names; name < names + size; name += strlen(name) + 1) {
        ssize_t wanted = fgetxattr(from, name, theirs, sizeof theirs);
        if (wanted < 0) return errno;
        ssize_t there = fgetxattr(to, name, mine, sizeof mine);
        if (there == wanted && memcmp(mine, theirs, (size_t)wanted) == 0) continue;
        if (fsetxattr(to, name, theirs, (size_t)wanted, 0) != 0) return errno;
    }
    return 0;
}

int files_open_folder(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

int files_scratch(void) { return memfd_create("mapengine-output", MFD_CLOEXEC); }

int files_allocate(int fd, long size) {
    if (fallocate(fd, 0, 0, size) == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return 0;
    return errno;
}
