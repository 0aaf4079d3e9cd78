/* fork_load.c - finding code in zygote and workers
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here. The zygote has one thread, and
 * glibc's fork() makes the locks of the loader free in the child that guard loading and thread-local memory, so the loader can be used. It
 * does not so with the lock of the loader's list, which this library's own look at it keeps free (mapb_each_object). In a snapshot of a host
 * whose other threads were inside the loader it may hang: then the time limit of setups ends it.
 */
#include "system.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int mapb_process_role;

void mapb_become_worker(void) { mapb_process_role = MAPB_ROLE_WORKER; }

static void say(char *message, uint64_t size, const char *what, const char *name, const char *why) {
    mapb_cut(message, size, snprintf(message, size, "%s \"%s\": %s", what, name, why ? why : "unknown reason"));
}

/* ---- which file it is ---- */

/* The build id (ELF note NT_GNU_BUILD_ID) among notes. */
static uint32_t build_id_among(const char *at, const char *end, uint8_t out[MAPB_BUILD_ID]) {
    while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        uint64_t name_size = ((uint64_t)note->n_namesz + 3u) & ~3ull, size = ((uint64_t)note->n_descsz + 3u) & ~3ull;
        const char *name = at + sizeof *note;
        if (name_size > (uint64_t)(end - name) || size > (uint64_t)(end - name) - name_size) break;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            uint32_t used = note->n_descsz < MAPB_BUILD_ID ? note->n_descsz : MAPB_BUILD_ID;
            memcpy(out, name + name_size, used);
            return used;
        }
        at = name + name_size + size;
    }
    return 0;
}

uint32_t mapb_read_build_id(const struct dl_phdr_info *info, uint8_t out[MAPB_BUILD_ID]) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_NOTE) continue;
        const char *at = (const char *)(info->dlpi_addr + p->p_vaddr);
        uint32_t size = build_id_among(at, at + p->p_memsz, out);
        if (size) return size;
    }
    return 0;
}

/* The same from a file that nobody has loaded. */
static uint32_t build_id_in(int fd, uint8_t out[MAPB_BUILD_ID]) {
    ElfW(Ehdr) head;
    _Alignas(8) char notes[1024];
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return 0;
    if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(ElfW(Phdr))) return 0;
    for (uint32_t i = 0; i < head.e_phnum && i < 64; i++) {
        ElfW(Phdr) p;
        if (pread(fd, &p, sizeof p, (off_t)(head.e_phoff + i * sizeof p)) != (ssize_t)sizeof p) return 0;
        if (p.p_type != PT_NOTE) continue;
        size_t most = p.p_filesz < sizeof notes ? (size_t)p.p_filesz : sizeof notes;
        ssize_t got = pread(fd, notes, most, (off_t)p.p_offset);
        uint32_t size = got > 0 ? build_id_among(notes, notes + got, out) : 0;
        if (size) return size;
    }
    return 0;
}

static int is_same_state(const mapb_file *a, const mapb_file *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->modified == b->modified;
}
static int is_same_place(const mapb_file *a, const mapb_file *b) {
    return a->device == b->device && a->inode == b->inode;
}
static int is_same_build(const mapb_file *a, const uint8_t *id, uint32_t size) {
    return size && a->build_id_size == size && memcmp(a->build_id, id, size) == 0;
}

/* Looks at the file at a path; for its build id only when it is not in the state of `wanted`. */
static void look_at(const char *path, const mapb_file *wanted, mapb_file *out) {
    struct stat file;
    memset(out, 0, sizeof *out);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return;
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) {
        out->known = 1;
        out->device = file.st_dev;
        out->inode = file.st_ino;
        out->size = (uint64_t)file.st_size;
        out->modified = (int64_t)file.st_mtim.tv_sec * 1000000000 + file.st_mtim.tv_nsec;
        if (!wanted || !is_same_state(wanted, out)) out->build_id_size = build_id_in(fd, out->build_id);
    }
    close(fd);
}

