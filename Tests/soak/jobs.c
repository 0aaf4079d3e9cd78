/* jobs.c - the soak's jobs: maps by item and by range, streams and single calls, several at once, with random chunk, order,
 * window and dropping. Their events are fetched by callback or by pulling, and written into the ledger.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** So high that no item is given up: one would have to be killed so often. */
#define ATTEMPTS  1000
#define OPEN_JOBS 24

/** A job under way. */
struct open_job {
    bool used, is_stream, is_drop, finished;
    const char *kind;
    uint64_t first, count; /**< Numbers of its items. */
    uint64_t pushed, told;
    mape_job *job;
    struct soak *soak;
    struct soak_item *items;
};

static struct open_job open_jobs[OPEN_JOBS];

uint32_t soak_open_jobs(void) {
    uint32_t count = 0;
    for (int i = 0; i < OPEN_JOBS; i++) count += open_jobs[i].used;
    return count;
}

void soak_tell_jobs(void) {
    for (int i = 0; i < OPEN_JOBS; i++) {
        struct open_job *open = &open_jobs[i];
        if (!open->used) continue;
        mape_progress progress = MAPE_PROGRESS_INIT;
        mape_job_progress(&progress, open->job);
        printf("  %s: %llu items from %llu, %llu pushed, %llu told; done %llu, running %llu, undelivered %llu%s\n",
               open->kind, (unsigned long long)open->count, (unsigned long long)open->first,
               (unsigned long long)open->pushed, (unsigned long long)open->told, (unsigned long long)progress.done,
               (unsigned long long)progress.running, (unsigned long long)progress.undelivered,
               progress.is_done ? ", is done" : "");
    }
}

/* ---- the ledger ---- */

static bool is_right(const struct soak_item *item, uint64_t number, const void *data, size_t size) {
    const struct soak_result *result = data;
    if (size != sizeof *result + item->extra || data == NULL) return false;
    if (result->number != number || result->value != soak_value(number)) return false;
    const uint8_t *extra = (const uint8_t *)(result + 1);
    for (uint32_t i = 0; i < item->extra; i++)
        if (extra[i] != soak_byte(number, i)) return false;
    return true;
}

static void item_ended(struct open_job *open, const mape_event *event) {
    struct soak *soak = open->soak;
    if (!open->used || event->index >= open->count || event->job != open->job) {
        soak->figures.wrong++;
        soak_fault(soak, "an event for item %llu of a job that has no such item", (unsigned long long)event->index);
        return;
    }
    uint64_t number = open->first + event->index;
    soak->figures.ended++;
    open->told++;
    if (soak->told[number]++ != 0) {
        soak->figures.doubled++;
        soak_fault(soak, "%s: item %llu was told twice", open->kind, (unsigned long long)number);
    }
    if (event->result.state != MAPE_ITEM_OK) {
        soak->figures.not_ok++;
        soak_fault(soak, "%s: item %llu ended with state %u, cause %u, code %d after %u attempts: %s", open->kind,
                   (unsigned long long)number, event->result.state, event->result.cause, event->result.code,
                   event->result.attempts, event->result.message);
    } else if (!is_right(&open->items[event->index], number, event->result.data, event->result.size)) {
        soak->figures.wrong++;
        soak_fault(soak, "%s: item %llu has a wrong result", open->kind, (unsigned long long)number);
    }
}

/** All the job's results once more, where the job keeps them. */
static void read_again(struct open_job *open) {
    struct soak *soak = open->soak;
    uint64_t step = 1 + soak_random(&soak->random, 64);
    for (uint64_t i = 0; i < open->count; i += step) {
        mape_result result = MAPE_RESULT_INIT;
        int status = mape_job_result(&result, open->job, i);
        if (status == MAPE_OK &&
            (result.state != MAPE_ITEM_OK || is_right(&open->items[i], open->first + i, result.data, result.size)))
            continue;
        soak->figures.wrong++;
        soak_fault(soak, "%s: the result of item %llu, read again (%d), is wrong", open->kind,
                   (unsigned long long)(open->first + i), status);
    }
}

