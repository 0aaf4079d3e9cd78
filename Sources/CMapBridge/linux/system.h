/* system.h - what the files of this folder share, and nobody else knows */
#ifndef MAPB_LINUX_SYSTEM_H
#define MAPB_LINUX_SYSTEM_H

#include "CMapBridge.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

/** A host may have closed its standard input, output or error. Code that prints would write to the descriptor that gets such a number, so
 *  none of ours keeps one. Takes a new descriptor, or -1 with errno set. @return a descriptor, or a negative errno. */
static inline int above_standard(int fd) {
    if (fd < 0) return -errno;
    if (fd > 2) return fd;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 3), why = errno;
    close(fd);
    return other >= 0 ? other : -why;
}

/** Whether the child of this thread's next fork(2) becomes a zygote, which closes by itself what it does not need. */
void mapb_next_becomes_zygote(int does);

/** Whether an address lies in a file that the loader has mapped. */
static inline int object_holds(const struct dl_phdr_info *info, uintptr_t address) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && address - (info->dlpi_addr + p->p_vaddr) < p->p_memsz) return 1;
    }
    return 0;
}

/** dl_iterate_phdr(3), so that a fork in another thread waits until it is over. Not after a fork. */
int mapb_each_object(int (*look)(struct dl_phdr_info *, size_t, void *), void *context);
/** The build id (ELF note NT_GNU_BUILD_ID) of such a file. @return its size, 0 when there is none. After a fork as well. */
uint32_t mapb_read_build_id(const struct dl_phdr_info *info, uint8_t out[MAPB_BUILD_ID]);
/** Moves a descriptor to a number that functions do not come near. @return it. After a fork as well. */
int mapb_far_away(int fd);
/** By what an open file is known. @return 1; 0: there is none. After a fork as well. */
int mapb_file_of(int fd, mapb_inode *out);
/** The version of Landlock that this kernel has; 0: none. After a fork as well. */
int mapb_landlock_version(void);
/** Makes a mapping without access rights (mprotect(2) sets them) whose pages become resident as they are touched, also in a host that has
 *  locked all future memory. flags: MAP_SHARED or MAP_PRIVATE, ... @return NULL with errno on failure. */
void *mapb_map_unlocked(uint64_t size, int flags, int fd);

#endif
