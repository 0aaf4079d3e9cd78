// Memory that a host is in possession of, page by page.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

class Ballast {
public:
    explicit Ballast(std::size_t size) : size(size) {
        if (size == 0) return;
        // MAP_POPULATE touches every page, in small pages as a heap that has grown over time has them.
        memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED) {
            std::perror("mmap");
            std::exit(1);
        }
    }
    ~Ballast() {
        if (size > 0) munmap(memory, size);
    }
    Ballast(const Ballast &) = delete;
    Ballast &operator=(const Ballast &) = delete;

private:
    std::size_t size;
    void *memory = nullptr;
};
