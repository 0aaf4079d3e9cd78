/* host_locate.c - where in which file an address of code lies, so that another process can find it */
#include "CMapBridge.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct search {
    uintptr_t address;
    mapb_place *out;
    char *path;
    int first;
    int found;
};

/* The file's path without links; as it is where links cannot be followed (readlink is denied). 0: there is none. */
static int resolve(const char *name, char *path) {
    if (realpath(name, path)) return 1;
    if ((errno != EPERM && errno != ENOSYS) || name[0] != '/' || strlen(name) >= PATH_MAX) return 0;
    strcpy(path, name);
    return 1;
}

static int contains(const struct dl_phdr_info *info, uintptr_t address) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && address - (info->dlpi_addr + p->p_vaddr) < p->p_memsz) return 1;
    }
    return 0;
}

static int look(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct search *search = context;
    int is_program = search->first;
    search->first = 0;
    if (!contains(info, search->address)) return 0;
    search->out->kind = MAPB_PLACE_OFFSET;
    search->out->value = search->address - info->dlpi_addr;
    search->out->build_id_size = mapb_read_build_id(info, search->out->build_id);
    /* The vdso has a name but no file. */
    if (is_program) search->found = MAPB_LOCATED_PROGRAM;
    else if (info->dlpi_name && resolve(info->dlpi_name, search->path)) search->found = MAPB_LOCATED_LIBRARY;
    return 1;
}

int mapb_locate(const void *address, mapb_place *out, char *path) {
    struct search search = {(uintptr_t)address, out, path, 1, MAPB_LOCATED_NOWHERE};
    memset(out, 0, sizeof *out);
    path[0] = 0;
    dl_iterate_phdr(look, &search);
    return search.found;
}

int mapb_own_path(char *path, uint64_t size) {
    Dl_info info;
    char resolved[PATH_MAX];
    if (!dladdr((const void *)&mapb_own_path, &info) || !info.dli_fname) return ENOENT;
    if (!resolve(info.dli_fname, resolved)) return errno;
    if (strlen(resolved) >= size) return ENAMETOOLONG;
    strcpy(path, resolved);
    return 0;
}
