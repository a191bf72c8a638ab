/* What every C file that Cython writes starts with. */

#include <Python.h>

/* Plugins run in hosts without Python, and this one has nothing of it: all that Cython writes for CPython hangs on the
   module's PyInit_..., which as a static function that nobody calls is no part of the object, with all below it. */
#undef PyMODINIT_FUNC
#define PyMODINIT_FUNC static PyObject *

/* In glibc 2.29 these got a second version, which differs in errno alone. The first one is there on every Linux that
   VapourSynth's own wheels support, whatever machine the plugin is built on. */
#ifdef __GLIBC__
#if defined __x86_64__
#define VDIFF_FIRST_VERSION "GLIBC_2.2.5"
#elif defined __aarch64__
#define VDIFF_FIRST_VERSION "GLIBC_2.17"
#endif
#ifdef VDIFF_FIRST_VERSION
__asm__(".symver exp, exp@" VDIFF_FIRST_VERSION);
__asm__(".symver exp2, exp2@" VDIFF_FIRST_VERSION);
__asm__(".symver log, log@" VDIFF_FIRST_VERSION);
#endif
#endif
