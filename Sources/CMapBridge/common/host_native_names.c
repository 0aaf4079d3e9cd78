/* host_native_names.c - the names that C's headers have for numbers, as the compiler of this library sees them
 *
 * Which width and sign a name has is the machine's and the C library's choice. They are taken from the headers themselves, so that
 * none of them can be written down wrongly. Tests/types/names.py compares this list with what the headers declare.
 */
#include "CMapBridge.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <uchar.h>
#include <wchar.h>

#define NAME(type)                                                                                                     \
    { #type, sizeof(type), (type)-1 < (type)1 }

static const mapb_type_name names[] = {
    /* <stdint.h> */
    NAME(int8_t),
    NAME(int16_t),
    NAME(int32_t),
    NAME(int64_t),
    NAME(uint8_t),
    NAME(uint16_t),
    NAME(uint32_t),
    NAME(uint64_t),
    NAME(int_least8_t),
    NAME(int_least16_t),
    NAME(int_least32_t),
    NAME(int_least64_t),
    NAME(uint_least8_t),
    NAME(uint_least16_t),
    NAME(uint_least32_t),
    NAME(uint_least64_t),
    NAME(int_fast8_t),
    NAME(int_fast16_t),
    NAME(int_fast32_t),
    NAME(int_fast64_t),
    NAME(uint_fast8_t),
    NAME(uint_fast16_t),
    NAME(uint_fast32_t),
    NAME(uint_fast64_t),
    NAME(intptr_t),
    NAME(uintptr_t),
    NAME(intmax_t),
    NAME(uintmax_t),
    /* <stddef.h>, <wchar.h>, <uchar.h>, <signal.h>, <time.h> */
    NAME(size_t),
    NAME(ptrdiff_t),
    NAME(wchar_t),
    NAME(wint_t),
    NAME(char16_t),
    NAME(char32_t),
    NAME(sig_atomic_t),
    NAME(time_t),
    NAME(clock_t),
    /* <sys/types.h>, as POSIX has it */
    NAME(ssize_t),
    NAME(off_t),
    NAME(pid_t),
    NAME(uid_t),
    NAME(gid_t),
    NAME(id_t),
    NAME(mode_t),
    NAME(dev_t),
    NAME(ino_t),
    NAME(nlink_t),
    NAME(blksize_t),
    NAME(blkcnt_t),
    NAME(fsblkcnt_t),
    NAME(fsfilcnt_t),
    NAME(key_t),
    NAME(clockid_t),
    NAME(suseconds_t),
    NAME(useconds_t),
    /* and what C libraries for Linux add */
    NAME(u_char),
    NAME(u_short),
    NAME(u_int),
    NAME(u_long),
    NAME(ushort),
    NAME(uint),
    NAME(ulong),
    NAME(u_int8_t),
    NAME(u_int16_t),
    NAME(u_int32_t),
    NAME(u_int64_t),
    NAME(quad_t),
    NAME(u_quad_t),
    NAME(register_t),
    NAME(loff_t),
#ifdef __GLIBC__
    NAME(daddr_t),
    NAME(ino64_t),
    NAME(off64_t),
    NAME(blkcnt64_t),
    NAME(fsblkcnt64_t),
    NAME(fsfilcnt64_t),
#endif
};

const mapb_type_name *mapb_type_names(uint32_t *count) {
    *count = sizeof names / sizeof names[0];
    return names;
}
