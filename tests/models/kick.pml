/* A kick that cannot be lost: accel/tcg/run/run_queue.h, turns.h, and the top of the execution loop.

   One thread with VCPUS vCPUs, of which each spins or halts as it likes. Others make interrupts pending, queue work, and
   the control pauses and resumes. Guest code looks at nothing but its exit request.

   Checked: when nothing happens any more, every interrupt was taken and all work was done, and the control does not wait.

   MUTANT_1  the kicker asks for the exit before it stores its reason
   MUTANT_2  the loop clears the exit request after it has looked at the reasons
   MUTANT_3  the thread announces that it sleeps after it has looked for reasons to go on
   MUTANT_4  whoever wakes the thread signals without its mutex
   MUTANT_5  (two vCPUs) the thread does not look whether another vCPU was kicked before it became known who runs
   MUTANT_6  parked, the thread does not look for work
   MUTANT_7  what a halted vCPU's exit request was for is not looked at again before a vCPU runs

   CASE -DVCPUS=1 -DCONTROLLED=1 -DKICKERS=2
   CASE -DVCPUS=2 -DCONTROLLED=0 -DKICKERS=2
   CASE_FULL -DVCPUS=1 -DCONTROLLED=1 -DKICKERS=3
   CASE_FULL -DVCPUS=2 -DCONTROLLED=0 -DKICKERS=3 */

#define NOBODY VCPUS
#define SLEEPERS 2
#define THREAD 0
#define CONTROL 1
#include "sync.pml"

mtype = { RUN, PAUSE };

#if CONTROLLED
mtype command = PAUSE;
#else
mtype command = RUN;
#endif
bit turn_over;
bit waiting;
byte current = NOBODY;
byte signals;
bit parked;
bit exit_request[VCPUS];
bit interrupt[VCPUS];
byte work[VCPUS];
bit halted[VCPUS];

inline do_work() {
    v = 0;
    do
    :: v == VCPUS -> break
    :: v < VCPUS && work[v] != 0 -> atomic { work[v]-- }
    :: v < VCPUS && work[v] == 0 -> v++
    od;
    v = 0
}

/* `found`: whether there is any; loads them one by one. */
inline look_for_work() {
    v = 0;
    found = 0;
    do
    :: v == VCPUS -> break
    :: v < VCPUS && work[v] != 0 -> found = 1; break
    :: v < VCPUS && work[v] == 0 -> v++
    od;
    v = 0
}

inline look_for_kicks() {
    v = 0;
    found = 0;
    do
    :: v == VCPUS -> break
    :: v < VCPUS && exit_request[v] != 0 -> found = 1; break
    :: v < VCPUS && exit_request[v] == 0 -> v++
    od;
    v = 0
}

inline next_runnable() {
    i = 1;
    chosen = NOBODY;
    do
    :: i > VCPUS -> break
    :: else ->
        v = (last + i) % VCPUS;
        if
        :: !halted[v]
        :: else ->
            atomic { found = exit_request[v]; exit_request[v] = 0 }
            if
            :: found && interrupt[v] -> atomic { interrupt[v] = 0; halted[v] = 0 }
            :: else
            fi
        fi;
        if
        :: !halted[v] -> chosen = v; last = v; break
        :: else -> i++
        fi
    od;
    v = 0;
    i = 0;
    found = 0
}

inline sleep() {
#ifndef MUTANT_3
    waiting = 1;
#endif
    LOCK(mutex);
    do
    :: seen = signals;
        if
        :: command != RUN -> break
        :: else
        fi;
        look_for_work();
        if
        :: found -> break
        :: else
        fi;
        look_for_kicks();
        if
        :: found -> break
        :: else
        fi;
#ifdef MUTANT_3
        waiting = 1;
#endif
        do
        :: signals == seen -> WAIT_IDLE(mutex, THREAD, end_asleep)
        :: else -> break
        od
    od;
    UNLOCK(mutex);
    waiting = 0;
    seen = 0;
    found = 0
}

inline park() {
    waiting = 1;
    LOCK(mutex);
    parked = 1;
    notify_all();
    do
    :: command != PAUSE -> break
    :: else ->
#ifndef MUTANT_6
        look_for_work();
#endif
        if
        :: found -> break
        :: else -> WAIT_IDLE(mutex, THREAD, end_parked)
        fi
    od;
    parked = 0;
    UNLOCK(mutex);
    waiting = 0;
    found = 0
}

