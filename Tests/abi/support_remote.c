/* support_remote.c - pools whose other machines are own_remote's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_remote.h"

#include <sys/mman.h>

static char path[] = "/dev/shm/mapengine-stand-in-XXXXXX";
static struct stand_in *page;

struct stand_in *stand_in_with(uint32_t lanes) {
    if (!page) {
        const int file = mkstemp(path);
        assert_true(file >= 0);
        assert_int_equal(ftruncate(file, sizeof *page), 0);
        page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        assert_true(page != MAP_FAILED);
        close(file);
    }
    memset(page, 0, sizeof *page);
    page->lanes = lanes;
    return page;
}

mape_pool_config remote_config(uint32_t birth, uint32_t workers) {
    mape_pool_config config = config_of(birth, workers);
    config.cluster = path, config.remote_path = OWN_REMOTE, config.remote_workers = 8;
    return config;
}

mape_pool *remote_pool(uint32_t birth, uint32_t workers) {
    mape_pool_config config = remote_config(birth, workers);
    return pool_open_with(&config);
}

mape_pool *remote_started(uint32_t birth, uint32_t workers, uint32_t lanes) {
    mape_pool *pool = remote_pool(birth, workers);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_until(stats_of(pool).remote_ready == lanes);
    return pool;
}

void remote_close(mape_pool *pool) {
    const pid_t helper = stats_of(pool).remote_pid;
    pool_close(pool);
    if (helper) wait_gone(&helper, 1);
    unlink(path);
    munmap(page, sizeof *page);
    page = NULL;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
}

mape_job_config placed(uint32_t where) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.where = where;
    return config;
}

bool logged(mape_pool *pool, const char *words) {
    mape_event event = MAPE_EVENT_INIT;
    bool found = false;
    while (mape_pool_next_event(&event, pool, 0) == MAPE_OK)
        found |= event.type == MAPE_EVENT_LOG && strstr(event.text, words) != NULL;
    return found;
}
