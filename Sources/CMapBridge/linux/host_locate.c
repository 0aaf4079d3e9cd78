/* host_locate.c - where in which file an address of code lies, so that another process can find it
 *
 * The loader keeps the names that files were loaded by: relative ones mean something else after a chdir, and a file may have been
 * renamed since. So the kernel is asked, whose name of a mapping (/proc/self/maps) is the file's path from the root as it is now.
 * The loader's name is only for when there is no /proc.
 */
#include "system.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the kernel's name ---- */

/* A line of /proc/self/maps: "start-end rights offset device inode   path". Line feeds in the path are written as \012. */
#define MAPS_LINE (PATH_MAX * 4 + 128)

/* Reads a file line by line: stdio would take memory and locks of the host's. */
struct lines {
    int fd;
    size_t used, at;
    char bytes[MAPS_LINE];
};

static char *next_line(struct lines *l) {
    for (;;) {
        char *end = memchr(l->bytes + l->at, '\n', l->used - l->at);
        if (end) {
            char *line = l->bytes + l->at;
            *end = 0;
            l->at = (size_t)(end - l->bytes) + 1;
            return line;
        }
        memmove(l->bytes, l->bytes + l->at, l->used - l->at);
        l->used -= l->at;
        l->at = 0;
        ssize_t got = read(l->fd, l->bytes + l->used, sizeof l->bytes - l->used);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return NULL;
        l->used += (size_t)got;
    }
}

static uintptr_t hexadecimal(char **at) {
    char *end;
    uintptr_t number = strtoul(*at, &end, 16);
    *at = end;
    return number;
}

/* The path in a line: what follows the fifth field and its blanks. */
static char *path_in(char *line) {
    for (int field = 0; field < 5; field++) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    return line;
}

/* In place: \012, as the kernel writes it, becomes a line feed. */
static void unescape(char *path) {
    char *to = path;
    for (const char *from = path; *from; to++) {
        int escaped = strncmp(from, "\\012", 4) == 0;
        *to = escaped ? '\n' : *from;
        from += escaped ? 4 : 1;
    }
    *to = 0;
}

/* The path of a mapping's file. The link has it as it is; in a line of maps \012 may also have been \012 before. */
static int link_of(uintptr_t start, uintptr_t end, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/map_files/%lx-%lx", (unsigned long)start, (unsigned long)end);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return 1;
}

/* Where the call is denied, the process that opens the file finds out. */
static int is_file(const char *path) { return access(path, F_OK) == 0 || errno == EPERM || errno == ENOSYS; }

/* Makes a path that can be opened of a path as the kernel writes it. @return an enum mapb_located: LIBRARY, or GONE with the path it had.
 * The word behind it may be part of the name, so a file that is there by the whole of it comes first. */
static int settle(char *path, int has_build_id) {
    static const char deleted[] = " (deleted)";
    if (is_file(path)) return MAPB_LOCATED_LIBRARY;
    size_t length = strlen(path), tail = sizeof deleted - 1;
    if (length > tail && strcmp(path + length - tail, deleted) == 0) {
        path[length - tail] = 0;
        /* Replaced: the process that loads it compares the build ids. Without a build id it could not tell the files apart. */
        if (has_build_id && is_file(path)) return MAPB_LOCATED_LIBRARY;
    }
    return MAPB_LOCATED_GONE;
}

/* The path of the file that is mapped at an address. @return 1 found; 0 no file, or no /proc. */
static int mapped_path(uintptr_t address, char path[PATH_MAX]) {
    struct lines *l = malloc(sizeof *l);
    int found = 0;
    if (!l) return 0;
    *l = (struct lines){.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    for (char *line; l->fd >= 0 && (line = next_line(l));) {
        char *at = line;
        uintptr_t start = hexadecimal(&at);
        if (*at++ != '-') continue;
        uintptr_t end = hexadecimal(&at);
        if (address < start || address >= end) continue;
        char *name = path_in(line);
        if (name[0] != '/') break;
        found = link_of(start, end, path);
        if (!found && strlen(name) < PATH_MAX) {
            found = 1;
            unescape(strcpy(path, name));
        }
        break;
    }
    if (l->fd >= 0) close(l->fd);
    free(l);
    return found;
}

/* ---- the loader's view ---- */

struct search {
    uintptr_t address;
    mapb_place *out;
    int first;
    int found;
    int is_program;
    uintptr_t start; /* Of the object's first segment. */
    char name[PATH_MAX];
};

/* The file's path without links; as it is where links cannot be followed (readlink is denied). 0: there is none. */
static int resolve(const char *name, char *path) {
    if (realpath(name, path)) return 1;
    if ((errno != EPERM && errno != ENOSYS) || name[0] != '/' || strlen(name) >= PATH_MAX) return 0;
    strcpy(path, name);
    return 1;
}

static uintptr_t first_segment(const struct dl_phdr_info *info) {
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) return info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    return 0;
}

static int look(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct search *search = context;
    int is_program = search->first;
    search->first = 0;
    if (!object_holds(info, search->address)) return 0;
    search->out->kind = MAPB_PLACE_OFFSET;
    search->out->value = search->address - info->dlpi_addr;
    search->out->build_id_size = mapb_read_build_id(info, search->out->build_id);
    search->found = 1;
    search->is_program = is_program;
    search->start = first_segment(info);
    if (info->dlpi_name && strlen(info->dlpi_name) < sizeof search->name) strcpy(search->name, info->dlpi_name);
    return 1;
}

int mapb_locate(const void *address, mapb_place *out, char *path) {
    struct search *search = calloc(1, sizeof *search);
    char *name = malloc(PATH_MAX);
    int answer = MAPB_LOCATED_NOWHERE;
    memset(out, 0, sizeof *out);
    path[0] = 0;
    if (search && name) {
        search->address = (uintptr_t)address;
        search->out = out;
        search->first = 1;
        dl_iterate_phdr(look, search);
        if (search->found && search->is_program) answer = MAPB_LOCATED_PROGRAM;
        /* Code may have been moved to huge pages, which have no file; then the head of the file is still mapped. The vdso has a name
         * but no file. */
        else if (search->found && (mapped_path(search->address, name) || mapped_path(search->start, name))) {
            answer = settle(name, out->build_id_size > 0);
            strcpy(path, name);
        } else if (search->found && search->name[0] && resolve(search->name, path)) answer = MAPB_LOCATED_LIBRARY;
    }
    free(name);
    free(search);
    return answer;
}

int mapb_symbol_of(const void *address, char *name, uint64_t size) {
    Dl_info info;
    if (!dladdr(address, &info) || !info.dli_sname || info.dli_saddr != address) return 0;
    if (strlen(info.dli_sname) >= size) return 0;
    strcpy(name, info.dli_sname);
    return 1;
}

int mapb_own_path(char *path, uint64_t size) {
    mapb_place place;
    char *found = malloc(PATH_MAX);
    if (!found) return ENOMEM;
    int where = mapb_locate((const void *)&mapb_own_path, &place, found);
    int why = 0;
    if (where == MAPB_LOCATED_PROGRAM) { /* Linked into it. */
        ssize_t length = readlink("/proc/self/exe", found, PATH_MAX - 1);
        if (length < 0) why = errno;
        else found[length] = 0;
    } else if (where == MAPB_LOCATED_NOWHERE) why = ENOENT;
    /* One that is gone was in a folder that may still be there. */
    if (!why && strlen(found) >= size) why = ENAMETOOLONG;
    if (!why) strcpy(path, found);
    free(found);
    return why;
}
