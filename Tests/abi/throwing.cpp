// throwing.cpp - a callback that throws, and a dispatch that is called where it is caught.
//
// SPDX-License-Identifier: Apache-2.0
#include <mapengine.h>

extern "C" {
int dispatch_and_catch(mape_pool *pool);
void throwing_item(void *context, const mape_event *event);
extern int throwing_cleaned;
int throwing_cleaned;
}

namespace {
struct Cleaned {
    ~Cleaned() { throwing_cleaned++; }
};
} // namespace

void throwing_item(void *context, const mape_event *event) {
    static_cast<int *>(context)[event->index]++;
    if (event->index % 3 == 0) throw event->index;
}

int dispatch_and_catch(mape_pool *pool) {
    try {
        Cleaned cleaned;
        return mape_pool_dispatch(pool, 0, 0);
    } catch (uint64_t) {
        return 1000;
    }
}