void mapb_identify(const char *path, mapb_file *out) { look_at(path, NULL, out); }

static int is_same(const mapb_file *wanted, const mapb_file *now) {
    return is_same_state(wanted, now) || is_same_build(wanted, now->build_id, now->build_id_size);
}

int mapb_is_same_file(mapb_file a, mapb_file b) { return a.known == b.known && (!a.known || is_same(&a, &b)); }

/* ---- loading it ---- */

/* What this process, or the zygote it comes from, has loaded. A library that is not in it any more is loaded once more. */
static struct loaded_file {
    mapb_file file;
    void *handle;
} loaded[256];
static uint32_t loaded_count;

static const struct loaded_file *loaded_as(const mapb_file *file) {
    for (uint32_t i = 0; i < loaded_count; i++)
        if (is_same(&loaded[i].file, file)) return &loaded[i];
    return NULL;
}

static const struct loaded_file *loaded_by(const void *handle) {
    for (uint32_t i = 0; i < loaded_count; i++)
        if (loaded[i].handle == handle) return &loaded[i];
    return NULL;
}

static void *keep(const mapb_file *file, void *handle) {
    if (loaded_count < sizeof loaded / sizeof *loaded) loaded[loaded_count++] = (struct loaded_file){*file, handle};
    return handle;
}

/* The loader takes a library that it has by the path's text, or by the file that lies there. Another spelling of the same path leaves
 * the file alone to decide: "/a/lib.so", "/a/./lib.so", "/a/././lib.so" ... False: there is no room for it. */
static int spell(char *out, size_t size, const char *path, int dots) {
    const char *name = strrchr(path, '/') + 1;
    size_t folder = (size_t)(name - path), length = strlen(name);
    if (folder + 2 * (size_t)dots + length + 1 > size) return 0;
    memcpy(out, path, folder);
    for (int i = 0; i < dots; i++) memcpy(out + folder + 2 * (size_t)i, "./", 2);
    memcpy(out + folder + 2 * (size_t)dots, name, length + 1);
    return 1;
}

static const char *const replaced = "the file was replaced since the function was registered";
static const char *const written_over = "the file was written over while it was loaded, which changes the code in "
                                        "memory; a build is to make a new file and rename it, "
                                        "and a new pool takes it";

/* What dl_iterate_phdr looks for: the build id of the object at a load address. */
struct build_id_search {
    ElfW(Addr) base;
    uint32_t size;
    uint8_t bytes[MAPB_BUILD_ID];
};

static int match_object(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct build_id_search *search = context;
    if (info->dlpi_addr != search->base) return 0;
    search->size = mapb_read_build_id(info, search->bytes);
    return 1;
}

static uint32_t build_id_of(void *library, uint8_t out[MAPB_BUILD_ID], ElfW(Addr) * base) {
    struct build_id_search search = {0};
    struct link_map *map = NULL;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return 0;
    *base = search.base = map->l_addr;
    dl_iterate_phdr(match_object, &search);
    memcpy(out, search.bytes, search.size);
    return search.size;
}

/* Looks whether the loader has the wanted file under some spelling already; else loads it under one that it does not have yet. */
static void *load_file(const char *path, const mapb_file *wanted, const char **why) {
    char name[4096];
    uint8_t id[MAPB_BUILD_ID];
    ElfW(Addr) base;
    for (int dots = 0; spell(name, sizeof name, path, dots); dots++) {
        void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
        if (!handle) {
            handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
            *why = handle ? NULL : dlerror();
            return handle;
        }
        const struct loaded_file *known = loaded_by(handle);
        *why = NULL;
        if (known && is_same(&known->file, wanted)) return handle;
        if (known && is_same_place(&known->file, wanted)) *why = written_over;
        if (!known) {
            /* Loaded by other code: by the program, or because another library needs it. */
            uint32_t size = build_id_of(handle, id, &base);
            if (wanted->build_id_size ? is_same_build(wanted, id, size) : dots > 0) return keep(wanted, handle);
            if (dots > 0) *why = written_over; /* The spelling is new, so it is this very file. */
        }
        dlclose(handle);
        if (*why) return NULL;
    }
    *why = "its path is too long";
    return NULL;
}

