/* glibc_fallbacks.cpp - what Sources/glibc/fallbacks.c has in place of a later glibc does what that glibc does
 *
 * Linked with fallbacks.o, in which each name begins with `old_`, and with libgcc's unwinder, whose call of _dl_find_object goes to
 * old___wrap__dl_find_object (--defsym): there is no __real__dl_find_object here, as on an older glibc. library.sh builds and runs it.
 */
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <set>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

extern "C" {
int old_stat(const char *path, struct stat *out);
int old_lstat(const char *path, struct stat *out);
int old_fstat(int fd, struct stat *out);
int old_fstatat(int folder, const char *path, struct stat *out, int flags);
uint32_t old_arc4random(void);
extern char old___libc_single_threaded;
int old___wrap__dl_find_object(void *address, struct dl_find_object *out);
}

static int passed, failed;

static void check(bool is_right, const char *what) {
    printf("%s %s\n", is_right ? "ok" : "FAILED", what);
    (is_right ? passed : failed)++;
}

/* ---- stat ---- */

static bool is_same(const struct stat &a, const struct stat &b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_nlink == b.st_nlink &&
           a.st_uid == b.st_uid && a.st_gid == b.st_gid && a.st_rdev == b.st_rdev && a.st_size == b.st_size &&
           a.st_blksize == b.st_blksize && a.st_blocks == b.st_blocks && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
           a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_ctim.tv_sec == b.st_ctim.tv_sec;
}

static void files() {
    for (const char *path : {"/proc/self/exe", "/etc/passwd", "/dev/null", "/", "/nowhere", ""}) {
        const std::string name = std::string(" of \"") + path + "\"";
        struct stat ours = {}, theirs = {};
        int a = stat(path, &theirs), why_a = a ? errno : 0, b = old_stat(path, &ours), why_b = b ? errno : 0;
        check(a == b && why_a == why_b && is_same(ours, theirs), ("stat" + name).c_str());
        ours = theirs = {};
        a = lstat(path, &theirs), b = old_lstat(path, &ours);
        check(a == b && is_same(ours, theirs), ("lstat" + name).c_str());
        ours = theirs = {};
        a = fstatat(AT_FDCWD, path, &theirs, AT_SYMLINK_NOFOLLOW),
        b = old_fstatat(AT_FDCWD, path, &ours, AT_SYMLINK_NOFOLLOW);
        check(a == b && is_same(ours, theirs), ("fstatat" + name).c_str());
        const int file = open(path, O_PATH | O_CLOEXEC);
        ours = theirs = {};
        a = fstat(file, &theirs), why_a = a ? errno : 0, b = old_fstat(file, &ours), why_b = b ? errno : 0;
        check(a == b && why_a == why_b && is_same(ours, theirs), ("fstat" + name).c_str());
        if (file >= 0) close(file);
    }
}

/* ---- numbers ---- */

static void numbers() {
    std::set<uint32_t> seen;
    uint32_t ones = 0, zeros = 0;
    for (int i = 0; i < 1000; i++) {
        const uint32_t number = old_arc4random();
        seen.insert(number);
        ones |= number;
        zeros |= ~number;
    }
    /* That two of 1,000 are equal happens once in 8,600 runs, that five are not in the life of this project. */
    check(seen.size() > 995, "arc4random gives other numbers each time");
    check(ones == UINT32_MAX && zeros == UINT32_MAX, "arc4random gives each bit both ways");
    check(old___libc_single_threaded == 0, "counts are atomic");
}

/* ---- the unwinder ---- */

using find_object = int (*)(void *, struct dl_find_object *);

static void is_as_found(find_object theirs, void *address, const char *what) {
    struct dl_find_object a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    const int found = theirs(address, &a), ours = old___wrap__dl_find_object(address, &b);
    const uintptr_t at = (uintptr_t)address;
    const bool holds_it = (uintptr_t)b.dlfo_map_start <= at && at < (uintptr_t)b.dlfo_map_end;
    check(found == ours && a.dlfo_eh_frame == b.dlfo_eh_frame && (found != 0 || holds_it), what);
}

static void objects() {
    const auto theirs = (find_object)dlsym(RTLD_DEFAULT, "_dl_find_object");
    if (!theirs) return; /* This glibc has none to compare with. */
    static int data;
    int local = 0;
    is_as_found(theirs, (void *)&objects, "a function of the program is found");
    is_as_found(theirs, (void *)dlsym(RTLD_DEFAULT, "malloc"), "a function of the C library is found");
    is_as_found(theirs, &data, "data of the program is found");
    is_as_found(theirs, &local, "the stack is no object");
    is_as_found(theirs, nullptr, "nor is nothing");
    is_as_found(theirs, (void *)UINTPTR_MAX, "nor is the last address");
}

struct Noticed {
    int &count;
    ~Noticed() { count++; }
};

__attribute__((noinline)) static int thrown(int depth, int &left) {
    Noticed noticed{left};
    if (depth == 0) throw std::string("from below");
    return thrown(depth - 1, left) + 1;
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *, void *count) {
    ++*(int *)count;
    return _URC_NO_REASON;
}

__attribute__((noinline)) static int frames(int depth) {
    if (depth > 0) return frames(depth - 1) + (depth == -1);
    int count = 0;
    _Unwind_Backtrace(count_frame, &count);
    return count;
}

static void unwinding() {
    int left = 0;
    std::string caught;
    try {
        thrown(10, left);
    } catch (const std::string &text) {
        caught = text;
    }
    check(caught == "from below" && left == 11, "an exception passes eleven functions");
    check(frames(20) >= frames(0) + 20, "a backtrace has a frame for each function");
}

int main() {
    files();
    numbers();
    objects();
    unwinding();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
