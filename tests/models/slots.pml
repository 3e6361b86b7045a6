/* The stack of released slots: tcg/code/slot_numbers.h, claim() and release().

   Two threads take up to two slots each and put them back, in the order in which they took them, ROUNDS times. The top of the
   stack and its count of changes are one word.

   Checked: a slot has one owner at a time; in the end all are in the stack again.

   MUTANT_1  the top has no count: it may be another one that looks the same
   MUTANT_2  a slot's place below is read before the top that it is of
   MUTANT_3  a slot is put back before its owner has let go of it
   MUTANT_4  the top is stored without comparing

   CASE -DROUNDS=1
   CASE_FULL -DROUNDS=2 */

#define THREADS 2
#define SLOTS   3 /* numbered from 1; 0 is none */

byte top = 1;
byte changes;
byte below[SLOTS + 1];
byte owners[SLOTS + 1];
byte done;

inline count_change() {
#ifndef MUTANT_1
    changes++
#else
    skip
#endif
}

inline take(slot) {
    do
    ::
#ifdef MUTANT_2
        next = below[top];
        d_step { seen = top; seen_changes = changes };
#else
        d_step { seen = top; seen_changes = changes };
        next = below[seen];
#endif
        if
        :: seen == 0 -> slot = 0; break
        :: else
        fi;
        d_step {
            if
            :: top == seen && changes == seen_changes -> top = next; count_change(); slot = seen
            :: else -> slot = 0
            fi
        };
        if
        :: slot != 0 ->
            owners[slot]++;
            assert(owners[slot] == 1);
            break
        :: else
        fi
    od
}

inline put_back(slot) {
    if
    :: slot == 0
    :: else ->
#ifndef MUTANT_3
        owners[slot]--;
#endif
        swapped = 0;
        do
        :: swapped -> break
        :: else ->
            d_step { seen = top; seen_changes = changes };
            below[slot] = seen;
            d_step {
                if
#ifdef MUTANT_4
                :: true -> top = slot; count_change(); swapped = 1
#else
                :: top == seen && changes == seen_changes -> top = slot; count_change(); swapped = 1
                :: else
#endif
                fi
            }
        od;
#ifdef MUTANT_3
        owners[slot]--
#endif
    fi
}

proctype Thread() {
    byte round, first, second, seen, seen_changes, next;
    bit swapped;
    do
    :: round < ROUNDS ->
        take(first);
        take(second);
        put_back(first);
        put_back(second);
        round++
    :: else -> break
    od;
    done++
}

init {
    byte i, at, count;
    for (i : 1 .. SLOTS - 1) {
        below[i] = i + 1
    };
    atomic {
        for (i : 1 .. THREADS) {
            run Thread()
        }
    };
    done == THREADS;
    at = top;
    do
    :: at != 0 ->
        count++;
        assert(count <= SLOTS);
        at = below[at]
    :: else -> break
    od;
    assert(count == SLOTS)
}
