// What the host's kernel keeps of a process for others to read, made to be the guest's.
#pragma once

namespace weft::user {

class Process;

// Has the kernel name the guest's arguments, environment and code as this process's (PR_SET_MM_MAP of prctl(2)): so that
// /proc/PID/cmdline and environ, and ps, pgrep and their like, show the guest's, to the guest and to the host, and a program that
// writes over its arguments to say what it does is seen to. Where the kernel refuses, or without /proc, they show weft's.
// After Process::loaded(), while there is one thread: the kernel is told of weft's own heap as well, which must not grow meanwhile.
void show_program(Process& process);

}  // namespace weft::user
