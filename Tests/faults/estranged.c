/* estranged.c - the file, the function and the jobs of rows about children, descriptors and exits of workers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "estranged.h"

#include <fcntl.h>

char file_path[128];

void file_made(void) {
    snprintf(file_path, sizeof file_path, "%s/mapengine-identity-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(file_path);
    assert_true(fd >= 0);
    close(fd);
}

const char *file_taken(void) {
    static char text[4096];
    int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    close(fd);
    unlink(file_path);
    return text;
}

static struct estranged_plan estranged_plan_of(uint32_t setup_way, uint32_t cleanup_way) {
    struct estranged_plan plan;
    memset(&plan, 0, sizeof plan);
    snprintf(plan.path, sizeof plan.path, "%s", shared_path());
    memcpy(plan.file, file_path, sizeof plan.file);
    plan.setup_way = setup_way;
    plan.cleanup_way = cleanup_way;
    return plan;
}

mape_function_id estranged(mape_pool *pool, enum form form, uint32_t setup_way, uint32_t cleanup_way) {
    struct estranged_plan plan = estranged_plan_of(setup_way, cleanup_way);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    if (form == FORM_RUN) description.run = run_estranged;
    if (form == FORM_EACH) description.run_range = run_estranged_each;
    if (form == FORM_ALL) description.run_range = run_estranged_all;
    description.setup = setup_estranged;
    description.cleanup = cleanup_estranged;
    description.data = &plan;
    description.data_size = sizeof plan;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

struct fault_item *some_go(uint32_t way) {
    struct fault_item *items = well_items(ITEMS);
    for (uint64_t i = 3; i < ITEMS; i += 7) items[i].way = way;
    return items;
}

void squares_stand(struct work *work) {
    for (uint64_t i = 0; i < work->count; i++) {
        uint64_t square = i * i;
        result_is(work->job, i, &square, sizeof square);
    }
}

void begun_once_each(uint64_t times) {
    for (uint64_t i = 0; i < ITEMS; i++) assert_int_equal(atomic_load(&shared_page()->order[i]), times);
    assert_int_equal(atomic_load(&shared_page()->spawned), 0);
}
