/* watch.c - how the package's thread in the host waits for events
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Threads that wait for a result fetch it themselves (see _pump.py), and while they do, the package's thread is to stay out of their way: also
 * out of their way to the interpreter's lock. So this wait looks at the number of these helpers without it.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stddef.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

/* Python keeps the number without a lock, so it may be wrong now and then: then this comes back to let Python look. */
#define MOST_NAPS 50

/* Waits until one of the two descriptors is readable: the first, events, counts only while there are no helpers, the second always. `nap` in
 * nanoseconds is how long it looks away from events that helpers will fetch. Called without the GIL. */
EXPORT void mapengine_python_watch(int events, int wake, const volatile int *helpers, long nap) {
    for (int naps = 0; naps < MOST_NAPS; naps++) {
        struct pollfd both[2] = {{events, POLLIN, 0}, {wake, POLLIN, 0}};
        if (poll(both, 2, -1) < 0 || both[1].revents || !*helpers) return;
        struct pollfd alone = {wake, POLLIN, 0};
        struct timespec time = {0, nap};
        if (ppoll(&alone, 1, &time, NULL) != 0) return;
    }
}
