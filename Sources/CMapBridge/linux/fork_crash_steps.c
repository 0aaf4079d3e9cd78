/* fork_crash_steps.c - the steps of a crash handler: the frames, the files that they lie in, their names
 *
 * Runs in a worker that is about to end: see fork_crash.c.
 */
#include "fork_crash.h"

#include <dlfcn.h>
#include <string.h>
#include <unwind.h>

/* libbacktrace (in gcc's own folder, where only gcc finds its header). Its dl_iterate_phdr is renamed to mapb_crash_objects when the
 * library is built (scripts/setup.sh), so that it reads only the files that frames lie in, not all that a host has loaded. */
struct backtrace_state;
struct backtrace_state *backtrace_create_state(const char *filename, int threaded,
                                               void (*error)(void *data, const char *message, int number), void *data);
int backtrace_pcinfo(struct backtrace_state *state, uintptr_t pc,
                     int (*found)(void *data, uintptr_t pc, const char *file, int line, const char *function),
                     void (*error)(void *data, const char *message, int number), void *data);
int backtrace_syminfo(struct backtrace_state *state, uintptr_t pc,
                      void (*found)(void *data, uintptr_t pc, const char *name, uintptr_t value, uintptr_t size),
                      void (*error)(void *data, const char *message, int number), void *data);
int mapb_crash_objects(int (*each)(struct dl_phdr_info *, size_t, void *), void *data);

/* ---- texts ---- */

/* Adds a text to the record, or finds it there. @return its offset; 0 when there is no room. */
static uint16_t put_text(const char *text) {
    mapb_crash *r = mapb_crashing.record;
    if (!text || !*text) return 0;
    size_t length = mapb_length(text, 400);
    for (uint32_t at = 1; at < r->head.text_size; at += (uint32_t)strnlen(r->text + at, r->head.text_size - at) + 1) {
        if (strncmp(r->text + at, text, length) == 0 && r->text[at + length] == 0) return (uint16_t)at;
    }
    uint32_t at = r->head.text_size;
    if (length + 1 > sizeof r->text - at) return 0;
    memcpy(r->text + at, text, length);
    r->text[at + length] = 0;
    r->head.text_size = at + (uint32_t)length + 1;
    return (uint16_t)at;
}

/* ---- the steps ---- */

void mapb_crash_add_frame(uintptr_t pc) {
    mapb_crash *r = mapb_crashing.record;
    memset(&r->frame[r->head.frames], 0, sizeof r->frame[0]);
    r->frame[r->head.frames].pc = pc;
    r->head.frames++;
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *unused) {
    (void)unused;
    int is_exact = 0;
    uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);
    if (!mapb_crashing.is_seen) {
        /* Frames of the handler come first. */
        if (pc != mapb_crashing.target) return ++mapb_crashing.skipped > 64 ? _URC_NORMAL_STOP : _URC_NO_REASON;
        mapb_crashing.is_seen = 1;
        if (mapb_crashing.record->head.frames == 1 && pc == mapb_crashing.record->head.pc) return _URC_NO_REASON;
        is_exact = 0;
    }
    if (pc == 0 || (mapb_crashing.thread == mapb_crashing.pid && _Unwind_GetCFA(context) >= mapb_crashing.base))
        return _URC_NORMAL_STOP;
    if (mapb_crashing.record->head.frames >= MAPB_CRASH_FRAMES) {
        mapb_crashing.record->head.flags |= MAPB_CRASH_MORE_FRAMES;
        return _URC_NORMAL_STOP;
    }
    /* A return address may already belong to the next function: what is looked up is the call. The first frame's is exact. */
    mapb_crash_add_frame(is_exact ? pc : pc - 1);
    return _URC_NO_REASON;
}

void mapb_crash_walk(void) {
    mapb_crashing.is_seen = 0;
    mapb_crashing.skipped = 0;
    mapb_crashing.target = *register_pc(mapb_crashing.context);
    _Unwind_Backtrace(on_frame, NULL);
}

/* A call of a wild pointer has no frame that the unwinder knows: goes on at the caller. */
void mapb_crash_walk_from_caller(void) {
    if (mapb_crashing.record->head.frames > 1) return;
    return_at_once(mapb_crashing.context);
    mapb_crash_walk();
}

