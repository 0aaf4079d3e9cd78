/* verdicts.h - how rows ended: the sums, and what failed rows printed, for the last lines of the run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef VERDICTS_H
#define VERDICTS_H

enum verdict { PASSED, FAILED, SKIPPED };

/** Adds a row of the group to the sums. */
void verdict_noted(const char *group, enum verdict verdict);
/** Prints what the row has printed, from its log, and keeps the end of it. */
void failure_noted(const char *label, int log);
/** Prints the sums of the groups, then each failed row with why it failed and the end of its output. */
void verdicts_told(void);
int verdicts_of(enum verdict verdict);

#endif
