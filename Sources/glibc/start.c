/* start.c - how a program starts that is linked against glibc 2.28 with the crt1.o of a later one
 *
 * Since 2.34 the C library itself runs a program's constructors, and crt1.o no longer gives it the function that does. Under an older
 * one they would not run. This stands between the two: it gives that function to the C library, whose versions all run it. (Destructors
 * the loader runs in all versions.)
 */
#include <stddef.h>

typedef int main_function(int argc, char **argv, char **env);
typedef void init_function(int argc, char **argv, char **env);

int glibc_start_main(main_function *, int argc, char **argv, init_function *, void (*fini)(void),
                     void (*loader_fini)(void), void *stack_end);
#if defined(__x86_64__)
__asm__(".symver glibc_start_main, __libc_start_main@GLIBC_2.2.5");
#else
__asm__(".symver glibc_start_main, __libc_start_main@GLIBC_2.17");
#endif

/* The linker makes these. */
extern void _init(void);
extern init_function *const __init_array_start[], *const __init_array_end[];

static void run_constructors(int argc, char **argv, char **env) {
    _init();
    const size_t count = (size_t)(__init_array_end - __init_array_start);
    for (size_t i = 0; i < count; i++) __init_array_start[i](argc, argv, env);
}

int __libc_start_main(main_function *program, int argc, char **argv, init_function *init, void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end);
int __libc_start_main(main_function *program, int argc, char **argv, init_function *init, void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end) {
    return glibc_start_main(program, argc, argv, init ? init : run_constructors, fini, loader_fini, stack_end);
}
