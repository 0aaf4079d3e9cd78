/* host_memory.c - the memory that the host shares */
#include "system.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

int mapb_shared_create(const char *name, uint64_t size, const char **call) {
    *call = "memfd_create";
    int fd = above_standard(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0) return fd;
    *call = "ftruncate of a memfd";
    int got = ftruncate(fd, (off_t)size);
    if (got == 0) *call = "fcntl(F_ADD_SEALS)", got = fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (got == 0) return fd;
    int why = errno;
    close(fd);
    return -why;
}

/* Where all memory to come is locked (mlockall(2), MCL_FUTURE), mmap takes every page at once, and refuses what is beyond
 * RLIMIT_MEMLOCK. So a mapping begins with one page that cannot be touched, is unlocked, and grows. */
void *mapb_map_unlocked(uint64_t size, int flags, int fd) {
    void *first = mmap(NULL, 4096, PROT_NONE, flags | MAP_NORESERVE, fd, 0);
    if (first == MAP_FAILED) return NULL;
    munlock(first, 4096); /* Where it is denied (@memlock of systemd), so is locking. */
    void *at = mremap(first, 4096, size, MREMAP_MAYMOVE);
    if (at != MAP_FAILED) return at;
    int why = errno;
    munmap(first, 4096);
    if (why == EPERM || why == ENOSYS) at = mmap(NULL, size, PROT_NONE, flags | MAP_NORESERVE, fd, 0);
    if (at != MAP_FAILED) return at;
    errno = why;
    return NULL;
}

/* Where address space is limited, memory to be shared does not take the last of it: then the next malloc of anybody in this process would
 * fail. */
#define ROOM_LEFT (16u << 20)

static int leaves_room(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1;
    void *probe = mmap(NULL, ROOM_LEFT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED) return 0;
    munmap(probe, ROOM_LEFT);
    return 1;
}

uint8_t *mapb_shared_map_host(int fd, uint64_t size) {
    void *at = mapb_map_unlocked(size, MAP_SHARED, fd);
    if (!at) return NULL;
    if (!leaves_room() || mprotect(at, size, PROT_READ | PROT_WRITE) != 0) {
        int why = errno;
        munmap(at, size);
        errno = why;
        return NULL;
    }
    madvise(at, size, MADV_DONTFORK);
    madvise(at, size, MADV_DONTDUMP);
    return at;
}

int mapb_shared_reader(int fd) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return above_standard(open(path, O_RDONLY | O_CLOEXEC));
}

void mapb_shared_discard(uint8_t *at, uint64_t size) { madvise(at, size, MADV_REMOVE); }
void mapb_shared_unmap(uint8_t *at, uint64_t size) { munmap(at, size); }
