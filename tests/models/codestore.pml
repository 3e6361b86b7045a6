/* Stores to code: accel/tcg/blocks/page_map.h, exposed_pages.h, writes_under_way.h, jump_cache.h.

   One page of RAM, of whose bytes there are an old value (0) and a new one (1). A writer stores the new one: a vCPU, by its
   TLB entry (which it may have already) or without one, or a device by DMA. A translator translates the page at any time. A
   runner runs what it finds, and, once it has read the new bytes, which may be long before the writer has done all it does
   about them, executes FENCE.I and runs again. Everything the runner and the translator do is sequentially consistent in the
   code; the writer's plain stores wait in a store buffer until it executes an atomic read-modify-write (or takes a lock),
   and drain at any time before.

   Checked: after its fence the runner runs the new bytes; in the end no translation of the old bytes can be found, and a
   page with code has no entry that stores directly.

   MUTANT_1  the translator takes the writers before it sets the mark
   MUTANT_2  a writer does not read the mark again after it has added itself
   MUTANT_3  what is translated while a writer has not demoted is not compared when it is published
   MUTANT_4  FENCE.I looks for what is provisional without the page's lock
   MUTANT_5  a store to a marked page is announced before it is made
   MUTANT_6  DMA reads the mark without a read-modify-write
   MUTANT_7  FENCE.I does not compare what is provisional
   MUTANT_8  FENCE.I does not drop what was invalidated from the jump cache
   MUTANT_9  announced writes are not counted
   MUTANT_10 a vCPU may be asked again only when it has done what it was asked, and not from when it begins
   MUTANT_11 FENCE.I passes over writes that are under way
   MUTANT_12 a write is registered as under way after it was made
   MUTANT_13 a write is under way no more before it was announced
   MUTANT_14 a vCPU whose entry is not direct makes itself a direct writer after its store, not before
   MUTANT_15 FENCE.I drops from the jump cache before it looks for writes under way
   MUTANT_16 writes that FENCE.I announces for others are not counted

   What the runner translates after its fence is never stale, so that it never leaves the page without code:
   UNREACHED Runner mark = 0

   CASE -DDMA=0 -DTRANSLATIONS=1
   CASE -DDMA=1 -DTRANSLATIONS=1
   CASE_FULL -DDMA=0 -DTRANSLATIONS=2 */

#define LOCK(m)   atomic { !m -> m = 1 }
#define UNLOCK(m) m = 0

#define BLOCKS 4
#define NONE   BLOCKS

mtype = { NO_ENTRY, DIRECT, NOT_DIRTY };

/* The writer's. */
bit buffered_bytes;
mtype entry = NO_ENTRY;
bit work; /* it was asked to demote, and has not begun */

bit bytes;
bit under_way; /* a write is */

/* The page. */
bit mark;
bit writers;
bit asked; /* to demote; counted in `demotions` */
bit lock;
byte readers, writes, demotions;
byte all_demotions;

/* TBs of the page: at most one is in the hash table and, the same, in the page's list. */
byte hashed = NONE;
byte made;
bit old_bytes[BLOCKS]; /* made of the old value */
bit provisional[BLOCKS];
bit drop_asked[BLOCKS];

#define DRAINED (!buffered_bytes)

byte victim; /* under the page's lock */

inline invalidate(tb) {
    victim = tb;
    hashed = NONE;
    drop_asked[victim] = 1
}

inline release_mark() {
    if
    :: hashed == NONE && readers == 0 -> mark = 0
    :: else
    fi
}

/* ---- the writer ---- */

inline may_store_directly() {
    direct = 0;
    if
    :: mark
    :: else ->
        atomic { DRAINED -> was_writer = writers; writers = 1 }
#ifdef MUTANT_2
        direct = 1;
#else
        if
        :: !mark -> direct = 1
        :: else ->
            if
            :: !was_writer -> atomic { DRAINED -> writers = 0 }
            :: else
            fi
        fi;
#endif
        was_writer = 0
    fi
}

