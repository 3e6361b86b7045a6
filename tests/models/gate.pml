/* The exclusive gate: accel/tcg/run/exclusive.h.

   Two members that enter and leave ROUNDS times, two requesters that ask for SECTIONS sections each. A member that runs
   leaves by itself, or only when it was asked to and then finds a request, as the execution loop does.

   Checked: nobody runs inside a section; one section at a time; everybody who waits goes on.

   MUTANT_1  enter() looks for requests before it says that it runs
   MUTANT_2  leave() wakes requesters without passing through the mutex
   MUTANT_3  a member that gives way in enter() wakes nobody
   MUTANT_4  a running member clears its exit request after it has looked for requests
   MUTANT_5  begin() looks for running members before it counts itself in
   MUTANT_6  end() wakes nobody

   CASE -DROUNDS=1 -DSECTIONS=1
   CASE_FULL -DROUNDS=2 -DSECTIONS=2 */

#define MEMBERS    2
#define REQUESTERS 2
#define SLEEPERS   (MEMBERS + REQUESTERS)
#include "sync.pml"

byte requests;
bit held;
bit running[MEMBERS];
bit exit_request[MEMBERS];

byte inside;          /* sections */
bit in_code[MEMBERS]; /* running, as the guest sees it */

inline enter(m) {
#ifdef MUTANT_1
    asked = requests != 0;
    running[m] = 1;
#else
    running[m] = 1;
    asked = requests != 0;
#endif
    if
    :: !asked
    :: else ->
        LOCK(mutex);
        running[m] = 0;
#ifndef MUTANT_3
        notify_all();
#endif
        do
        :: requests != 0 -> WAIT(mutex, m)
        :: else -> break
        od;
        running[m] = 1;
        UNLOCK(mutex)
    fi
}

inline leave(m) {
    running[m] = 0;
    if
    :: requests == 0
    :: else ->
#ifndef MUTANT_2
        LOCK(mutex);
        UNLOCK(mutex);
#endif
        notify_all()
    fi
}

proctype Member(byte m) {
    byte round;
    bit asked, stays;
    do
    :: round == ROUNDS -> break
    :: else ->
        round++;
        enter(m);
        in_code[m] = 1;
        assert(inside == 0);
        if
        :: stays = 0
        :: stays = 1
        fi;
end_runs:
        do
        :: !stays -> break
        :: exit_request[m] ->
#ifdef MUTANT_4
            asked = requests != 0;
            exit_request[m] = 0;
#else
            exit_request[m] = 0;
            asked = requests != 0;
#endif
            if
            :: asked -> break
            :: else
            fi
        od;
        in_code[m] = 0;
        leave(m)
    od
}

proctype Requester(byte self) {
    byte round, m;
    do
    :: round == SECTIONS -> break
    :: else ->
        round++;
        LOCK(mutex);
#ifndef MUTANT_5
        requests++;
#endif
        do
        :: held -> WAIT(mutex, self)
        :: else -> break
        od;
        held = 1;
        m = 0;
        do
        :: m == MEMBERS -> break
        :: m < MEMBERS && running[m] -> exit_request[m] = 1; m++
        :: m < MEMBERS && !running[m] -> m++
        od;
        m = 0;
        do
        :: m == MEMBERS -> break
        :: m < MEMBERS && running[m] -> WAIT(mutex, self); m = 0
        :: m < MEMBERS && !running[m] -> m++
        od;
#ifdef MUTANT_5
        requests++;
#endif
        UNLOCK(mutex);

        inside++;
        assert(inside == 1 && !in_code[0] && !in_code[1]);
        inside--;

        LOCK(mutex);
        held = 0;
        requests--;
        UNLOCK(mutex);
#ifndef MUTANT_6
        notify_all()
#endif
    od
}

init {
    atomic {
        run Member(0);
        run Member(1);
        run Requester(MEMBERS);
        run Requester(MEMBERS + 1)
    }
}
