/* Calls on files that Swift's Glibc does not have.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_TOOL_FILES_H
#define MAPENGINE_TOOL_FILES_H

/* Gives an open file the extended attributes of another, access lists included, see xattr(7). Answers 0, or errno when one of them
 * cannot be given or is larger than is usual. */
int files_copy_attributes(int from, int to);

/* Opens a folder for calls with names in it, for which it need not be readable; negative, with errno, on failure. */
int files_open_folder(const char *path);

/* A file in memory without a name; negative, with errno, on failure. */
int files_scratch(void);

/* Has room for a file of so many bytes, where the file system can do that; 0, or errno. */
int files_allocate(int fd, long size);

#endif
