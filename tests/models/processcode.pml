/* A page of code of a process: accel/tcg/blocks/process_code.cpp, page_claim.h, translator.h; the emulator's side is
   include/weft/user_memory.h.

   One page, private, with an old value (0) and a new one (1). A storer stores the new one by generated code: where the host's page
   may not be written to, it faults, and the emulator announces the store before it gives the right back. A translator translates
   the page. An unmapper takes the page away, or its right to be executed, and waits until nobody runs its code. A runner runs what
   it finds and, once it has read the new value, executes FENCE.I and runs again. Everything is sequentially consistent, or done
   under a lock.

   Checked: after its fence the runner runs no translation of the old value; when the unmapper has settled nobody is inside
   a translation, and none is found; what can be found in the end is what is in memory, and stores to it fault.

   MUTANT_1  the page is protected before it is marked
   MUTANT_2  the right to write comes back before the store is announced
   MUTANT_3  announced stores are not counted
   MUTANT_4  the page's kind is asked for before it is marked
   MUTANT_5  the page's end is told to the accelerator before the map says so
   MUTANT_6  the unmapper does not settle
   MUTANT_7  drops are done before the quiescent point
   MUTANT_8  bytes are read before the page is protected
   MUTANT_9  what was written to since its claim is published
   MUTANT_10 FENCE.I does not drop what was invalidated from the jump cache

   CASE -DUNMAPS=0 -DTRANSLATIONS=1 -DSTORERS=2
   CASE -DUNMAPS=0 -DTRANSLATIONS=2 -DSTORERS=1
   CASE -DUNMAPS=1 -DTRANSLATIONS=2 -DSTORERS=1 */

#define LOCK(m)   atomic { !m -> m = 1 }
#define UNLOCK(m) m = 0

#define BLOCKS 3
#define NONE   BLOCKS

/* The emulator's. */
bit map_lock;
bit executable = 1; /* what the map says */
bit writable = 1;   /* what the host's page allows */
bit bytes;
bit there = 1;

/* The page of the accelerator's. */
bit mark, lock;
byte readers, writes;
byte hashed = NONE;
byte made;
bit old_bytes[BLOCKS];
bit drop_asked[BLOCKS];

/* The epochs: the runner is the only reader. */
byte epoch = 1;
byte state; /* 0: offline */
byte inside = NONE;

byte finished; /* processes */

/* Under the page's lock. */
inline invalidate() {
    if
    :: hashed != NONE -> drop_asked[hashed] = 1; hashed = NONE
    :: else
    fi
}

inline release_mark() {
    if
    :: hashed == NONE && readers == 0 -> mark = 0
    :: else
    fi
}

/* PageMap::changed */
inline changed() {
    LOCK(lock);
#ifndef MUTANT_3
    writes++;
#endif
    invalidate();
    release_mark();
    UNLOCK(lock)
}

active [STORERS] proctype Storer() {
    bit done = 0;
    do
    :: done -> break
    :: !done ->
        if
        :: atomic { there && writable -> bytes = 1; done = 1 }
        :: atomic { !there -> done = 1 } /* its exception */
        :: !writable && there ->
            LOCK(map_lock);
            if
            :: there && !writable ->
#ifdef MUTANT_2
                writable = 1;
#endif
                if
                :: mark -> changed()
                :: else
                fi;
#ifndef MUTANT_2
                writable = 1
#endif
            :: else
            fi;
            UNLOCK(map_lock)
        fi
    od;
    finished++
}

inline protect() {
    LOCK(map_lock);
    if
    :: executable -> writable = 0
    :: else
    fi;
    UNLOCK(map_lock)
}

active proctype Translator() {
    byte round = 0;
    byte seen;
    bit value, allowed, read;
    do
    :: round == TRANSLATIONS -> break
    :: else ->
        allowed = 1;
#ifdef MUTANT_1
        protect();
#endif
#ifdef MUTANT_4
        allowed = executable;
#endif
        LOCK(lock);
        readers++;
        mark = 1;
        seen = writes;
        UNLOCK(lock);
#ifndef MUTANT_4
        allowed = executable;
#endif
#ifdef MUTANT_8
        atomic { value = bytes; read = there }
        protect();
#else
#ifndef MUTANT_1
        if
        :: allowed -> protect()
        :: else
        fi;
#endif
        atomic { value = bytes; read = there }
#endif
        LOCK(lock);
        if
#ifdef MUTANT_9
        :: allowed && read && hashed == NONE ->
#else
        :: allowed && read && hashed == NONE && seen == writes ->
#endif
            old_bytes[made] = !value;
            hashed = made;
            made++
        :: else
        fi;
        readers--;
        release_mark();
        UNLOCK(lock);
        round++
    od;
    allowed = 0;
    read = 0;
    value = 0;
    seen = 0;
    finished++
}

active proctype Unmapper() {
    byte period;
    if
    :: UNMAPS ->
        LOCK(map_lock);
#ifdef MUTANT_5
        if
        :: mark -> changed()
        :: else
        fi;
#endif
        executable = 0;
        if
        :: there = 0 /* munmap */
        :: skip      /* mprotect without PROT_EXEC */
        fi;
#ifndef MUTANT_5
        if
        :: mark -> changed()
        :: else
        fi;
#endif
        atomic { epoch++; period = epoch }
        UNLOCK(map_lock);
#ifndef MUTANT_6
        (state == 0 || state >= period);
#endif
        assert(inside == NONE);
        assert(hashed == NONE);
        period = 0
    :: else
    fi;
    finished++
}

byte cached = NONE; /* the runner's jump cache */

inline process_drops() {
    if
    :: cached != NONE && drop_asked[cached] -> cached = NONE
    :: else
    fi
}

inline quiescent() { state = epoch }

inline loop_top() {
#ifdef MUTANT_7
    process_drops();
    quiescent();
#else
    quiescent();
    process_drops();
#endif
    if
    :: cached != NONE
    :: cached == NONE && hashed != NONE -> cached = hashed
    :: else
    fi
}

active proctype Runner() {
    byte round = 0;
    bit value;
    quiescent();
    do
    :: round == 2 -> break
    :: else ->
        loop_top();
        inside = cached;
        if
        :: inside != NONE -> atomic { inside = NONE } /* back to the loop */
        :: else
        fi;
        round++
    od;
    atomic { value = bytes && there };
    if
    :: value ->
#ifndef MUTANT_10
        process_drops();
#endif
        if
        :: cached != NONE
        :: cached == NONE && hashed != NONE -> cached = hashed
        :: else
        fi;
        assert(cached == NONE || !old_bytes[cached])
    :: else
    fi;
    cached = NONE;
    value = 0;
    state = 0;
    finished++
}

/* In the end. */
active proctype End() {
    (finished == 3 + STORERS);
    assert(hashed == NONE || (executable && there && old_bytes[hashed] == !bytes && !writable));
    assert(hashed != NONE || readers == 0)
}
