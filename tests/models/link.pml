/* Links between TBs and their invalidation: accel/tcg/blocks/block_table.cpp.

   Three TBs with a jump each. A jumps to B, or to C, which has B's place after B is gone; B jumps to A (a cycle), C to
   itself. Others link and invalidate them, one of them from two threads, as the locks of its two pages allow. ACTORS says
   who there is.

   Checked: once an invalidation has returned, no jump leads to the TB and its own leads to its stub, for ever; nobody finds
   the TB and every vCPU was asked to drop it; the lists of incoming jumps say what the jumps say.

   MUTANT_1  the linker does not ask whether the destination is invalid
   MUTANT_2  the linker asks before it takes the destination's lock
   MUTANT_3  the invalidator of the source does not take the destination's lock
   MUTANT_4  the invalidator of the source does not look again once it has the lock
   MUTANT_5  the invalidator of the destination opens jumps that were closed
   MUTANT_6  the second invalidator of a TB does not wait for the first
   MUTANT_7  the invalidator of the source does not close jumps that were not linked

   CASE -DACTORS=1
   CASE -DACTORS=2
   CASE_FULL -DACTORS=3 */

#define A 0
#define B 1
#define C 2
#define TBS 3

#define NONE   0
#define TO(t)  ((t) + 1)
#define CLOSED 8

bit invalid[TBS];
bit withdrawn[TBS];
bit hashed[TBS];
bit drop_asked[TBS];
bit jump_lock[TBS];
/* Of the jump of the TB with that number. */
byte destination[TBS];
byte listed[TBS]; /* TO(t): in t's list of incoming jumps */
byte patched[TBS]; /* TO(t): leads to t; NONE: to its stub */

#define LOCK(m)   atomic { !m -> m = 1 }
#define UNLOCK(m) m = 0

inline link_into(j, t) {
    assert(listed[j] == NONE);
    listed[j] = TO(t)
}

inline unlink(j) {
    assert(listed[j] != NONE);
    listed[j] = NONE
}

proctype Linker(byte j; byte t) {
    bit may = 1;
#ifdef MUTANT_2
    may = !invalid[t];
#endif
    LOCK(jump_lock[t]);
#if !defined(MUTANT_1) && !defined(MUTANT_2)
    may = !invalid[t];
#endif
    if
    :: may ->
        atomic {
            may = destination[j] == NONE;
            if
            :: may -> destination[j] = TO(t)
            :: else
            fi
        }
        if
        :: may ->
            link_into(j, t);
            patched[j] = TO(t)
        :: else
        fi
    :: else
    fi;
    UNLOCK(jump_lock[t])
}

inline close_outgoing(j) {
    atomic {
        before = destination[j];
#ifdef MUTANT_7
        if
        :: before != NONE -> destination[j] = before | CLOSED
        :: else
        fi
#else
        destination[j] = before | CLOSED
#endif
    }
    if
    :: before == NONE
    :: else ->
#ifndef MUTANT_3
        LOCK(jump_lock[before - 1]);
#endif
#ifdef MUTANT_4
        again = before;
#else
        again = destination[j] & ~CLOSED;
#endif
        if
        :: again != NONE ->
            unlink(j);
            destination[j] = CLOSED;
            patched[j] = NONE
        :: else
        fi;
#ifndef MUTANT_3
        UNLOCK(jump_lock[before - 1])
#endif
    fi
}

inline unlink_incoming(t) {
    LOCK(jump_lock[t]);
    j = 0;
    do
    :: j == TBS -> break
    :: j < TBS && listed[j] == TO(t) ->
        unlink(j);
        patched[j] = NONE;
#ifdef MUTANT_5
        destination[j] = NONE;
#else
        atomic { destination[j] = destination[j] & CLOSED }
#endif
        j++
    :: j < TBS && listed[j] != TO(t) -> j++
    od;
    UNLOCK(jump_lock[t])
}

proctype Invalidator(byte t) {
    byte before, again, j;
    bit first;
    atomic { first = !invalid[t]; invalid[t] = 1 }
    if
    :: first ->
        hashed[t] = 0;
        close_outgoing(t);
        unlink_incoming(t);
        drop_asked[t] = 1;
        withdrawn[t] = 1
    :: else ->
#ifdef MUTANT_6
        skip
#else
        withdrawn[t]
#endif
    fi;
    assert(!hashed[t] && drop_asked[t]);
    /* From here on, whatever the others do. */
end_watch:
    do
    :: atomic {
        (patched[A] == TO(t) || patched[B] == TO(t) || patched[C] == TO(t) || patched[t] != NONE || hashed[t]) ->
        assert(false) /* never */
    }
    :: timeout ->
        atomic {
            j = 0;
            do
            :: j == TBS -> break
            :: j < TBS ->
                assert(listed[j] == (destination[j] & ~CLOSED) && patched[j] == listed[j] && !jump_lock[j]);
                j++
            od;
            break
        }
    od
}

init {
    atomic {
        hashed[A] = 1;
        hashed[B] = 1;
        hashed[C] = 1;
#if ACTORS == 1 /* a destination that dies, and its successor; the source dies twice */
        run Linker(A, B);
        run Linker(A, C);
        run Invalidator(A);
        run Invalidator(A);
        run Invalidator(B)
#elif ACTORS == 2 /* a cycle of two, and of one */
        run Linker(A, B);
        run Linker(B, A);
        run Linker(C, C);
        run Invalidator(A);
        run Invalidator(B);
        run Invalidator(C)
#else
        run Linker(A, B);
        run Linker(A, C);
        run Linker(B, A);
        run Linker(C, C);
        run Invalidator(A);
        run Invalidator(A);
        run Invalidator(B);
        run Invalidator(C)
#endif
    }
}
