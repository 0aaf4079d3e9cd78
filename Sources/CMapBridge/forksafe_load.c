/* forksafe_load.c - finding code in zygote and workers
 *
 * Runs between fork and the user's function: see mapb_forksafe.h for what may be called here. The zygote has one thread, and
 * glibc's fork() leaves the loader's locks free in the child, so the loader can be used. In a
 * snapshot of a host whose other threads were inside the loader it may hang: then the time limit of setups ends it.
 */
#include "CMapBridge.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

int mapb_process_role;

void mapb_become_worker(void) { mapb_process_role = MAPB_ROLE_WORKER; }

static void say(char *message, uint64_t size, const char *what, const char *name, const char *why) {
    mapb_cut(message, size, snprintf(message, size, "%s \"%s\": %s", what, name, why ? why : "unknown reason"));
}

int mapb_load_library(const char *path, char *message, uint64_t size) {
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL)) return 0;
    say(message, size, "cannot load library", path, dlerror());
    return MAPE_E_LOAD;
}

/* What dl_iterate_phdr looks for: the build id (ELF note NT_GNU_BUILD_ID) of the object at a load address. */
struct build_id_search {
    ElfW(Addr) base;
    uint32_t size;
    uint8_t bytes[MAPB_BUILD_ID];
};

uint32_t mapb_read_build_id(const void *object, uint8_t out[MAPB_BUILD_ID]) {
    const struct dl_phdr_info *info = object;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_NOTE) continue;
        const char *at = (const char *)(info->dlpi_addr + p->p_vaddr), *end = at + p->p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
            const char *name = at + sizeof *note;
            const char *bytes = name + ((note->n_namesz + 3u) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                uint32_t size = note->n_descsz < MAPB_BUILD_ID ? note->n_descsz : MAPB_BUILD_ID;
                memcpy(out, bytes, size);
                return size;
            }
            at = bytes + ((note->n_descsz + 3u) & ~3u);
        }
    }
    return 0;
}

static int match_object(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct build_id_search *search = context;
    if (info->dlpi_addr != search->base) return 0;
    search->size = mapb_read_build_id(info, search->bytes);
    return 1;
}

static int find_offset(const char *path, const mapb_place *place, void **out, char *message, uint64_t size) {
    struct build_id_search search = {0};
    struct link_map *map = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library || dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) {
        say(message, size, "cannot load library", path, dlerror());
        return MAPE_E_LOAD;
    }
    search.base = map->l_addr;
    dl_iterate_phdr(match_object, &search);
    if (search.size != place->build_id_size || memcmp(search.bytes, place->build_id, search.size) != 0) {
        say(message, size, "wrong library", path,
            "the file is not the one that the host has loaded (its build id differs): it was replaced since");
        return MAPE_E_LOAD;
    }
    *out = (void *)(search.base + place->value);
    return 0;
}

int mapb_find_code(const uint8_t *input, const mapb_place *place, void **out, char *message, uint64_t size) {
    const char *path = place->library ? (const char *)input + place->library : NULL;
    *out = NULL;
    switch (place->kind) {
    case MAPB_PLACE_NONE: return 0;
    case MAPB_PLACE_POINTER: *out = (void *)(uintptr_t)place->value; return 0;
    case MAPB_PLACE_OFFSET: return find_offset(path, place, out, message, size);
    case MAPB_PLACE_SYMBOL: {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library) {
            say(message, size, "cannot load library", path, dlerror());
            return MAPE_E_LOAD;
        }
        *out = dlsym(library, (const char *)input + place->value);
        if (*out) return 0;
        say(message, size, "cannot find symbol", (const char *)input + place->value, dlerror());
        return MAPE_E_LOAD;
    }
    default: say(message, size, "cannot find", "function", "unknown kind of place"); return MAPE_E_LOAD;
    }
}