inline written() {
    atomic { DRAINED && !lock -> lock = 1 }
#ifndef MUTANT_9
    writes++;
#endif
    if
    :: hashed != NONE -> invalidate(hashed)
    :: else
    fi;
    release_mark();
    UNLOCK(lock)
}

inline demote() {
#ifndef MUTANT_10
    atomic { DRAINED -> work = 0 }
#endif
    LOCK(lock);
    was_asked = asked;
    UNLOCK(lock);
    if
    :: was_asked -> demote_page()
    :: else
    fi;
    was_asked = 0;
#ifdef MUTANT_10
    atomic { DRAINED -> work = 0 }
#endif
}

inline demote_page() {
    if
    :: entry == DIRECT -> entry = NOT_DIRTY
    :: else
    fi;
    LOCK(lock);
    asked = 0;
    demotions--;
    if
    :: demotions == 0 ->
        if
        :: hashed != NONE && provisional[hashed] && old_bytes[hashed] != bytes -> provisional[hashed] = 0
        :: hashed != NONE && provisional[hashed] && old_bytes[hashed] == bytes -> invalidate(hashed)
        :: else
        fi;
        release_mark()
    :: else
    fi;
    UNLOCK(lock);
    atomic { all_demotions-- }
}

inline store() {
    if
    :: entry == NO_ENTRY ->
        may_store_directly();
        entry = (direct -> DIRECT : NOT_DIRTY)
    :: else
    fi;
#ifdef MUTANT_14
    if
    :: entry != DIRECT && !mark ->
        buffered_bytes = 1;
        may_store_directly();
        if
        :: direct -> entry = DIRECT
        :: else -> written()
        fi
    :: entry == DIRECT -> buffered_bytes = 1
    :: else -> announced_store()
    fi;
#else
    if
    :: entry == NOT_DIRTY ->
        may_store_directly();
        entry = (direct -> DIRECT : NOT_DIRTY)
    :: else
    fi;
    if
    :: entry == DIRECT -> buffered_bytes = 1
    :: else -> announced_store()
    fi;
#endif
    direct = 0
}

inline announced_store() {
#ifndef MUTANT_12
    atomic { DRAINED -> under_way = 1 }
#endif
#ifdef MUTANT_5
    written();
#endif
    buffered_bytes = 1;
#ifdef MUTANT_12
    atomic { DRAINED -> under_way = 1 }
#endif
#ifdef MUTANT_13
    under_way = 0;
#endif
#ifndef MUTANT_5
    written();
#endif
    under_way = 0
}

proctype StoreBuffer() {
end_drained:
    do
    :: atomic { buffered_bytes -> bytes = 1; buffered_bytes = 0 }
    od
}

#if DMA
proctype Writer() {
    bit found;
#ifndef MUTANT_12
    under_way = 1;
#endif
    buffered_bytes = 1;
#ifdef MUTANT_12
    under_way = 1;
#endif
#ifdef MUTANT_13
    under_way = 0;
#endif
#ifdef MUTANT_6
    found = mark;
#else
    atomic { DRAINED }
    found = mark;
#endif
    if
    :: found -> written()
    :: else
    fi;
    under_way = 0
}
#else
proctype Writer() {
    bit was_writer, direct, stored, was_asked;
    if
    :: true /* a store elsewhere in the page: an entry */
        may_store_directly();
        entry = (direct -> DIRECT : NOT_DIRTY)
    :: entry = NOT_DIRTY /* a load from the page: an entry that notes no writer */
    :: true
    fi;
end_idle:
    do
    :: work != 0 -> demote()
    :: !stored -> store(); stored = 1
    od
}
#endif

/* ---- those who translate ---- */

inline begin_reading() {
#ifdef MUTANT_1
    LOCK(lock);
    atomic { asks = writers && !asked; writers = 0 }
    if
    :: asks -> atomic { asked = 1; demotions++; all_demotions++ }
    :: else
    fi;
    readers++;
    mark = 1;
#else
    LOCK(lock);
    readers++;
    mark = 1;
    atomic { asks = writers && !asked; writers = 0 }
    if
    :: asks -> asked = 1; demotions++; atomic { all_demotions++ }
    :: else
    fi;
#endif
    UNLOCK(lock);
    if
    :: asks -> atomic { work = 1 }
    :: else
    fi;
    asks = 0
}

