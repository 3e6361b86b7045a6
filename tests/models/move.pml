/* vCPUs that go from one thread to another: accel/tcg/run/shared_vcpus.h, run_queue.h, turns.h.

   Two threads, and VCPUS vCPUs that all begin with the first one. Each vCPU spins or halts as it likes; others make interrupts
   pending for them and kick. Work and commands go the same way as a kick: kick.pml has them.

   Checked: a vCPU is run by the thread in whose queue it is, and by no other. When nothing happens any more, every interrupt
   was taken, and no thread sleeps beside a queue that offers a vCPU.

   MUTANT_1  the kicker looks for the thread before it stores its reason
   MUTANT_2  who takes a vCPU does not become its thread
   MUTANT_3  a thread is marked idle after it has looked for offers
   MUTANT_4  an offer is counted after it was looked for idle threads
   MUTANT_5  vCPUs are taken from a queue between turns as well
   MUTANT_6  who wakes a thread for an offer signals without its mutex

   CASE -DVCPUS=2 -DKICKERS=1
   CASE_FULL -DVCPUS=3 -DKICKERS=1 */

#define THREADS 2
#define SLEEPERS THREADS
#define NOBODY VCPUS
#define NONE THREADS
#include "sync.pml"

#if VCPUS == 2
#define other_has_interrupt(one) (queue_of[1 - one] == self && interrupt[1 - one])
#else
#define other_has_interrupt(one) \
    ((queue_of[(one + 1) % 3] == self && interrupt[(one + 1) % 3]) || (queue_of[(one + 2) % 3] == self && interrupt[(one + 2) % 3]))
#endif

bit queue_mutex[THREADS];
bit shared_mutex;
bit signalled[THREADS]; /* since its thread looked last */
bit waiting[THREADS];
bit idle[THREADS];
byte idles;
bit offering[THREADS];
byte offers;
byte current[THREADS];
bit over[THREADS];
byte queue_of[VCPUS];  /* NONE: taken, and not adopted yet */
byte thread_of[VCPUS]; /* as a kicker finds it */
bit exit_request[VCPUS];
bit interrupt[VCPUS];
bit halted[VCPUS];

/* `found`: one in the queue beside `one` that is not halted, or NOBODY. */
inline look_for_waiting(queue, one) {
    d_step {
        v = 0;
        found = NOBODY;
        do
        :: v == VCPUS -> break
        :: v < VCPUS && queue_of[v] == queue && v != one && !halted[v] -> found = v; break
        :: else -> v++
        od;
        v = 0
    }
}

inline signal(t) {
    signalled[t] = 1;
    asleep[t] = 0
}

inline wake(t) {
    LOCK(queue_mutex[t]);
    signalled[t] = 1;
    UNLOCK(queue_mutex[t]);
    asleep[t] = 0
}

/* Between turns nobody else touches the queue. */
inline choose() {
    i = 1;
    chosen = NOBODY;
    do
    :: i > VCPUS -> break
    :: else ->
        v = (last + i) % VCPUS;
        if
        :: queue_of[v] == self && halted[v] ->
            atomic { was = exit_request[v]; exit_request[v] = 0 }
            if
            :: was && interrupt[v] -> atomic { interrupt[v] = 0; halted[v] = 0 }
            :: else
            fi;
            was = 0
        :: else
        fi;
        if
        :: queue_of[v] == self && !halted[v] -> chosen = v; last = v; break
        :: else -> i++
        fi
    od;
    i = 0;
    v = 0
}

/* `taken`: a vCPU of the other queue, or NOBODY. */
inline take() {
    taken = NOBODY;
    if
    :: offers == 0
    :: else ->
        LOCK(shared_mutex);
        LOCK(queue_mutex[1 - self]);
#ifdef MUTANT_5
        look_for_waiting(1 - self, current[1 - self]);
        taken = found;
#else
        if
        :: offering[1 - self] -> look_for_waiting(1 - self, current[1 - self]); taken = found
        :: else
        fi;
#endif
        if
        :: taken == NOBODY
        :: else ->
            queue_of[taken] = NONE;
            look_for_waiting(1 - self, current[1 - self]);
            if
            :: found == NOBODY && offering[1 - self] -> offering[1 - self] = 0; offers--
            :: else
            fi
        fi;
        found = NOBODY;
        UNLOCK(queue_mutex[1 - self]);
        UNLOCK(shared_mutex)
    fi
}

inline adopt() {
    LOCK(queue_mutex[self]);
    queue_of[taken] = self;
#ifndef MUTANT_2
    thread_of[taken] = self;
#endif
    UNLOCK(queue_mutex[self]);
    taken = NOBODY
}

inline mark_idle() {
    atomic {
        if
        :: !idle[self] -> idle[self] = 1; idles++
        :: else
        fi
    }
}

inline look_for_kicks() {
    v = 0;
    was = 0;
    do
    :: v == VCPUS -> break
    :: v < VCPUS && queue_of[v] == self && exit_request[v] -> was = 1; break
    :: else -> v++
    od;
    v = 0
}

