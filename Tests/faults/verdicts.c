/* verdicts.c - how rows ended. Of a long log one often sees the end alone, so the rows that failed stand there once more, each as a line
 * `FAILED row: why` with the last lines of its output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "verdicts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_LINES 25
/** Failed rows that are told again; a run in which more fail is told by its first ones. */
#define MOST 40

static struct sums {
    const char *group;
    int verdicts[3];
} sums[16];
static int groups;

static struct failure {
    char *label, *why, *place, *lines[LAST_LINES];
    size_t count; /**< Of all lines. */
} failures[MOST];
static int failed;

void verdict_noted(const char *group, enum verdict verdict) {
    int g = 0;
    while (g < groups && strcmp(sums[g].group, group) != 0) g++;
    if (g == groups) sums[groups++].group = group;
    sums[g].verdicts[verdict]++;
}

int verdicts_of(enum verdict verdict) {
    int count = 0;
    for (int g = 0; g < groups; g++) count += sums[g].verdicts[verdict];
    return count;
}

/** What a line of a row's output says of its failure; NULL when it says nothing. */
static const char *reason_in(const char *line) {
    static const char error[] = "[  ERROR   ] --- ";
    if (strncmp(line, error, strlen(error)) == 0) return line + strlen(error);
    static const char *const beginnings[] = {"HUNG for ", "the host died ", "the host exited ", "left behind: "};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(line, beginnings[i], strlen(beginnings[i])) == 0) return line;
    return NULL;
}

void failure_noted(const char *label, int log) {
    struct failure *failure = failed < MOST ? &failures[failed] : NULL;
    failed++;
    if (failure != NULL) failure->label = strdup(label);
    lseek(log, 0, SEEK_SET);
    FILE *text = fdopen(dup(log), "r");
    char line[4096];
    while (fgets(line, sizeof line, text) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        printf("    %s\n", line);
        if (failure == NULL) continue;
        char **place = &failure->lines[failure->count++ % LAST_LINES];
        free(*place);
        *place = strdup(line);
        if (failure->why == NULL && reason_in(line) != NULL) failure->why = strdup(reason_in(line));
        if (failure->place == NULL && strncmp(line, "[   LINE   ] ", 13) == 0)
            failure->place = strdup(strrchr(line, '/') != NULL ? strrchr(line, '/') + 1 : line + 13);
    }
    fclose(text);
}

static void failure_told(const struct failure *failure) {
    const size_t first = failure->count > LAST_LINES ? failure->count - LAST_LINES : 0;
    printf("FAILED %s: %s", failure->label, failure->why != NULL ? failure->why : "it does not say why");
    if (failure->place != NULL) printf(" (%s)", failure->place);
    printf("\n");
    if (first > 0) printf("    (%zu lines before)\n", first);
    for (size_t i = first; i < failure->count; i++) printf("    %s\n", failure->lines[i % LAST_LINES]);
}

void verdicts_told(void) {
    printf("\n");
    for (int g = 0; g < groups; g++) {
        const int *verdicts = sums[g].verdicts;
        printf("%-22s %4d rows: %d passed, %d failed, %d skipped\n", sums[g].group,
               verdicts[PASSED] + verdicts[FAILED] + verdicts[SKIPPED], verdicts[PASSED], verdicts[FAILED],
               verdicts[SKIPPED]);
    }
    for (int f = 0; f < failed && f < MOST; f++) failure_told(&failures[f]);
    if (failed > MOST) printf("FAILED and %d rows more\n", failed - MOST);
}