static void *open_library(const char *path, const mapb_file *wanted, char *message, uint64_t size) {
    const char *why = NULL;
    void *handle = NULL;
    if (!wanted || !wanted->known || !strchr(path, '/')) {
        handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!handle) say(message, size, "cannot load library", path, dlerror());
        return handle;
    }
    mapb_file now;
    look_at(path, wanted, &now);
    const struct loaded_file *known = loaded_as(wanted);
    if (known) {
        if (!now.known || is_same(wanted, &now) || !is_same_place(&known->file, &now)) return known->handle;
        why = written_over;
    } else if (!now.known) {
        why = "the file is not there any more";
    } else if (!is_same(wanted, &now)) {
        why = replaced;
    } else {
        handle = load_file(path, wanted, &why);
        if (handle && !loaded_by(handle)) {
            /* It may have been replaced between our check and the loader's. */
            look_at(path, wanted, &now);
            if (now.known && is_same(wanted, &now)) return keep(is_same_state(wanted, &now) ? wanted : &now, handle);
            why = replaced;
        } else if (handle) {
            return handle;
        }
    }
    say(message, size, "cannot load library", path, why);
    return NULL;
}

int mapb_load_library(const char *path, const mapb_file *file, char *message, uint64_t size) {
    return open_library(path, file, message, size) ? 0 : MAPE_E_LOAD;
}

int mapb_load_named(const mapb_control *message, char *text, uint64_t size) {
    mapb_file file;
    if (message->text_size <= sizeof file) return 0;
    memcpy(&file, message->text, sizeof file);
    return mapb_load_library(message->text + sizeof file, &file, text, size);
}

static int find_offset(const char *path, const mapb_file *file, const mapb_place *place, void **out, char *message,
                       uint64_t size) {
    uint8_t id[MAPB_BUILD_ID];
    ElfW(Addr) base = 0;
    void *library = open_library(path, file, message, size);
    if (!library) return MAPE_E_LOAD;
    uint32_t id_size = build_id_of(library, id, &base);
    if (id_size != place->build_id_size || memcmp(id, place->build_id, id_size) != 0) {
        say(message, size, "wrong library", path,
            "the file is not the one that the host has loaded (its build id differs): it was replaced since");
        return MAPE_E_LOAD;
    }
    *out = (void *)(base + place->value);
    return 0;
}

int mapb_find_code(const uint8_t *input, const mapb_place *place, void **out, char *message, uint64_t size) {
    const char *path = place->library ? (const char *)input + place->library : NULL;
    const mapb_file *file = place->file ? (const mapb_file *)(input + place->file) : NULL;
    *out = NULL;
    switch (place->kind) {
    case MAPB_PLACE_NONE: return 0;
    case MAPB_PLACE_POINTER: *out = (void *)(uintptr_t)place->value; return 0;
    case MAPB_PLACE_OFFSET: return find_offset(path, file, place, out, message, size);
    case MAPB_PLACE_SYMBOL: {
        void *library = open_library(path, file, message, size);
        if (!library) return MAPE_E_LOAD;
        *out = dlsym(library, (const char *)input + place->value);
        if (*out) return 0;
        say(message, size, "cannot find symbol", (const char *)input + place->value, dlerror());
        return MAPE_E_LOAD;
    }
    case MAPB_PLACE_OFFERED_RUN:
    case MAPB_PLACE_OFFERED_RANGE:
    case MAPB_PLACE_OFFERED_SETUP:
    case MAPB_PLACE_OFFERED_CLEANUP:
        return mapb_find_offered(place->kind, (const char *)input + place->value, out, message, size);
    default: say(message, size, "cannot find", "function", "unknown kind of place"); return MAPE_E_LOAD;
    }
}