inline sleep() {
    waiting[self] = 1;
    LOCK(queue_mutex[self]);
    do
    :: signalled[self] = 0;
#ifndef MUTANT_3
        mark_idle();
#endif
        if
        :: offers != 0 -> break
        :: else
        fi;
        look_for_kicks();
        if
        :: was -> break
        :: else
        fi;
#ifdef MUTANT_3
        mark_idle();
#endif
        do
        :: !signalled[self] -> WAIT_IDLE(queue_mutex[self], self, end_asleep)
        :: else -> break
        od
    od;
    UNLOCK(queue_mutex[self]);
    waiting[self] = 0;
    atomic {
        if
        :: idle[self] -> idle[self] = 0; idles--
        :: else
        fi
    };
    was = 0
}

inline wake_idle() {
    if
    :: idles == 0
    :: else ->
        LOCK(shared_mutex);
        atomic { was = idle[1 - self]; idle[1 - self] = 0; idles = idles - was }
        if
        :: was ->
#ifdef MUTANT_6
            signal(1 - self)
#else
            wake(1 - self)
#endif
        :: else
        fi;
        was = 0;
        UNLOCK(shared_mutex)
    fi
}

inline turn_begins() {
    LOCK(queue_mutex[self]);
    current[self] = chosen;
    look_for_waiting(self, chosen);
    shares = found != NOBODY;
    found = NOBODY;
#ifndef MUTANT_4
    if
    :: shares -> offering[self] = 1; offers++
    :: else
    fi;
#endif
    UNLOCK(queue_mutex[self]);
    if
    :: shares -> wake_idle()
    :: else
    fi
#ifdef MUTANT_4
    ;
    LOCK(queue_mutex[self]);
    if
    :: shares -> offering[self] = 1; offers++
    :: else
    fi;
    UNLOCK(queue_mutex[self])
#endif
}

/* Another of the queue may have been kicked before it was known who runs. */
inline wanted_meanwhile() {
    LOCK(queue_mutex[self]);
    v = 0;
    do
    :: v == VCPUS -> break
    :: v < VCPUS && queue_of[v] == self && v != chosen && halted[v] && exit_request[v] -> was = 1; break
    :: else -> v++
    od;
    v = 0;
    UNLOCK(queue_mutex[self]);
    if
    :: was -> over[self] = 1; exit_request[chosen] = 1
    :: else
    fi;
    was = 0
}

/* Generated code looks at nothing but its exit request. Its turn may end while others wait. */
inline run_vcpu() {
    assert(queue_of[chosen] == self && current[1 - self] != chosen);
    exit_request[chosen] = 0;
    if
    :: interrupt[chosen] -> atomic { interrupt[chosen] = 0 }
    :: else
    fi;
    if
    :: over[self]
    :: else ->
        if
        :: true -> /* halts */
            halted[chosen] = 1;
            exit_request[chosen] = 1
        :: true -> /* spins */
end_spins:
            if
            :: exit_request[chosen]
            :: offering[self] && other_has_interrupt(chosen) /* the end of its time */
            fi
        fi
    fi;
    assert(queue_of[chosen] == self)
}

inline turn_ends() {
    LOCK(queue_mutex[self]);
    current[self] = NOBODY;
    if
    :: offering[self] -> offering[self] = 0; offers--
    :: else
    fi;
    UNLOCK(queue_mutex[self]);
    shares = 0;
    chosen = NOBODY
}

proctype Thread(byte self) {
    byte v, i;
    byte last = VCPUS - 1;
    byte chosen = NOBODY;
    byte taken = NOBODY;
    byte found = NOBODY;
    bit was, shares;
    do
    :: over[self] = 0;
        choose();
        if
        :: chosen != NOBODY ->
            turn_begins();
            wanted_meanwhile();
            run_vcpu();
            turn_ends()
        :: else ->
            take();
            if
            :: taken != NOBODY -> adopt()
            :: else -> sleep()
            fi
        fi
    od
}

proctype Kicker(byte kicked) {
    byte thread;
    byte who;
#ifdef MUTANT_1
    thread = thread_of[kicked];
    interrupt[kicked] = 1;
    exit_request[kicked] = 1;
#else
    interrupt[kicked] = 1;
    exit_request[kicked] = 1;
    thread = thread_of[kicked];
#endif
    if
    :: current[thread] == kicked
    :: else ->
        over[thread] = 1;
        who = current[thread];
        if
        :: who == NOBODY
        :: else -> exit_request[who] = 1
        fi
    fi;
    if
    :: waiting[thread] -> wake(thread)
    :: else
    fi
}

proctype Judge() {
    byte v;
    timeout;
    do
    :: v == VCPUS -> break
    :: else -> assert(!interrupt[v] && queue_of[v] != NONE); v++
    od;
    assert(offers == 0 || (!asleep[0] && !asleep[1]))
}

init {
    atomic {
        current[0] = NOBODY;
        current[1] = NOBODY;
        run Thread(0);
        run Thread(1);
        run Kicker(VCPUS - 1);
#if KICKERS > 1
        run Kicker(0);
#endif
        run Judge()
    }
}
