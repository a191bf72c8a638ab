/* What every C file that Cython writes starts with. */

#include <Python.h>

/* Plugins run in hosts without Python, and this one has nothing of it: all that Cython writes for CPython hangs on the
   module's PyInit_..., which as a static function that nobody calls is no part of the object, with all below it. */
#undef PyMODINIT_FUNC
#define PyMODINIT_FUNC static PyObject *
