"""System calls that a run does not need and Landlock does not cover: each of them fails with EPERM, by a filter.

They keep something that outlives a process and is no file, or change the limits and priorities of other processes. See
seccomp(2). The filter is a program for the kernel: each line loads a word of the call, compares it and skips lines, or
gives the answer. It is only written for the two kinds of machine whose numbers of system calls are listed.
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, MODE_FILTER = 22, 2
LOAD, EQUAL, AT_LEAST, ANSWER = 0x20, 0x15, 0x35, 0x06
ALLOWED, REFUSED = 0x7FFF0000, 0x00050001
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24
"""Where the words of a call lie that the filter loads."""

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

KEEPING = {
    "x86_64": (29, 30, 31, 64, 65, 66, 67, 68, 69, 70, 71, 220, 240, 241, 248, 249, 250),
    "aarch64": (186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 180, 181, 217, 218, 219),
}
"""System V's shared memory, semaphores and queues (shm*, sem*, msg*), POSIX queues (mq_*), keys (add_key, keyctl)."""

OF_A_PROCESS = {"x86_64": (142, 144, 203, 302, 314), "aarch64": (118, 119, 122, 261, 274)}
"""Calls whose first word is a process: sched_setparam, -setscheduler, -setaffinity, prlimit64, sched_setattr."""

OF_A_KIND = {"x86_64": (141, 251), "aarch64": (140, 30)}
"""Calls whose first word says of what kind the second is, 0 for a process: setpriority, ioprio_set."""

IOPRIO_PROCESS = 1


SOCKET = {"x86_64": 41, "aarch64": 198}
FAMILIES = (1, 2, 10, 16)
"""Families of sockets that a run may open: Unix, IPv4, IPv6 and netlink. Others may lead out of a network namespace."""


def refuse_unneeded() -> None:
    """Filter the calls of this process and of all that it starts, for good. Nothing on other kinds of machine."""
    if sys.platform != "linux" or (machine := platform.machine()) not in MACHINES:
        return
    program = ctypes.create_string_buffer(_filter(machine, os.getpid()))
    length = len(program) // 8
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", length, ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, described, 0, 0):
        raise OSError(ctypes.get_errno(), "the run's system calls cannot be filtered")


def _filter(machine: str, me: int) -> bytes:
    """The filter's program. What a process does to itself, named by 0 or by ``me``, is allowed."""
    refuse, allow = _line(ANSWER, REFUSED), _line(ANSWER, ALLOWED)
    # Numbers from 2**30 on are other names of the same calls, for programs with short pointers.
    lines = [_line(LOAD, ARCHITECTURE), _line(EQUAL, MACHINES[machine], 1), refuse]
    lines += [_line(LOAD, NUMBER), _line(AT_LEAST, 2**30, 0, 1), refuse]
    for call in KEEPING[machine]:
        lines += [_line(EQUAL, call, 0, 1), refuse]
    of_mine = [_line(EQUAL, 0, 2), _line(EQUAL, me, 1), refuse, allow]
    for call in OF_A_PROCESS[machine]:
        lines += [_line(EQUAL, call, 0, 1 + len(of_mine)), _line(LOAD, FIRST), *of_mine]
    for call, process in zip(OF_A_KIND[machine], (os.PRIO_PROCESS, IOPRIO_PROCESS), strict=True):
        of_a_process = [_line(LOAD, FIRST), _line(EQUAL, process, 1), refuse, _line(LOAD, SECOND), *of_mine]
        lines += [_line(EQUAL, call, 0, len(of_a_process)), *of_a_process]
    of_a_family = [_line(EQUAL, family, len(FAMILIES) - place) for place, family in enumerate(FAMILIES)]
    opening = [_line(LOAD, FIRST), *of_a_family, refuse, allow]
    lines += [_line(EQUAL, SOCKET[machine], 0, len(opening)), *opening]
    return b"".join([*lines, allow])


def _line(code: int, value: int, skipped_if_so: int = 0, skipped_if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, skipped_if_so, skipped_if_not, value)
