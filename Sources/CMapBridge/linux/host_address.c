/* host_address.c - where the addresses of this process end
 *
 * A process has 47 bits of addresses on x86-64 (without the last page) and 48 on AArch64. Where processor and kernel have more (five
 * levels of page tables; 52-bit addresses), the rest is handed out to those who name an address above in mmap(2): see the kernel's
 * Documentation/arch/x86/x86_64/5level-paging.rst and arm64/memory.rst.
 */
#include "CMapBridge.h"

#include <sys/mman.h>

#if defined(__x86_64__)
#define COMMON ((UINT64_C(1) << 47) - 4096)
#define WHOLE  ((UINT64_C(1) << 56) - 4096)
#elif defined(__aarch64__)
#define COMMON (UINT64_C(1) << 48)
#define WHOLE  (UINT64_C(1) << 52)
#else
#error "where do addresses end on this processor?"
#endif

const uint64_t mapb_common_end = COMMON;
uint64_t mapb_address_end = COMMON;

void mapb_find_address_end(void) {
    const size_t page = 65536;
    void *hint = (void *)(uintptr_t)(COMMON + 4096 + (UINT64_C(1) << 32));
    void *at = mmap(hint, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return;
    /* Several threads may write it: the same. */
    if ((uintptr_t)at >= COMMON) mapb_store(&mapb_address_end, WHOLE);
    munmap(at, page);
}