/* `found`: the TB that is known now, or NONE where the bytes have changed. */
inline attempt() {
    begin_reading();
    unsure = demotions != 0;
    LOCK(lock);
    counted = writes;
    UNLOCK(lock);
    /* A TB nobody knows yet. */
    atomic {
        found = made;
        assert(made < BLOCKS);
        made++;
        old_bytes[found] = !bytes;
        provisional[found] = unsure
    }
    LOCK(lock);
#ifdef MUTANT_3
    stale = writes != counted && old_bytes[found] == bytes;
#else
    stale = (unsure || writes != counted) && old_bytes[found] == bytes;
#endif
    if
    :: !stale && hashed == NONE ->
        hashed = found;
        if
        :: provisional[found] && demotions == 0 -> provisional[found] = 0
        :: else
        fi
    :: else ->
        found = (stale -> NONE : hashed)
    fi;
    UNLOCK(lock);
    LOCK(lock);
    readers--;
    release_mark();
    UNLOCK(lock);
    unsure = 0;
    counted = 0;
    stale = 0
}

/* As the execution loop: what the hash table has, or a translation. */
inline find() {
    found = hashed;
    do
    :: found != NONE -> break
    :: else -> attempt()
    od
}

proctype Translator() {
    byte found, counted, times;
    bit asks, unsure, stale;
    do
    :: times == TRANSLATIONS -> break
    :: times < TRANSLATIONS ->
        find();
        times++
    od
}

/* Does for a write under way what its writer will do after it. */
inline help_writer() {
    if
    :: under_way && mark ->
        LOCK(lock);
#ifndef MUTANT_16
        writes++;
#endif
        if
        :: hashed != NONE -> invalidate(hashed)
        :: else
        fi;
        release_mark();
        UNLOCK(lock)
    :: else
    fi
}

inline compare() {
    if
    :: hashed != NONE && provisional[hashed] && old_bytes[hashed] == bytes -> invalidate(hashed)
    :: else
    fi;
    release_mark()
}

inline fence_i() {
#ifdef MUTANT_15
    process_drops();
#endif
#ifndef MUTANT_11
    help_writer();
#endif
#ifndef MUTANT_7
    if
    :: all_demotions == 0
    :: else ->
#ifdef MUTANT_4
        if
        :: hashed == NONE
        :: else ->
            LOCK(lock);
            compare();
            UNLOCK(lock)
        fi
#else
        LOCK(lock);
        compare();
        UNLOCK(lock)
#endif
    fi;
#endif
#if !defined(MUTANT_8) && !defined(MUTANT_15)
    process_drops()
#endif
}

inline process_drops() {
    d_step {
        if
        :: cached != NONE && drop_asked[cached] -> cached = NONE
        :: else
        fi
    }
}

proctype Runner() {
    byte found, counted;
    byte cached = NONE; /* of its jump cache */
    bit asks, unsure, stale;
    if
    :: true ->
        process_drops();
        found = hashed; /* runs it, if somebody has translated it */
        cached = found
    :: true
    fi;
    bytes;
    fence_i();
    if
    :: cached != NONE -> found = cached
    :: else -> find()
    fi;
    assert(!old_bytes[found])
}

proctype Judge() {
    timeout;
    assert(hashed == NONE || (!old_bytes[hashed] && mark && !provisional[hashed]));
    assert(!mark || hashed != NONE);
    assert(hashed == NONE || entry != DIRECT);
    assert(entry != DIRECT || writers);
    assert(readers == 0 && demotions == 0 && all_demotions == 0)
}

init {
    atomic {
        run StoreBuffer();
        run Writer();
        run Translator();
        run Runner();
        run Judge()
    }
}