static void job_done(struct open_job *open, const mape_event *event) {
    struct soak *soak = open->soak;
    const mape_progress *p = &event->progress;
    if (!open->used || event->job != open->job) {
        soak->figures.wrong++;
        soak_fault(soak, "an event that a job is done, of none that was open");
        return;
    }
    if (open->told != open->count || p->total != open->count || p->done != open->count || p->undelivered != 0) {
        soak->figures.short_jobs++;
        soak_fault(soak, "%s: done with %llu of %llu items told (total %llu, done %llu)", open->kind,
                   (unsigned long long)open->told, (unsigned long long)open->count, (unsigned long long)p->total,
                   (unsigned long long)p->done);
    }
    if (!open->is_drop && !open->is_stream) read_again(open);
    mape_job_release(open->job);
    free(open->items);
    *open = (struct open_job){0};
}

static void on_event(void *context, const mape_event *event) {
    if (event->type == MAPE_EVENT_ITEM) item_ended(context, event);
    if (event->type == MAPE_EVENT_DONE) job_done(context, event);
}

/* ---- submitting ---- */

static struct open_job *free_place(void) {
    for (int i = 0; i < OPEN_JOBS; i++)
        if (!open_jobs[i].used) return &open_jobs[i];
    return NULL;
}

static void fill(struct soak *soak, struct open_job *open, bool same_size) {
    open->items = malloc(open->count * sizeof *open->items);
    if (open->items == NULL) abort();
    for (uint64_t i = 0; i < open->count; i++) {
        uint32_t spin = 0, mean = soak->options.spin_us * 1000;
        /* Most take next to nothing, some much longer than the rest: the average is what was asked for. */
        if (mean > 0 && soak_random(&soak->random, 4) == 0) spin = soak_random(&soak->random, mean * 8);
        open->items[i] = (struct soak_item){open->first + i, spin, 0};
        if (!same_size && soak_random(&soak->random, 8) == 0) open->items[i].extra = soak_random(&soak->random, 300);
    }
}

static mape_job_config config_of(struct soak *soak, struct open_job *open) {
    const uint64_t chunks[] = {0, 0, 0, 1, 7, 100};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = ATTEMPTS;
    config.chunk = chunks[soak_random(&soak->random, 6)];
    config.ordered = soak_random(&soak->random, 2);
    config.drop = soak_random(&soak->random, 3) == 0;
    config.priority = (int32_t)soak_random(&soak->random, 3) - 1;
    config.window = soak_random(&soak->random, 2) ? 0 : 1 + soak_random(&soak->random, 500);
    config.context = open;
    config.on_item = on_event;
    config.on_done = on_event;
    open->is_drop = config.drop != 0;
    return config;
}

uint64_t soak_submit(struct soak *soak, uint64_t most) {
    struct open_job *open = free_place();
    if (open == NULL) return 0;
    uint32_t kind = soak_random(&soak->random, 10);
    uint64_t count = 1;
    if (kind >= 2) {
        /* From a handful to thousands. */
        count = 1 + soak_random(&soak->random, 1u << (1 + soak_random(&soak->random, 14)));
        if (count > most) count = most;
    }
    *open = (struct open_job){.used = true, .first = soak->next_number, .count = count, .soak = soak};
    mape_function_id function = kind % 3 == 0 ? soak->run_each : kind % 3 == 1 ? soak->run : soak->run_all;
    if (kind < 2) function = soak->run;
    fill(soak, open, function == soak->run_all);
    mape_job_config config = config_of(soak, open);
    int status;
    if (kind < 2) {
        open->kind = "apply";
        status = mape_apply(&open->job, soak->pool, function, open->items, sizeof *open->items, &config);
    } else if (kind < 7) {
        open->kind = function == soak->run ? "map" : function == soak->run_each ? "map by range" : "map of ranges";
        mape_items items = MAPE_ITEMS_INIT;
        items.base = open->items;
        items.count = count;
        items.item_size = sizeof *open->items;
        status = mape_map(&open->job, soak->pool, function, &items, &config);
    } else {
        open->kind = "stream";
        open->is_stream = true;
        status = mape_stream_open(&open->job, soak->pool, function, &config);
    }
    if (status != MAPE_OK) {
        char why[300];
        mape_message(why, sizeof why, soak->pool);
        soak_fault(soak, "%s of %llu items was refused: %d, %s", open->kind, (unsigned long long)count, status, why);
        free(open->items);
        *open = (struct open_job){0};
        return 0;
    }
    soak->next_number += count;
    soak->figures.submitted += count;
    soak->figures.jobs++;
    return count;
}

