"""For gdb, which runs this and has weft as its program: backtraces from helpers and from generated code, and registers that each step in
that code restores. Prints what observe_test.py's case looks at.
"""

import gdb


def functions():
    # Innermost first; names of generated code come from the file that weft announces.
    found = []
    frame = gdb.newest_frame()
    while frame is not None:
        found.append(frame.name() or hex(frame.pc()))
        frame = frame.older()
    return found


def generated(name):
    return name.startswith('weft_')


def whole(found):
    # From generated code to the function that every thread starts in. ExecLoop::run_code() may be a frame or part of run().
    loop = [i for i, name in enumerate(found) if 'ExecLoop::run' in name]
    last_generated = max([i for i, name in enumerate(found) if generated(name)], default=-1)
    return (len(loop) in (1, 2) and loop[0] > last_generated and loop[0] - last_generated <= 2 and
            found[-1] in ('clone3', 'clone', 'start_thread', '__clone', '__clone3'))


def of_loop():
    # What registers hold in the function that entered generated code: the same all the while.
    frame = gdb.newest_frame()
    while frame is not None and 'ExecLoop::run' not in (frame.name() or ''):
        frame = frame.older()
    return frame and [int(frame.read_register(name)) for name in ('rip', 'rsp', 'rbp', 'rbx', 'r12', 'r13', 'r14', 'r15')]


bad = 0


def check(found, before):
    # One step inside generated code. Returns the loop's registers.
    global bad
    now = of_loop()
    if not whole(found) or (before is not None and now != before):
        bad += 1
        if bad < 4:
            print('BAD', hex(gdb.newest_frame().pc()), found, before, now)
    return now


gdb.execute('set pagination off')
gdb.execute('set confirm off')
gdb.execute('set breakpoint pending on')
gdb.execute('set debuginfod enabled off')
gdb.execute('handle SIGPIPE nostop noprint')
# Behind no more than its prologue: the CSR's number, the second argument, is in rsi. A build need not tell where variables are.
stop = gdb.Breakpoint('weft::riscv::csr_access')
stop.condition = '(unsigned)$rsi == 0x344'
stop.ignore_count = 20
gdb.execute('run')
found = functions()
print('HELPER', whole(found), found)
print('THUNK', 'weft_call_csr' in found and 'weft_generated_code' in found)
stop.delete()

# Instruction by instruction; what C++ does is stepped over by running it to its end.
seen = {}
registers = None
for step in range(400):
    found = functions()
    if found[0].startswith('weft_'):
        seen[found[0]] = seen.get(found[0], 0) + 1
        registers = check(found, registers)
        gdb.execute('stepi', to_string=True)
    elif 'ExecLoop::run' in found[0] or 'Backend::run' in found[0]:
        break
    else:
        gdb.execute('finish', to_string=True)
print('STEPS', bad, seen)



def steps_from(place, ends):
    # Steps from a breakpoint on, for as long as code of the backend's own is there; counts them by name.
    stop = gdb.Breakpoint(place)
    gdb.execute('continue')
    registers = None
    for _ in range(40):
        found = functions()
        if not found[0].startswith('weft_'):
            break
        ends[found[0]] = ends.get(found[0], 0) + 1
        registers = check(found, registers)
        gdb.execute('stepi', to_string=True)
    stop.delete()


# The prologue and the epilogue: from the call to where it comes back.
ends = {}
steps_from('*&weft_enter', ends)
steps_from('*&weft_leave', ends)
print('ENDS', bad, ends)
gdb.execute('kill')
