/* What the workers of host.c run: items that take a little, one that takes long, one that crashes. */
#include <mapengine.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

/* What an item begins with; more bytes follow, which have to be copied. */
struct item {
    long sleep_ns;
    int crashes;
};

/* Not inlined, and not the last call, so that the crash report has its name. */
__attribute__((noinline)) void crash_here(int *where) { *(volatile int *)where = 1; }

int sleep_or_crash(mape_task *task, void *state, const void *input, size_t size) {
    struct item item;
    (void)state;
    if (size < sizeof item) return mape_task_fail(task, 1, "too short");
    memcpy(&item, input, sizeof item);
    if (item.crashes) crash_here(NULL);
    struct timespec time = {item.sleep_ns / 1000000000, item.sleep_ns % 1000000000};
    while (nanosleep(&time, &time) != 0) continue;
    return 0;
}