static int on_object(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    mapb_crash *r = mapb_crashing.record;
    int number = -1;
    int is_engine = object_holds(info, (uintptr_t)&mapb_crash_watch);
    for (uint32_t i = 0; i < r->head.frames; i++) {
        if (r->frame[i].module || !object_holds(info, r->frame[i].pc)) continue;
        if (number < 0) {
            if (r->head.modules >= MAPB_CRASH_MODULES) return 0;
            mapb_crash_module *m = &r->module[r->head.modules];
            memset(m, 0, sizeof *m);
            m->base = info->dlpi_addr;
            if (info->dlpi_name && *info->dlpi_name) {
                m->path = put_text(info->dlpi_name);
            } else {
                char path[512];
                ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
                path[length > 0 ? length : 0] = 0;
                m->path = put_text(path);
            }
            number = (int)r->head.modules++;
            m->build_id_size = mapb_read_build_id(info, m->build_id);
        }
        r->frame[i].module = (uint16_t)(number + 1);
        if (is_engine) r->frame[i].flags |= MAPB_CRASH_FRAME_ENGINE;
    }
    return 0;
}

void mapb_crash_find_modules(void) {
    mapb_crash *r = mapb_crashing.record;
    dl_iterate_phdr(on_object, NULL);
    /* Of the frames of this library that called the function, one is enough. */
    while (r->head.frames > 2 &&
           r->frame[r->head.frames - 1].flags & r->frame[r->head.frames - 2].flags & MAPB_CRASH_FRAME_ENGINE)
        r->head.frames--;
}

/* Files of which the loader's names are enough: this library, and the C library, whose debug information, where it is installed,
 * takes ten times as long to read as the rest. */
static int is_plain(const mapb_crash_frame *frame) {
    static const char *const names[] = {"libc.so", "libm.so", "libpthread.so", "ld-linux"};
    if (!frame->module || frame->flags & MAPB_CRASH_FRAME_ENGINE) return 1;
    const char *path = mapb_crashing.record->text + mapb_crashing.record->module[frame->module - 1].path, *name = path;
    for (const char *c = path; *c; c++) {
        if (*c == '/') name = c + 1;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0) return 1;
    }
    return 0;
}

/* For libbacktrace: the objects that frames lie in. */
struct relay {
    int (*each)(struct dl_phdr_info *, size_t, void *);
    void *data;
};

static int pass_on(struct dl_phdr_info *info, size_t size, void *context) {
    const struct relay *relay = context;
    const mapb_crash *r = mapb_crashing.record;
    for (uint32_t i = 0; i < r->head.frames; i++) {
        if (is_plain(&r->frame[i]) || !object_holds(info, r->frame[i].pc)) continue;
        return relay->each(info, size, relay->data);
    }
    return 0;
}

int mapb_crash_objects(int (*each)(struct dl_phdr_info *, size_t, void *), void *data) {
    struct relay relay = {each, data};
    return dl_iterate_phdr(pass_on, &relay);
}

static void on_error(void *data, const char *message, int number) { (void)data, (void)message, (void)number; }

static void on_symbol(void *data, uintptr_t pc, const char *name, uintptr_t value, uintptr_t size) {
    (void)size;
    mapb_crash_frame *frame = data;
    if (!name) return;
    frame->symbol = put_text(name);
    frame->symbol_offset = pc - value;
}

/* Called for each function that is inlined at the place, innermost first: the record keeps the first one. */
static int on_line(void *data, uintptr_t pc, const char *file, int line, const char *function) {
    (void)pc;
    mapb_crash_frame *frame = data;
    if (file && line > 0) {
        frame->file = put_text(file);
        frame->line = (uint32_t)line;
    }
    uint16_t name = put_text(function);
    if (name != frame->symbol) frame->function = name;
    return 1;
}

void mapb_crash_find_symbols(void) {
    mapb_crash *r = mapb_crashing.record;
    /* What the loader knows costs nothing, and is there when a file cannot be read. */
    for (uint32_t i = 0; i < r->head.frames; i++) {
        Dl_info found;
        mapb_crash_frame *frame = &r->frame[i];
        if (!frame->module) continue;
        if (!dladdr((const void *)frame->pc, &found) || !found.dli_sname) continue;
        on_symbol(frame, frame->pc, found.dli_sname, (uintptr_t)found.dli_saddr, 0);
    }
    struct backtrace_state *state = backtrace_create_state("/proc/self/exe", 0, on_error, NULL);
    for (uint32_t i = 0; state && i < r->head.frames; i++) {
        mapb_crash_frame *frame = &r->frame[i];
        if (is_plain(frame)) continue;
        backtrace_syminfo(state, frame->pc, on_symbol, on_error, frame);
        backtrace_pcinfo(state, frame->pc, on_line, on_error, frame);
    }
}