/* ---- going on ---- */

/** Pushes some more, as far as the window lets it. */
static bool push(struct soak *soak, struct open_job *open) {
    mape_span spans[64];
    size_t count = 1 + soak_random(&soak->random, 64), accepted = 0;
    if (count > open->count - open->pushed) count = open->count - open->pushed;
    for (size_t i = 0; i < count; i++) spans[i] = (mape_span){&open->items[open->pushed + i], sizeof *open->items};
    int status = mape_stream_push(&accepted, open->job, spans, count);
    open->pushed += accepted;
    if (status == MAPE_OK && open->pushed == open->count) {
        open->finished = true;
        status = mape_stream_finish(open->job);
    }
    if (status == MAPE_OK || status == MAPE_E_AGAIN) return true;
    soak_fault(soak, "a push was refused: %d", status);
    return false;
}

static void keep_log(struct soak *soak, const mape_event *event) {
    if (event->type != MAPE_EVENT_LOG) return;
    snprintf(soak->logs[soak->log_count++ % 12], sizeof soak->logs[0], "%s", event->text);
}

bool soak_turn(struct soak *soak) {
    for (int i = 0; i < OPEN_JOBS; i++) {
        struct open_job *open = &open_jobs[i];
        if (!open->used || !open->is_stream || open->finished) continue;
        if (!push(soak, open)) return false;
    }
    int status = MAPE_OK;
    struct open_job *some = &open_jobs[soak_random(&soak->random, OPEN_JOBS)];
    switch (soak_random(&soak->random, 4)) {
    case 0: /* A host that waits for a job moves its data itself. */
        soak->stage = "mape_job_wait";
        if (some->used && !some->is_stream && !some->is_drop) {
            status = mape_job_wait(some->job, MAPE_MILLISECONDS(soak_random(&soak->random, 5)));
            if (status == MAPE_E_TIMEOUT || status == MAPE_E_AGAIN) status = MAPE_OK;
        }
        break;
    case 1:
        soak->stage = "mape_pool_dispatch";
        status = mape_pool_dispatch(soak->pool, soak_random(&soak->random, 2000), MAPE_MILLISECONDS(1));
        if (status > 0) status = MAPE_OK;
        break;
    default:
        soak->stage = "mape_pool_next_event";
        for (uint32_t left = 1 + soak_random(&soak->random, 2000); left > 0 && status == MAPE_OK; left--) {
            mape_event event = MAPE_EVENT_INIT;
            status = mape_pool_next_event(&event, soak->pool, MAPE_MILLISECONDS(left % 2));
            if (status != MAPE_OK) break;
            keep_log(soak, &event);
            if (event.context != NULL) on_event(event.context, &event);
        }
        if (status == MAPE_E_AGAIN || status == MAPE_E_TIMEOUT) status = MAPE_OK;
    }
    if (status != MAPE_OK) soak_fault(soak, "%s answered %d", soak->stage, status);
    return status == MAPE_OK;
}