inline look_at_reasons() {
    found = command != RUN;
    found = found || work[chosen] != 0;
    found = found || turn_over
}

inline run_vcpu() {
    look = 1;
    do
    :: if
        :: exit_request[chosen] ->
#ifdef MUTANT_2
            look_at_reasons();
            exit_request[chosen] = 0;
#else
            exit_request[chosen] = 0;
            look_at_reasons();
#endif
            if
            :: found -> break
            :: else -> look = 1
            fi
        :: else
        fi;
        if
        :: look && interrupt[chosen] -> atomic { interrupt[chosen] = 0 }
        :: else
        fi;
        look = 0;
        /* Generated code. */
        if
        :: true -> /* halts */
            halted[chosen] = 1;
            exit_request[chosen] = 1;
            break
        :: true -> /* spins */
end_spins:
            if
            :: exit_request[chosen]
#if VCPUS > 1
            /* The end of its time, where the other has something to do. */
            :: share && (interrupt[1 - chosen] || work[1 - chosen]) -> end_own_turn()
#endif
            fi
        fi
    od;
    look = 0;
    found = 0
}

inline end_own_turn() {
    turn_over = 1;
    exit_request[chosen] = 1
}

inline take_turns() {
    turn_over = 0;
    next_runnable();
    if
    :: chosen == NOBODY -> sleep()
    :: else ->
#if VCPUS > 1
        share = !halted[1 - chosen];
#endif
        current = chosen;
#ifndef MUTANT_7
        found = command != RUN;
        if
        :: found
        :: else -> look_for_work()
        fi;
#endif
#if VCPUS > 1 && !defined(MUTANT_5)
        if
        :: found
        :: else -> found = halted[1 - chosen] && exit_request[1 - chosen]
        fi;
#endif
        if
        :: found -> end_own_turn()
        :: else
        fi;
        run_vcpu();
        current = NOBODY;
        chosen = NOBODY;
        share = 0
    fi
}

proctype Thread() {
    byte v, i, seen, last;
    byte chosen = NOBODY;
    bit found, look, share;
    do
    :: do_work();
        if
        :: command == RUN -> take_turns()
        :: command == PAUSE -> park()
        fi
    od
}

inline signal() {
#ifdef MUTANT_4
    signals++;
#else
    LOCK(mutex);
    signals++;
    UNLOCK(mutex);
#endif
    asleep[THREAD] = 0
}

inline wake(kicked) {
#if VCPUS > 1
    if
    :: current == kicked
    :: else ->
        who = current;
        if
        :: who == NOBODY
        :: else ->
            turn_over = 1;
            exit_request[who] = 1
        fi
    fi;
#endif
    if
    :: waiting -> signal()
    :: else
    fi
}

proctype Kicker(byte kicked; bit queues) {
    byte who;
#ifdef MUTANT_1
    exit_request[kicked] = 1;
    if
    :: queues -> atomic { work[kicked]++ }
    :: else -> interrupt[kicked] = 1
    fi;
#else
    if
    :: queues -> atomic { work[kicked]++ }
    :: else -> interrupt[kicked] = 1
    fi;
    exit_request[kicked] = 1;
#endif
    wake(kicked)
}

inline ask(what) {
    command = what;
    LOCK(mutex);
    exit_request[0] = 1;
#if VCPUS > 1
    exit_request[1] = 1;
#endif
    UNLOCK(mutex);
    LOCK(mutex);
    signals++;
    UNLOCK(mutex);
    asleep[THREAD] = 0
}

/* Ends with the machine running or, as the second case, paused. */
proctype Control() {
    ask(RUN);
    ask(PAUSE);
    LOCK(mutex);
    do
    :: !parked -> WAIT(mutex, CONTROL)
    :: else -> break
    od;
    UNLOCK(mutex);
    if
    :: ask(RUN)
    :: true
    fi
}

proctype Judge() {
    timeout;
    assert(work[0] == 0 && (interrupt[0] == 0 || command != RUN));
#if VCPUS > 1
    assert(work[1] == 0 && (interrupt[1] == 0 || command != RUN));
#endif
}

init {
    atomic {
        run Thread();
        run Kicker(0, 0);
        run Kicker(VCPUS - 1, 1);
#if KICKERS > 2
        run Kicker(VCPUS - 1, 0);
#endif
#if CONTROLLED
        run Control();
#endif
        run Judge()
    }
}
