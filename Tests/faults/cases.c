/* cases.c - the cases of the fault catalogue, and what their rows assert.
 *
 * Every row asserts besides: nothing hangs; the right item is blamed with the right cause; all other items end well, each told once;
 * the host's signals, limits, environment are as before; no descriptor, mapping, thread, process, zombie or file of shared memory is
 * left.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#define DEATH     "death"
#define HANGS     "hangs"
#define RESOURCES "resources"
#define HOST      "host"
#define HOSTILE   "hostile worker"
#define SCALE     "recycling and scale"
#define IDENTITY  "identity"
#define LOADING   "loading"

const struct fault_case fault_cases[] = {
    {1, DEATH, "SIGKILL of a working worker", "in items, ranges, setups, cleanups; by itself and from outside"},
    {2, DEATH, "SIGKILL of an idle worker, then submit",
     "at most an item per killed worker is blamed; none once it is known"},
    {3, DEATH, "segfault in the function", "the signal is told; no item is begun twice"},
    {4, DEATH, "_exit(0) in an item", "it is a crash with exit code 0, not a success"},
    {5, DEATH, "exit(99)", "the exit code is told"},
    {6, DEATH, "abort()", "SIGABRT is told"},
    {7, DEATH, "workers kill each other", "all items end well with attempts enough; the pool lives"},
    {8, DEATH, "death while taking a range", "killed after each instruction of it: an item is begun once at most"},
    {9, DEATH, "death while publishing a result",
     "killed after each instruction of it: crashed until published, never run again"},
    {10, DEATH, "death with gigabytes in flight", "all results are right to the byte; all memory comes back"},
    {11, DEATH, "death after publishing, before notifying",
     "killed after each instruction of it: the result counts, once"},
    {12, DEATH, "death during shutdown", "the shutdown ends; at most an item per worker is lost"},
    {13, DEATH, "all workers at once", "exactly the items that ran are blamed; all are replaced"},
    {14, DEATH, "setup fails, crashes, hangs", "start and items say so; other functions of the pool work"},
    {15, DEATH, "cleanup crashes or hangs", "the shutdown ends; results stand"},
    {16, DEATH, "every worker dies at start", "the brake ends it: items are abandoned, the message names the death"},
    {17, DEATH, "give-up after attempts", "begun exactly as often as allowed"},
    {18, DEATH, "the zygote dies", "EXEC: a new one, all items end well; FORK: the pool fails clearly, all items end"},
    {19, HANGS, "item timeout with SIGTERM ignored", "the item times out; destroying without a timeout ends as well"},
    {20, HANGS, "an endless loop without system calls",
     "the item times out; destroying without a timeout ends as well"},
    {21, HANGS, "SIGSTOPped worker", "in an item it times out; idle or for a moment it costs nothing"},
    {22, HANGS, "setup and cleanup timeouts", "statuses of start, items and shutdown"},
    {23, HANGS, "cancel with 100 MB in flight", "each item is right or cancelled; all memory comes back"},
    {24, HANGS, "grandchildren left behind", "gone with their worker: by death, timeout, shutdown, recycling"},
    {25, RESOURCES, "fork fails for the n-th worker", "it is tried again; the others work meanwhile"},
    {26, RESOURCES, "no replacement can be forked", "pending items are abandoned, the message says why"},
    {27, RESOURCES, "memory for results runs out",
     "a status, and room again after release; hosts with small limits get one too"},
    {28, RESOURCES, "worker above its memory limit", "its allocation fails in it alone"},
    {29, RESOURCES, "a leaking worker is recycled", "its growth is bounded; no item is lost"},
    {30, RESOURCES, "descriptor limit reached",
     "a status at each call that fails; replacements come when there are some again"},
    {31, RESOURCES, "huge counts, sizes, strides", "an error of each call, and nothing changed"},
    {32, RESOURCES, "nothing left behind after SIGKILL of the host", "no process, no file"},
    {33, HOST, "host SIGKILLed", "all its workers are gone; the time is told, not asserted"},
    {34, HOST, "the thread that created the pool exits", "no worker dies"},
    {35, HOST, "host ignores SIGCHLD, or reaps all children", "deaths of workers and zygote are handled as ever"},
    {36, HOST, "host forks while the pool lives", "the child's calls answer MAPE_E_FORKED; its end hangs nowhere"},
    {37, HOST, "threads hammer malloc, stdio, locks, dlopen during the start",
     "starts go well; with dlopen a FORK may end with a status"},
    {38, HOST, "host never polls", "nothing blocks; the window is kept; memory is bounded"},
    {39, HOST, "calls from inside callbacks", "each works or is refused; every item is told once"},
    {40, HOST, "destroy with live jobs; library closed with pools alive",
     "handles are gone; a library opened again works"},
    {41, HOST, "two pools; two copies of the library", "each works beside the other and after its end"},
    {42, HOST, "the host as before after destroy", "after each of several lives"},
    {43, HOSTILE, "random bytes in every word it can write", "items of other workers and later jobs are right"},
    {44, HOSTILE, "offsets and lengths out of its blocks", "the liar's item ends, all others are right"},
    {45, HOSTILE, "a value changed between check and use", "the liar's item ends, all others are right"},
    {46, HOSTILE, "ftruncate, unseal, write to inputs", "refused, or fatal to itself alone"},
    {47, HOSTILE, "results for another's item, twice, or of a past job", "the liar's item ends, all others are right"},
    {48, HOSTILE, "a flood of doorbells", "nothing but noise: no item lost, no worker killed"},
    {49, SCALE, "recycling with a full queue", "every item once, no death"},
    {50, SCALE, "kill during recycling", "every item right"},
    {51, SCALE, "200 workers, 1,000 items", "one crash is blamed, all others are right, the place is filled"},
    {52, SCALE, "a million items with a random SIGKILL every few milliseconds", "every result right, told once"},
    {53, SCALE, "a hundred million streamed items in constant memory",
     "every result right, in order; memory stands still (`make test`: three million)"},
    {54, IDENTITY, "a child that comes back from the function",
     "it ends; the parent's results alone count, each item is begun once"},
    {55, IDENTITY, "descriptors closed behind the worker's back",
     "no wait hangs, nobody is blamed, none of our bytes in a file of the function"},
    {56, IDENTITY, "a worker that exits, or flushes all streams",
     "the exit code is told; the host's handlers do not run, its unwritten data are not written"},
    {57, IDENTITY, "what a function leaves behind in its worker",
     "another function finds the process as its setup left it"},
    {58, LOADING, "a library does something unwanted when it is loaded",
     "it costs that library's functions alone, or works as in the host; before the start, after it, as a module"},
    {59, LOADING, "a plug-in is rebuilt",
     "what was registered then gets that code, or fails and says so; never the other's"},
    {60, DEATH, "the zygote dies with ranges that do not tell their items", "nobody is blamed, but the item that kills it"},
    {61, DEATH, "after the zygote was replaced", "all is as before: rows of other cases once more, and every setting"},
    {62, DEATH, "a zygote program with threads", "all is as without: rows of other cases once more"},
    {67, HOST, "on a terminal with `stty tostop`",
     "no worker and no zygote is stopped; what is printed is on the screen"},
    {68, HOST, "the thread that starts the pool has a class of its own",
     "real-time ends with it, whatever else it has is the workers' too"},
    {69, HOST, "the host locks its memory", "reserves stay address space; growing works"},
    {70, HOST, "a filter denies one system call, any of those needed",
     "all works, or a status whose message names the call"},
    {71, RESOURCES, "addresses, strides and sizes that pass the end of the address space",
     "MAPE_E_OVERFLOW of each call, and nothing changed"},
    {72, HOST, "relative paths, and a host that changes its folder", "the files meant are used; one that is gone is named"},
    {73, HOST, "texts of bytes that are no UTF-8, and texts that are cut",
     "bytes arrive as they were; a cut is between characters"},
};
const size_t fault_case_count = COUNT(fault_cases);
