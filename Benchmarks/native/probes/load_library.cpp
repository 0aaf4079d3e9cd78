// How long dlopen takes: `load-library FILE`, in nanoseconds on standard output. A process of its own for each time, because a
// library that is loaded already costs nothing.
#include <chrono>
#include <cstdio>
#include <dlfcn.h>

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    const auto begin = std::chrono::steady_clock::now();
    const void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    const auto end = std::chrono::steady_clock::now();
    if (!library) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    std::printf("%lld\n", static_cast<long long>(std::chrono::nanoseconds(end - begin).count()));
    return 0;
}
