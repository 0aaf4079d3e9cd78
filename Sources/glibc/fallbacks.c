/* fallbacks.c - what the linked-in runtimes of Swift, C++ and gcc want of glibc that version 2.28 does not have
 *
 * Library and command line are linked against the symbols of glibc 2.28 (scripts/glibc/). The runtimes that are linked into them are
 * compiled with the headers of a later glibc and name a few things of it. Those stand here, in an archive that the linker looks into as
 * it looks into glibc's own libc_nonshared.a: hidden, so that nobody else's call comes here. What MapEngine itself calls is in 2.28.
 * Tests/glibc compares each with the C library's own.
 */
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef FALLBACK /* The test gives them names of their own. */
#define FALLBACK(name) name
#endif

/* ---- stat (2.33): until then the header called these, with the version of struct stat ---- */

int __xstat(int version, const char *path, struct stat *out);
int __lxstat(int version, const char *path, struct stat *out);
int __fxstat(int version, int fd, struct stat *out);
int __fxstatat(int version, int folder, const char *path, struct stat *out, int flags);

#ifdef __x86_64__
enum { STAT_VERSION = 1 };
#else
enum { STAT_VERSION = 0 };
#endif

int FALLBACK(stat)(const char *path, struct stat *out) { return __xstat(STAT_VERSION, path, out); }
int FALLBACK(lstat)(const char *path, struct stat *out) { return __lxstat(STAT_VERSION, path, out); }
int FALLBACK(fstat)(int fd, struct stat *out) { return __fxstat(STAT_VERSION, fd, out); }
int FALLBACK(fstatat)(int folder, const char *path, struct stat *out, int flags) {
    return __fxstatat(STAT_VERSION, folder, path, out, flags);
}

/* ---- arc4random (2.36): libstdc++'s random_device ---- */

uint32_t FALLBACK(arc4random)(void) {
    uint32_t number;
    if (getentropy(&number, sizeof number) != 0) abort(); /* As glibc ends a program to which the kernel gives none. */
    return number;
}

/* ---- __libc_single_threaded (2.32): libstdc++ counts references without atomic operations while it is true ---- */

char FALLBACK(__libc_single_threaded) = 0;

/* ---- _dl_find_object (2.35): libgcc's unwinder finds a function's table by it ---- */

#if __GLIBC_PREREQ(2, 35) /* These headers, and so the libgcc that is linked in, know of it. */

/* Where glibc has it, it is called: it takes no lock, which a handler of crashes wants. The reference is weak and has no version, so
 * that an older glibc is none the worse for it. The linker's option --wrap leads libgcc here, and this name to glibc's. */
extern int __real__dl_find_object(void *address, struct dl_find_object *out) __attribute__((weak));

/* The segments of a loaded file are one stretch of addresses, from the first to the end of the last. */
struct wanted {
    uintptr_t address;
    struct dl_find_object *out;
};

static int is_it(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct wanted *wanted = context;
    uintptr_t start = UINTPTR_MAX, end = 0;
    void *table = NULL;
    int holds_it = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const uintptr_t from = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_GNU_EH_FRAME) table = (void *)from; /* NOLINT: an address of the loader's */
        if (p->p_type != PT_LOAD) continue;
        if (from < start) start = from;
        if (from + p->p_memsz > end) end = from + p->p_memsz;
        holds_it |= wanted->address - from < p->p_memsz;
    }
    if (!holds_it) return 0;
    if (!table) return -1;
    memset(wanted->out, 0, sizeof *wanted->out);
    wanted->out->dlfo_map_start = (void *)start; /* NOLINT */
    wanted->out->dlfo_map_end = (void *)end;     /* NOLINT */
    wanted->out->dlfo_eh_frame = table;
    return 1;
}

int FALLBACK(__wrap__dl_find_object)(void *address, struct dl_find_object *out);
int FALLBACK(__wrap__dl_find_object)(void *address, struct dl_find_object *out) {
    if (__real__dl_find_object) return __real__dl_find_object(address, out);
    struct wanted wanted = {(uintptr_t)address, out};
    return dl_iterate_phdr(is_it, &wanted) == 1 ? 0 : -1;
}

#endif
