/* support_replay.h - a folder for crash files, and the programs that run them again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPPORT_REPLAY_H
#define SUPPORT_REPLAY_H

#include "support.h"

/** The zygote program of the library, which replays as well. */
#define ZYGOTE PREFIX "/libexec/mapengine-zygote"

/** The test's folder, once it is made. */
extern char folder[64];
const char *folder_made(void);
/** Removes it, with the files in it. */
void folder_removed(void);

/** Calls `each`, if there is one, for every crash file in the folder. Returns how many there are. */
int files_do(void (*each)(const char *path, void *context), void *context);
/** The path of the one crash file that there is. */
const char *only_file(void);

/** A program that has ended. */
struct replay {
    int status;       /**< As of waitpid. */
    char text[16384]; /**< Standard output and error. */
};
/** Runs a program with its arguments, which begin with its name and end with NULL. */
struct replay ran(const char *program, const char *const *arguments);
/** Runs the item of a crash file by ZYGOTE. output: a file for its result, or NULL. */
struct replay replayed(const char *path, const char *output);
/** Fails the test when the replay has not exited so, or does not say the word. */
void exited(const struct replay *replay, int code, const char *word);
/** Fails the test when no such signal has ended the replay. */
void ended_by(const struct replay *replay, int number);

#endif
