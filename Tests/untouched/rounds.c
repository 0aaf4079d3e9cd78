/* rounds.c - a host that opens the library, uses it and closes it, again and again; nothing may grow. In every seventh round the
 * pool is a snapshot of the host; in every tenth the library is closed while the pool lives, and opened again to destroy it.
 *
 *   rounds COUNT
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine.h"
#include "snapshot.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct counted snapshot_counts[] = {{NULL, 0}};

static const struct allowed table[] = {{1, "first_free_key", 0, "nothing may differ"}};

struct sizes {
    long long address_space, resident, in_use; /* Bytes. */
    int mappings;
};

static struct sizes sizes_now(void) {
    struct sizes sizes = {0};
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2) fail("/proc/self/statm");
    fclose(file);
    file = fopen("/proc/self/maps", "re");
    for (int c; file != NULL && (c = fgetc(file)) != EOF;) sizes.mappings += c == '\n';
    if (file != NULL) fclose(file);
    sizes.address_space = (long long)pages * getpagesize();
    sizes.resident = (long long)resident * getpagesize();
    sizes.in_use = (long long)mallinfo2().uordblks;
    return sizes;
}

static void round_of(int number) {
    struct engine engine;
    struct functions functions;
    stage("round %d", number);
    engine_open(&engine, library_path, RTLD_NOW | RTLD_LOCAL);
    mape_pool *pool =
        engine_pool(&engine, number % 7 == 3 ? MAPE_START_FORK : MAPE_START_EXEC, 1 + (uint32_t)number % 2, &functions);
    engine_maps(&engine, pool, &functions, 50);
    if (number % 10 == 9) {
        engine_close(&engine);
        engine_open(&engine, library_path, RTLD_NOW | RTLD_LOCAL);
    }
    OK(&engine, NULL, engine.mape_pool_release(pool));
    engine_close(&engine);
}

static void nothing_has_grown(const struct snapshot *before, const struct sizes *was, int rounds) {
    int wrong = 1;
    for (int tries = 0; wrong > 0; tries++) { /* A joined thread and a reaped child can stay in /proc for an instant. */
        struct snapshot now = snapshot_taken();
        wrong = snapshot_differences(before, &now, 1, table, 1, tries == 3000 ? "afterwards" : NULL);
        snapshot_freed(&now);
        if (wrong > 0 && tries == 3000) fail("%d differences after %d rounds", wrong, rounds);
        nap();
    }
    struct sizes now = sizes_now();
    printf("%d rounds: address space %+lld KiB, resident %+lld KiB, malloc %+lld bytes, mappings %+d\n", rounds,
           (now.address_space - was->address_space) / 1024, (now.resident - was->resident) / 1024,
           now.in_use - was->in_use, now.mappings - was->mappings);
    /* What a round would have to leave behind to be seen is less than a page; glibc's own caches account for the rest. */
    if (now.resident - was->resident > (2 << 20) + rounds * 512LL) fail("the resident memory grows");
    if (now.in_use - was->in_use > (64 << 10) + rounds * 32LL) fail("allocated memory grows");
    /* An arena of malloc takes 64 MiB of addresses; a thread can find the first in use, and make a second. */
    if (now.address_space - was->address_space > 200LL << 20) fail("the address space grows");
    if (now.mappings - was->mappings > 8) fail("the number of mappings grows");
}

static int rounds(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 200, warm = 30;
    if (count < 1) return 2;
    for (int i = 0; i < warm; i++) round_of(i);
    struct snapshot before = snapshot_taken();
    struct sizes was = sizes_now();
    for (int i = 0; i < count; i++) round_of(warm + i);
    nothing_has_grown(&before, &was, count);
    return 0;
}

int main(int argc, char **argv) { return watched(500, rounds, argc, argv); }
