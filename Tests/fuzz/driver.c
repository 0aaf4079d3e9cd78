/* driver.c - runs a fuzz target without a fuzzer: every file of its corpus, then inputs made from seeds.
 *
 *     fuzz_TARGET CORPUS COUNT [FIRST]
 *
 * COUNT inputs are made, from the seeds FIRST (1) on: random bytes, and files of the corpus with some changes. An input that ends
 * the program, or takes longer than two minutes, is named, and its bytes are left in crash-SEED. The last line is
 * `N passed, N failed`, where each file counts as one test and the made inputs as one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LARGEST  4096
#define MOST     2000
#define PATIENCE 120

static struct input {
    char name[256];
    uint8_t *bytes;
    size_t size;
} corpus[MOST];
static int corpus_size;

/** What runs now, for the handler. */
static const char *running = "nothing";
static const uint8_t *running_bytes;
static size_t running_size;

static void say(const char *text) {
    ssize_t written = write(2, text, strlen(text));
    (void)written;
}

static void on_signal(int number) {
    signal(number, SIG_DFL);
    say(number == SIGALRM ? "\nHUNG: " : "\nFAILED: ");
    say(running);
    say("\n");
    int fd = open(running, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0) {
        ssize_t written = write(fd, running_bytes, running_size);
        (void)written;
        close(fd);
    }
    raise(number == SIGALRM ? SIGABRT : number);
}

static void run(const char *name, const uint8_t *bytes, size_t size) {
    running = name;
    running_bytes = bytes;
    running_size = size;
    alarm(PATIENCE);
    LLVMFuzzerTestOneInput(bytes, size);
    alarm(0);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

static void read_corpus(const char *folder) {
    DIR *directory = opendir(folder);
    if (directory == NULL) return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && corpus_size < MOST;) {
        if (entry->d_name[0] == '.') continue;
        struct input *input = &corpus[corpus_size];
        snprintf(input->name, sizeof input->name, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(input->name, "rbe");
        if (file == NULL) continue;
        input->bytes = malloc(LARGEST);
        input->size = input->bytes != NULL ? fread(input->bytes, 1, LARGEST, file) : 0;
        fclose(file);
        corpus_size++;
    }
    closedir(directory);
    qsort(corpus, (size_t)corpus_size, sizeof corpus[0], by_name);
}

/** SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static size_t make(uint64_t seed, uint8_t *out) {
    size_t size;
    if (corpus_size == 0 || next(&seed) % 4 == 0) {
        size = next(&seed) % 600;
        for (size_t i = 0; i < size; i++) out[i] = (uint8_t)next(&seed);
        return size;
    }
    const struct input *one = &corpus[next(&seed) % (uint64_t)corpus_size],
                       *two = &corpus[next(&seed) % (uint64_t)corpus_size];
    size_t cut = next(&seed) % (one->size + 1);
    size = cut;
    memcpy(out, one->bytes, cut);
    const struct input *rest = next(&seed) % 2 ? one : two;
    if (rest->size > cut) {
        memcpy(out + cut, rest->bytes + cut, rest->size - cut);
        size = rest->size;
    }
    for (uint64_t changes = next(&seed) % 12; changes > 0 && size > 0; changes--) {
        size_t place = next(&seed) % size;
        if (next(&seed) % 2) out[place] = (uint8_t)next(&seed);
        else out[place] ^= (uint8_t)(1u << next(&seed) % 8);
    }
    return size;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s CORPUS COUNT [FIRST]\n", argv[0]);
        return 64;
    }
    const int signals[] = {SIGALRM, SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGTRAP, SIGFPE};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) signal(signals[i], on_signal);
    static uint8_t bytes[LARGEST];
    static char name[64];
    uint64_t count = strtoull(argv[2], NULL, 10), first = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    read_corpus(argv[1]);
    for (int i = 0; i < corpus_size; i++) run(corpus[i].name, corpus[i].bytes, corpus[i].size);
    for (uint64_t seed = first; seed < first + count; seed++) {
        size_t size = make(seed, bytes);
        snprintf(name, sizeof name, "crash-%llu", (unsigned long long)seed);
        run(name, bytes, size);
    }
    printf("%s: %d files, %llu made inputs\n%d passed, 0 failed\n", argv[1], corpus_size, (unsigned long long)count,
           corpus_size + (count > 0));
    for (int i = 0; i < corpus_size; i++) free(corpus[i].bytes);
    return corpus_size == 0;
}
