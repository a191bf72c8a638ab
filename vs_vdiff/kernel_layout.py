"""What compiled kernels and the native plugin have in common: the C layout of descriptors and calls."""

import ctypes
import enum
from dataclasses import dataclass

__all__ = [
    "DESCRIBE_ENTRY",
    "DIFFUSIVITY_MAGIC",
    "ENTRY",
    "EULER_ENTRY",
    "KERNEL_MAGIC",
    "LARGEST_S2",
    "MAX_CLIPS",
    "MAX_PARAMS",
    "MAX_SOURCES",
    "Call",
    "Describe",
    "Descriptor",
    "KernelError",
    "Run",
    "Sample",
    "Signature",
]

KERNEL_MAGIC = b"vdiff kernel 1\0\0"
DIFFUSIVITY_MAGIC = b"vdiff g 1\0\0\0\0\0\0\0"
ENTRY = "vdiff_entry"
"""The name of the function in the object code that does the work."""
DESCRIBE_ENTRY = "vdiff_describe"
"""And of the one that tells what an exception says."""
EULER_ENTRY = "vdiff_euler"
"""And of the second one of a diffusivity, in the place of the former."""
MAX_CLIPS, MAX_SOURCES, MAX_PARAMS = 8, 64, 64
LARGEST_S2 = 1e9
"""The squared contrast up to which diffusivities are tried, and called."""


class KernelError(Exception):
    """A kernel cannot be compiled; the message names the file and the line, and what is wrong there."""


class Sample(enum.IntEnum):
    """Formats of samples that kernels read and write."""

    BYTE = 0
    WORD = 1
    SINGLE = 2


@dataclass(frozen=True)
class Signature:
    """What a kernel is compiled for."""

    src: Sample
    dst: Sample
    sources: int
    params: int

    def __post_init__(self) -> None:
        if not 1 <= self.sources <= MAX_SOURCES:
            raise ValueError(f"a kernel reads 1...{MAX_SOURCES} planes at a time, not {self.sources}")
        if not 0 <= self.params <= MAX_PARAMS:
            raise ValueError(f"a kernel takes 0...{MAX_PARAMS} parameters, not {self.params}")


class Call(ctypes.Structure):
    """The planes of one call."""

    _fields_ = (
        ("dst", ctypes.c_void_p),
        ("dst_stride", ctypes.c_int64),
        ("src", ctypes.POINTER(ctypes.c_void_p)),
        ("src_stride", ctypes.POINTER(ctypes.c_int64)),
        ("src_peak", ctypes.POINTER(ctypes.c_double)),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("params", ctypes.POINTER(ctypes.c_double)),
        ("dst_peak", ctypes.c_double),
    )


Run = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(Call), ctypes.POINTER(ctypes.c_void_p))
Describe = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)


class Descriptor(ctypes.Structure):
    """A compiled function, as the native plugin finds it. `users` is the plugin's; it counts instances."""

    _fields_ = (
        ("magic", ctypes.c_char * 16),
        ("self", ctypes.c_uint64),
        ("size", ctypes.c_uint32),
        ("users", ctypes.c_int32),
        ("sources", ctypes.c_int32),
        ("params", ctypes.c_int32),
        ("src_type", ctypes.c_int32),
        ("dst_type", ctypes.c_int32),
        ("run", ctypes.c_void_p),
        ("describe", ctypes.c_void_p),
    )
